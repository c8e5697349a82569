"""The restorations: each an energy with a network, an input and settings that suit it.

    task = denoise(picture, sigma=25 / 255)
    for snap in fit(task, seconds=60): ...

The presets are `fast` (two cores, a minute), `paper` (the authors' network and settings; hours) and
`tiny` (seconds, for tests).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .degrade import estimate_sigma
from .images import pad_reflect
from .nets import Hourglass, build
from .task import Energy, Place, Settings, Task, randn

PRESETS = ("fast", "paper", "tiny")
ENERGIES = ("recorrupted", "mse")

FAST = Hourglass((16, 32, 32, 32, 32), skip=4, upsample="nearest", padding="zeros", finish=16)
PAPER = Hourglass((128,) * 5, skip=4, upsample="bilinear", padding="reflect")
TINY = Hourglass((8, 8), skip=2, upsample="nearest", padding="zeros", finish=8)

LARGE = 1_500_000  # pixels; a larger picture is fitted in windows, in the memory of a small one
WINDOW = 512  # pixels, the side of one
ENERGY = {"fast": "recorrupted", "paper": "mse", "tiny": "recorrupted"}  # unless asked otherwise
_Z = {"fast": 8, "paper": 32, "tiny": 4}  # channels of the random input
SETTINGS = {
    "fast": Settings(steps=2000),
    "paper": Settings(optimiser="adam", lr=0.01, steps=3000, warmup=200, patience=1000),
    "tiny": Settings(steps=150, patience=40),
}


def squared_error(x0: Tensor) -> Energy:
    """E(x) = mean (x − x0)², the paper's data term for denoising (eq. 4)."""

    def energy(x: Tensor) -> Tensor:
        return F.mse_loss(x, x0.to(x.device))

    return energy


@dataclass
class Recorrupted(Task):
    """Denoising in which the picture helps to choose its own input, and cannot be copied.

    Each step draws noise n ~ N(0, σ²) and spoils the picture twice, with opposite signs:

        input   x0 + αn, beside the random z        target   x0 − n/α
        E(x) = mean (x − x0 + n/α)²

    The noises of input and target are uncorrelated, so the energy is on average that of the clean
    picture plus σ²(1 + 1/α²), and copying does not pay. The network is told where the structure is
    and has only to learn what to make of it: a hundred steps instead of thousands. Noise impedance
    remains (z lets it memorise the picture, noise last), and so does the need to stop.

    The input is the random z, the spoilt picture with each 2×2 block as four channels a colour
    (twice as coarse, as z is), and the same averaged over 4×4 and 8×8.

    Source: Pang, Zheng, Quan and Ji, "Recorrupted-to-Recorrupted" (CVPR 2021), on the paper's net.
    """

    sigma: float = 0.1  # of the picture's noise, on the [0, 1] scale
    alpha: float = 0.8  # how much of it is added again (0.5 in that paper)
    padded: Tensor = field(default_factory=lambda: torch.empty(0))  # x0, to the net's multiple
    places: list[Place] = field(default_factory=list)  # windows of `padded`; none: all of it

    @property
    def parts(self) -> int:
        return max(1, len(self.places))

    def part(self, step: int) -> tuple[Task, Place]:
        """A large picture is fitted window by window: all are visited before any is again."""
        if not self.places:
            return super().part(step)
        rows, columns = self.places[step % len(self.places)]
        stride = self.padded.shape[-1] // self.z.shape[-1]
        part = copy.copy(self)
        part.padded = self.padded[..., rows, columns]
        part.z = self.z[
            ...,
            rows.start // stride : rows.stop // stride,
            columns.start // stride : columns.stop // stride,
        ]
        ends = min(rows.stop, self.size[0]), min(columns.stop, self.size[1])
        part.size = (ends[0] - rows.start, ends[1] - columns.start)
        return part, (slice(rows.start, ends[0]), slice(columns.start, ends[1]))

    def draw(self, rng: torch.Generator) -> tuple[Tensor, Energy]:
        noise = self.sigma * randn(self.padded.shape, rng)
        stride = self.padded.shape[-1] // self.z.shape[-1]  # of the network
        seen = guide(self.padded + self.alpha * noise, stride)
        z = torch.cat([super().draw(rng)[0], seen], dim=1)
        height, width = self.size
        target = (self.padded - noise / self.alpha)[..., :height, :width]
        return z.contiguous(memory_format=torch.channels_last), squared_error(target)


def windows(height: int, width: int, side: int, multiple: int, seed: int = 0) -> list[Place]:
    """Windows that cover a padded picture, overlapping by at least `multiple`, in random order.

    Args:
        height, width: of the padded picture, multiples of `multiple`.
        side: of a window, a multiple of `multiple` and larger than it; smaller pictures have one.

    >>> sorted(rows.start for rows, columns in windows(128, 64, side=64, multiple=32))
    [0, 32, 64]
    """

    def starts(length: int) -> list[int]:
        count = -(-max(0, length - side) // (side - multiple)) + 1
        last = max(0, length - side) // multiple  # counted in multiples
        return [multiple * round(last * i / max(1, count - 1)) for i in range(count)]

    places = [
        (slice(top, min(top + side, height)), slice(left, min(left + side, width)))
        for top in starts(height)
        for left in starts(width)
    ]
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))
    return [places[i] for i in order.tolist()]


def guide(x: Tensor, stride: int = 2) -> Tensor:
    """A picture as an input `stride` times smaller, about unit variance.

    (1, C, H, W) → (1, (stride² + 2)·C, H/stride, W/stride)
    """
    x = 4 * (x - 0.5)
    half = F.avg_pool2d(x, 2)
    quarter = F.avg_pool2d(half, 2)
    eighth = F.avg_pool2d(quarter, 2)
    return torch.cat(
        [
            F.pixel_unshuffle(x, stride),  # (1, stride²·C, H/stride, W/stride)
            F.interpolate(quarter, scale_factor=4 // stride, mode="bilinear"),
            F.interpolate(eighth, scale_factor=8 // stride, mode="bilinear"),
        ],
        dim=1,
    )


def denoise(
    x0: Tensor,
    sigma: float | None = None,
    *,
    preset: str = "fast",
    energy: str | None = None,
    seed: int = 0,
) -> Task:
    """Removes Gaussian noise (paper, section 3.1 and Fig. 1).

    Args:
        x0: noisy picture, (1, C, H, W) in [0, 1], C = 1 or 3, each side at least 16.
        sigma: the noise's standard deviation on the [0, 1] scale; estimated when None.
        preset: "fast", "paper" or "tiny".
        energy: "mse" is the paper's, mean (x − x0)² from a random z alone: the plain deep image
            prior. "recorrupted", the default of `fast` and `tiny`, went
            1.5 dB higher on a photograph (RESULTS.md), see `Recorrupted`; it takes noise to be
            white, as from a sensor, so prefer "mse" for
            noise that has been resized or compressed.
        seed: of the random z.

    A picture of more than 1.5 megapixels is fitted with "recorrupted" in windows of 512², one a
    step, by one network: the memory is that of a small picture, and the stopping rule rests.

    Raises:
        ValueError: sigma outside [0, 1], an unknown preset or energy, a picture of another shape.
    """
    _check(x0, sigma, preset, energy)
    x0 = x0.detach().float()
    sigma = estimate_sigma(x0) if sigma is None else sigma
    energy = energy or ENERGY[preset]
    shape = {"fast": FAST, "paper": PAPER, "tiny": TINY}[preset]
    padded, size = pad_reflect(x0, shape.multiple, least=2)  # a norm needs two cells at the bottom
    colours = x0.shape[1]
    z = random_input(padded, shape, _Z[preset], seed, uniform=preset == "paper")
    seen = (shape.stride**2 + 2) * colours if energy == "recorrupted" else 0  # channels of `guide`
    net = partial(build, shape, z.shape[1] + seen, colours)
    common: dict[str, Any] = {"net": net, "z": z, "size": size, "x0": x0}
    common |= {"name": "denoise", "preset": preset}
    reg = 0.3  # of a z of unit variance
    if preset == "paper":
        reg = 1 / 20 if sigma > 35 / 255 else 1 / 30  # authors' code, for σ = 50 and 25
    common |= {"settings": SETTINGS[preset], "reg": reg}
    if energy == "mse":
        return Task(squared_error(x0), **common)
    height, width = padded.shape[2:]
    places = windows(height, width, WINDOW, shape.multiple, seed) if height * width > LARGE else []
    # below a grey level there is nothing to recorrupt with
    common |= {"sigma": max(sigma, 1 / 255), "padded": padded, "places": places}
    return Recorrupted(squared_error(x0), **common)


def random_input(
    padded: Tensor, shape: Hourglass, channels: int, seed: int, *, uniform: bool = False
) -> Tensor:
    """z for a padded picture: (1, channels, H/stride, W/stride).

    Normal of unit variance, from which the light network learns faster than from the authors'
    U(0, 1)·0.1 (`uniform`).
    """
    rng = torch.Generator().manual_seed(seed)
    height, width = (side // shape.stride for side in padded.shape[2:])
    if uniform:
        return 0.1 * torch.rand((1, channels, height, width), generator=rng)
    return randn(torch.Size((1, channels, height, width)), rng)


def _check(x0: Tensor, sigma: float | None, preset: str, energy: str | None) -> None:
    """Refuses what `denoise` cannot take, in one sentence."""
    if x0.ndim != 4 or x0.shape[0] != 1 or x0.shape[1] not in (1, 3) or min(x0.shape[2:]) < 16:
        raise ValueError(
            f"x0 must be one picture (1, 1 or 3, H, W) of at least 16 pixels a side, got "
            f"{tuple(x0.shape)}: dip_lite.load makes one from a file or an array"
        )
    if not (torch.isfinite(x0).all() and x0.min() >= -1e-3 and x0.max() <= 1 + 1e-3):
        raise ValueError(
            f"x0 must lie in [0, 1] without NaN, got {float(x0.min()):g} to {float(x0.max()):g}"
        )
    if sigma is not None and not 0 <= sigma <= 1:
        advice = ": divide by 255?" if 1 < sigma <= 255 else ""
        raise ValueError(f"sigma must be in [0, 1], got {sigma:g}{advice}")
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
    if energy is not None and energy not in ENERGIES:
        raise ValueError(f"energy must be one of {', '.join(ENERGIES)}, got {energy!r}")
