"""Denoising: Gaussian, Poisson, salt and pepper.

task = denoise(picture, sigma=25 / 255)
for snap in fit(task, seconds=60): ...
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ..degrade import estimate_photons, estimate_sigma, find_impulses
from ..images import pad_reflect
from ..nets import build
from ..task import Energy, Task, randn
from .common import (
    SETTINGS,
    SHAPES,
    Z_CHANNELS,
    Tiled,
    check_picture,
    guide,
    guide_channels,
    random_input,
    squared_error,
    tiles,
)
from .inpainting import inpaint

NOISES = ("gaussian", "poisson", "salt-pepper")
ENERGIES = ("recorrupted", "mse")
ENERGY = {"fast": "recorrupted", "paper": "mse", "tiny": "recorrupted"}  # unless asked otherwise


@dataclass
class Recorrupted(Tiled):
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

    cut: ClassVar[tuple[str, ...]] = ("padded", "level")

    sigma: float = 0.1  # of the picture's noise, on the [0, 1] scale
    alpha: float = 0.8  # how much of it is added again (0.5 in that paper)
    level: Tensor | None = None  # what σ is multiplied by from pixel to pixel, as `padded`; or 1

    def draw(self, rng: torch.Generator) -> tuple[Tensor, Energy]:
        noise = self.sigma * randn(self.padded.shape, rng)
        noise = noise if self.level is None else noise * self.level
        seen = guide(self.padded + self.alpha * noise, self.stride)
        z = torch.cat([super().draw(rng)[0], seen], dim=1)
        height, width = self.size
        target = (self.padded - noise / self.alpha)[..., :height, :width]
        return z.contiguous(memory_format=torch.channels_last), squared_error(target)


def denoise(
    x0: Tensor,
    sigma: float | None = None,
    *,
    noise: str = "gaussian",
    preset: str = "fast",
    energy: str | None = None,
    seed: int = 0,
) -> Task:
    """Removes noise (paper, section 3.1 and Fig. 4, which is about Gaussian noise).

    Args:
        x0: noisy picture, (1, C, H, W) in [0, 1], C = 1 or 3, each side at least 16.
        sigma: the noise's standard deviation on the [0, 1] scale; estimated when None.
        noise: "gaussian"; "poisson", photon noise, whose deviation is σ at white and σ√v at level
            v; or "salt-pepper", pixels turned white or black, which are found
            (`degrade.find_impulses`), taken as missing and inpainted, and σ is not asked for.
        preset: "fast", "paper" or "tiny".
        energy: "mse" is the paper's, mean (x − x0)² from a random z alone: the plain deep image
            prior. "recorrupted", the default of `fast` and `tiny`, went
            1.5 dB higher on a photograph (RESULTS.md), see `Recorrupted`; it takes noise to be
            white, as from a sensor, so prefer "mse" for
            noise that has been resized or compressed. With them, Poisson noise is met by noise of
            its own deviation, or by its likelihood, mean (x − x0 log x); salt and pepper by
            `inpaint`, or by mean |x − x0|.
        seed: of the random z.

    A picture of more than 1.5 megapixels is fitted with "recorrupted" in windows of 512², one a
    step, by one network: the memory is that of a small picture, and the stopping rule rests.

    Raises:
        ValueError: sigma outside [0, 1], an unknown preset or energy, a picture of another shape.
    """
    _check(x0, sigma, noise, preset, energy)
    x0 = x0.detach().float()
    energy = energy or ENERGY[preset]
    if noise == "salt-pepper" and energy == "recorrupted":
        return _without_impulses(x0, preset, seed)
    if sigma is None:
        sigma = estimate_photons(x0) if noise == "poisson" else estimate_sigma(x0)
    shape = SHAPES[preset]
    padded, size = pad_reflect(x0, shape.multiple, least=2)  # a norm needs two cells at the bottom
    colours = x0.shape[1]
    z = random_input(padded, shape, Z_CHANNELS[preset], seed, uniform=preset == "paper")
    seen = guide_channels(shape, colours) if energy == "recorrupted" else 0
    net = partial(build, shape, z.shape[1] + seen, colours)
    common: dict[str, Any] = {"net": net, "z": z, "size": size, "x0": x0}
    common |= {"name": "denoise", "preset": preset}
    reg = 0.3  # of a z of unit variance
    if preset == "paper":
        reg = 1 / 20 if sigma > 35 / 255 else 1 / 30  # authors' code, for σ = 50 and 25
    common |= {"settings": SETTINGS[preset], "reg": reg}
    if energy == "mse":
        data = {"gaussian": squared_error, "poisson": likelihood, "salt-pepper": absolute_error}
        return Task(data[noise](x0), **common)
    places = tiles(padded, shape.multiple, seed)
    # below a grey level there is nothing to recorrupt with
    common |= {"sigma": max(sigma, 1 / 255), "padded": padded, "places": places}
    if noise == "poisson":
        common["level"] = brightness(padded).sqrt()
    return Recorrupted(squared_error(x0), **common)


def _without_impulses(x0: Tensor, preset: str, seed: int) -> Task:
    """Salt and pepper, found and inpainted."""
    sound = find_impulses(x0)
    if bool((sound == 1).all()):
        raise ValueError(
            "no pixel was turned white or black: for other noise say gaussian or poisson"
        )
    task = inpaint(x0, sound, kind="scattered", preset=preset, energy="hidden", seed=seed)
    task.name, task.x0 = "denoise", x0  # the guess stays: x0 is off by much, even on average
    return task


def likelihood(x0: Tensor) -> Energy:
    """E(x) = mean (x − x0 log x): that of counts, Poisson's, up to constants."""

    def energy(x: Tensor) -> Tensor:
        nonlocal x0
        x0 = x0.to(x.device)
        return (x - x0 * (x + 1e-3).log()).mean()

    return energy


def absolute_error(x0: Tensor) -> Energy:
    """E(x) = mean |x − x0|, which a few wild pixels do not move."""

    def energy(x: Tensor) -> Tensor:
        nonlocal x0
        x0 = x0.to(x.device)
        return F.l1_loss(x, x0)

    return energy


def brightness(x: Tensor) -> Tensor:
    """The level at every pixel, without the noise: means over 7×7, at least a grey level."""
    return F.avg_pool2d(x, 7, 1, 3, count_include_pad=False).clamp(min=1 / 255)


def _check(x0: Tensor, sigma: float | None, noise: str, preset: str, energy: str | None) -> None:
    """Refuses what `denoise` cannot take, in one sentence."""
    check_picture(x0, preset)
    if noise not in NOISES:
        raise ValueError(f"noise must be one of {', '.join(NOISES)}, got {noise!r}")
    if sigma is not None and not 0 <= sigma <= 1:
        advice = ": divide by 255?" if 1 < sigma <= 255 else ""
        raise ValueError(f"sigma must be in [0, 1], got {sigma:g}{advice}")
    if energy is not None and energy not in ENERGIES:
        raise ValueError(f"energy must be one of {', '.join(ENERGIES)}, got {energy!r}")
