"""The ways a sweep spoils a clean picture, by name, and what the restoring side is told of it.

    spoilt = spoil(x_true, {"sigma": 25 / 255}, seed=0)
    spoilt.x0, spoilt.told                   # the noisy picture, {"sigma": 0.098}

    sigma     Gaussian noise of that standard deviation, [0, 1] scale
    photons   Poisson noise of that deviation at white
    impulses  that fraction of the pixels turned white or black
    quality   JPEG of that quality, 1 to 100
    missing   that fraction of the pixels lost
    mask      the white pixels of that picture lost
    text      those lost that this text covers, again and again
    scratches those under so many strokes
    hole      one blob of that fraction lost
    factor    so many times smaller a side
    file      spoilt by others: that picture

A new way is a function here and a line in `WAYS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from .degrade import add_noise, add_poisson, drop_pixels, jpeg, salt_and_pepper
from .images import check_same_size, match_channels
from .masks import check_mask, hole, load_mask, scratches, text_mask
from .resample import Downsample, upsample

Pictures = Mapping[str, Tensor]  # by name, (1, C, H, W)
Kind = tuple[tuple[type, ...], str]
KINDS: dict[str, Kind] = {  # what a way takes, unless it is any number
    **dict.fromkeys(("mask", "text", "file"), ((str,), "words")),
    **dict.fromkeys(("quality", "scratches", "factor"), ((int,), "a whole number")),
}


@dataclass(frozen=True)
class Spoilt:
    """A picture to restore, and what is known of it."""

    x0: Tensor  # (1, C, h, w) in [0, 1]
    told: dict[str, Any] = field(default_factory=dict)  # for the task's maker, if it asks
    x_true: Tensor | None = None  # (1, C, H, W), the clean one where there is one

    def enlarged(self) -> Tensor:
        """x0 at the size of x_true, by bicubic interpolation where it is smaller."""
        if self.x_true is None or self.x0.shape == self.x_true.shape:
            return self.x0
        return upsample(self.x0, self.x_true.shape[-1] // self.x0.shape[-1])


def spoil(
    x: Tensor, how: Mapping[str, Any], seed: int = 0, pictures: Pictures | None = None
) -> Spoilt:
    """Spoils a clean picture in one of `WAYS`.

    Args:
        x: (1, C, H, W) in [0, 1]; clean, or spoilt already when `how` is empty.
        how: one way with its amount, and perhaps "seed"; `check_spoil` says what is wrong with it.
        seed: of what is random, unless `how` has its own.
        pictures: masks and spoilt files by their names.

    Raises:
        ValueError, PictureError: an amount out of its range, a mask of another size.
    """
    ways = [name for name in how if name != "seed"]
    if not ways:
        return Spoilt(x)
    return WAYS[ways[0]](x, how[ways[0]], how.get("seed", seed), pictures or {})


def check_spoil(how: Mapping[str, Any]) -> None:
    """Refuses what is not one of `WAYS`.

    >>> check_spoil({"sigma": 0.1, "seed": 3})
    >>> check_spoil({"blur": 3})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: spoil takes one of ... impulses, got blur
    """
    ways = [name for name in how if name != "seed"]
    if len(ways) > 1 or not set(ways) <= set(WAYS) or (how and not ways):
        raise ValueError(f"spoil takes one of {', '.join(WAYS)}, got {', '.join(how)}")
    seed = how.get("seed", 0)
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise ValueError(f"the seed of spoil must be a whole number from 0, got {seed!r}")
    for name in ways:
        kinds, wanted = KINDS.get(name, ((int, float), "a number"))
        if type(how[name]) not in kinds:
            raise ValueError(f"spoil {name} must be {wanted}, got {how[name]!r}")


def _noise(x: Tensor, sigma: float, seed: int, pictures: Pictures) -> Spoilt:
    return Spoilt(add_noise(x, sigma, seed=seed), {"sigma": sigma}, x)


def _photons(x: Tensor, sigma: float, seed: int, pictures: Pictures) -> Spoilt:
    return Spoilt(add_poisson(x, sigma, seed=seed), {"sigma": sigma, "noise": "poisson"}, x)


def _impulses(x: Tensor, fraction: float, seed: int, pictures: Pictures) -> Spoilt:
    return Spoilt(salt_and_pepper(x, fraction, seed=seed), {"noise": "salt-pepper"}, x)


def _jpeg(x: Tensor, quality: int, seed: int, pictures: Pictures) -> Spoilt:
    return Spoilt(jpeg(x, quality), {"quality": quality}, x)


def _drop(x: Tensor, fraction: float, seed: int, pictures: Pictures) -> Spoilt:
    x0, mask = drop_pixels(x, fraction, seed=seed)
    return Spoilt(x0, {"mask": mask}, x)


def _mask(x: Tensor, name: str, seed: int, pictures: Pictures) -> Spoilt:
    return _without(x, load_mask(pictures[name], x))


def _text(x: Tensor, text: str, seed: int, pictures: Pictures) -> Spoilt:
    return _without(x, text_mask(_size(x), seed, text))


def _scratch(x: Tensor, number: int, seed: int, pictures: Pictures) -> Spoilt:
    return _without(x, scratches(_size(x), seed, number))


def _hole(x: Tensor, fraction: float, seed: int, pictures: Pictures) -> Spoilt:
    return _without(x, hole(_size(x), seed, fraction))


def _without(x: Tensor, mask: Tensor) -> Spoilt:
    check_mask(mask, x)
    return Spoilt(x * mask, {"mask": mask}, x)


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[2], x.shape[3]


def _shrink(x: Tensor, factor: int, seed: int, pictures: Pictures) -> Spoilt:
    if not 2 <= factor <= min(x.shape[2:]):
        raise ValueError(
            f"spoil factor must be a whole number from 2 to the picture's side, got {factor}"
        )
    height, width = (side // factor * factor for side in x.shape[2:])
    x_true = x[..., :height, :width].contiguous()
    x0 = Downsample((height, width), factor)(x_true).clamp(0, 1)  # Lanczos overshoots
    return Spoilt(x0, {"factor": factor}, x_true)


def _file(x: Tensor, name: str, seed: int, pictures: Pictures) -> Spoilt:
    x0 = pictures[name]
    check_same_size(x0, x, "clean picture")
    return Spoilt(x0, {}, match_channels(x, x0))


WAYS: dict[str, Callable[[Tensor, Any, int, Pictures], Spoilt]] = {
    "sigma": _noise, "quality": _jpeg, "missing": _drop, "mask": _mask, "text": _text,
    "scratches": _scratch, "hole": _hole, "factor": _shrink, "file": _file,
    "photons": _photons, "impulses": _impulses,
}  # fmt: skip
