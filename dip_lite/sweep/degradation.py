"""The ways a sweep degrades a clean picture, by name.

    degraded = degrade(x_true, {"sigma": 25 / 255}, seed=0)
    degraded.x0, degraded.settings           # the noisy picture, {"sigma": 0.098}

    sigma     add Gaussian noise of this standard deviation, [0, 1] scale
    photons   add Poisson noise of this deviation at white
    impulses  turn this fraction of the pixels white or black
    quality   compress as a JPEG of this quality, 1 to 100
    missing   drop this fraction of the pixels
    mask      drop the white pixels of this picture
    text      drop the pixels under this text, written over and over
    scratches drop the pixels under this many strokes
    hole      drop one blob of this fraction of the pixels
    squares   drop square holes of these sides, as "96 64 32"
    factor    make each side this many times smaller
    file      take this picture, degraded by other means

To add one, list it in `DEGRADATIONS` and write its case in `degrade`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..images.degrade import jpeg
from ..images.holes import square_holes, square_mask
from ..images.io import check_same_size, match_channels
from ..images.masks import check_mask, hole, load_mask, random_mask, scratches, text_mask
from ..images.noise import add_noise, add_poisson, salt_and_pepper
from ..images.resample import Downsample, upsample

Pictures = Mapping[str, Tensor]  # by name, (1, C, H, W)
DEGRADATIONS: dict[str, type] = {  # by name, the type of the amount
    "sigma": float, "quality": int, "missing": float, "mask": str, "text": str, "scratches": int,
    "hole": float, "squares": str, "factor": int, "file": str, "photons": float, "impulses": float,
}  # fmt: skip
_TYPES: dict[type, tuple[tuple[type, ...], str]] = {
    float: ((int, float), "a number"), int: ((int,), "a whole number"), str: ((str,), "a string"),
}  # fmt: skip


@dataclass(frozen=True)
class Degraded:
    """A picture to restore, and what is known about it."""

    x0: Tensor  # (1, C, h, w) in [0, 1]
    settings: dict[str, Any] = field(default_factory=dict)  # for a task that has such a parameter
    x_true: Tensor | None = None  # (1, C, H, W), the clean picture if it is known

    def enlarged(self) -> Tensor:
        """x0 at the size of x_true, by bicubic interpolation if it is smaller."""
        if self.x_true is None or self.x0.shape == self.x_true.shape:
            return self.x0
        return upsample(self.x0, self.x_true.shape[-1] // self.x0.shape[-1])


def degrade(
    x: Tensor, how: Mapping[str, Any], seed: int = 0, pictures: Pictures | None = None
) -> Degraded:
    """Degrades a clean picture in one of the `DEGRADATIONS`.

    Args:
        x: (1, C, H, W) in [0, 1]; clean, or already degraded if `how` is empty.
        how: one degradation with its amount, checked by `check_degrade`, and perhaps "seed".
        seed: of the random ones, unless `how` has its own.
        pictures: masks and degraded pictures by name.

    Raises:
        ValueError, PictureError: an amount out of range, a mask of another size.
    """
    seed, pictures, size = how.get("seed", seed), pictures or {}, (x.shape[2], x.shape[3])
    match [(name, amount) for name, amount in how.items() if name != "seed"]:
        case [("sigma", sigma)]:
            return Degraded(add_noise(x, sigma, seed=seed), {"sigma": sigma}, x)
        case [("photons", sigma)]:
            settings = {"sigma": sigma, "noise": "poisson"}
            return Degraded(add_poisson(x, sigma, seed=seed), settings, x)
        case [("impulses", share)]:
            return Degraded(salt_and_pepper(x, share, seed=seed), {"noise": "salt-pepper"}, x)
        case [("quality", quality)]:
            return Degraded(jpeg(x, quality), {"quality": quality}, x)
        case [("missing", share)]:
            return _apply_mask(x, random_mask(size, share, seed).to(x))
        case [("mask", name)]:
            return _apply_mask(x, load_mask(pictures[name], x))
        case [("text", text)]:
            return _apply_mask(x, text_mask(size, seed, text))
        case [("scratches", number)]:
            return _apply_mask(x, scratches(size, seed, number))
        case [("hole", share)]:
            return _apply_mask(x, hole(size, seed, share))
        case [("squares", sides)]:
            squares = square_holes(size, [int(side) for side in sides.split()], seed)
            return _apply_mask(x, square_mask(size, squares))
        case [("factor", factor)]:
            return _downsample(x, factor)
        case [("file", name)]:
            check_same_size(pictures[name], x, "clean picture")
            return Degraded(pictures[name], {}, match_channels(x, pictures[name]))
    return Degraded(x)


def _apply_mask(x: Tensor, mask: Tensor) -> Degraded:
    check_mask(mask, x)
    return Degraded(x * mask, {"mask": mask}, x)


def _downsample(x: Tensor, factor: int) -> Degraded:
    if not 2 <= factor <= min(x.shape[2:]):
        raise ValueError(
            f"degrade factor must be a whole number from 2 to the picture's side, got {factor}"
        )
    height, width = (side // factor * factor for side in x.shape[2:])
    x_true = x[..., :height, :width].contiguous()
    x0 = Downsample((height, width), factor)(x_true).clamp(0, 1)  # Lanczos overshoots
    return Degraded(x0, {"factor": factor}, x_true)


def check_degrade(how: Mapping[str, Any]) -> None:
    """Checks the name and the type of a degradation, and its seed.

    Raises:
        ValueError: not one of `DEGRADATIONS`, or an amount or seed of the wrong type.

    >>> check_degrade({"sigma": 0.1, "seed": 3})
    >>> check_degrade({"blur": 3})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: degrade takes one of ... impulses, got blur
    """
    names = [name for name in how if name != "seed"]
    if len(names) > 1 or not set(names) <= set(DEGRADATIONS) or (how and not names):
        raise ValueError(f"degrade takes one of {', '.join(DEGRADATIONS)}, got {', '.join(how)}")
    seed = how.get("seed", 0)
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise ValueError(f"the seed of degrade must be a whole number from 0, got {seed!r}")
    for name in names:
        types, expected = _TYPES[DEGRADATIONS[name]]
        if type(how[name]) not in types:
            raise ValueError(f"degrade {name} must be {expected}, got {how[name]!r}")
