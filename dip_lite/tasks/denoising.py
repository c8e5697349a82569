"""Denoising: Gaussian, Poisson, salt and pepper.

task = denoise(picture, sigma=25 / 255)
for snap in fit(task, seconds=60): ...
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ..engine.task import Energy, Task, randn
from ..engine.tiling import Tiled
from ..errors import reason
from ..images.classical import denoise_classically, nlm, wiener
from ..images.noise import estimate_photons, estimate_sigma, find_impulses
from .energies import absolute_error, poisson_likelihood, squared_error
from .fusion import blend
from .inpainting import inpaint
from .inputs import Prepared, beside, check_picture, guide_channels, guide_features, prepare
from .presets import Preset, choose, variants

NOISES = ("gaussian", "poisson", "salt-pepper")
ENERGIES = ("recorrupted", "mse")
GUIDES = {"classical": denoise_classically, "nlm": nlm}  # by name, beside "none"
PRESETS = variants(
    fast={"energy": "recorrupted", "coarse_steps": 20},
    tiny={"energy": "recorrupted"},
    paper={"energy": "mse"},
)
DEFAULT_GUIDES = {"fast": "classical"}  # by preset; the others have none
Denoiser = Callable[[Tensor, float], Tensor]  # (noisy picture, sigma) → clean picture
DATA_TERMS = {
    "gaussian": squared_error, "poisson": poisson_likelihood, "salt-pepper": absolute_error
}  # fmt: skip
SHARE, DISAGREEMENT = 0.5, 0.08  # of the network, see `blend`; the second in units of σ²
MIN_COARSE_SIDE = 256  # pixels; below, a step at half the resolution takes about as long
MIN_SIGMA = 1 / 255  # below a grey level there is nothing to recorrupt with


@dataclass(kw_only=True)
class Recorrupted(Tiled):
    """Denoising in which the network sees the noisy picture, and copying it does not pay.

    Each step draws noise n ~ N(0, σ²) and corrupts the picture twice, with opposite signs:

        input   x0 + αn, beside the random z        target   x0 − n/α
        E(x) = mean (x − x0 + n/α)²

    The noises of input and target are uncorrelated, so the energy is on average that of the clean
    picture plus σ²(1 + 1/α²). The network sees where the structure is and only has to learn what to
    make of it: a hundred steps instead of thousands. Noise impedance remains (z lets it memorise
    the picture, noise last), and so does the need to stop.

    Source: Pang, Zheng, Quan and Ji, "Recorrupted-to-Recorrupted" (CVPR 2021), on the paper's net.
    """

    tiled_fields: ClassVar[tuple[str, ...]] = ("padded", "level")

    sigma: float  # of the picture's noise, on the [0, 1] scale
    alpha: float = 0.8  # how much of it is added again (0.5 in that paper)
    level: Tensor | None = None  # factor on σ from pixel to pixel, shaped as `padded`; None: 1
    weight: float = 1.0  # of the energy
    classical: Tensor | None = None  # what a classical method makes of x0, for `fuse`

    def sample_step(self, rng: torch.Generator) -> tuple[Tensor, Energy]:
        noise = self.sigma * randn(self.padded.shape, rng)
        noise = noise if self.level is None else noise * self.level
        shown = guide_features(self.padded + self.alpha * noise, self.stride)
        z = beside(super().sample_step(rng)[0], shown)
        height, width = self.size
        target = (self.padded - noise / self.alpha)[..., :height, :width]
        error = squared_error(target)
        return z, error if self.weight == 1 else lambda x: self.weight * error(x)

    def fuse(self, x: Tensor) -> Tensor:
        """The network's picture together with the classical one, see `fuse_with_guide`."""
        if self.classical is None or self.x0 is None:
            return x
        return fuse_with_guide(x, self.classical, self.x0, self.sigma)


def fuse_with_guide(x: Tensor, guide: Tensor, x0: Tensor, sigma: float) -> Tensor:
    """Two estimates whose errors differ, fused without the clean picture.

    Their blend p is also the pilot of a Wiener filter of the noisy picture, which keeps
    p² / (p² + σ²) of every DCT coefficient of every block; the result is the mean of p and of what
    the filter gives.

    Args:
        x: the network's picture, (1, C, H, W).
        guide: the classical one.
        x0: the noisy picture.
        sigma: standard deviation of its noise, above 0.
    """
    pilot = blend(x, guide, SHARE, DISAGREEMENT * sigma**2)
    return (pilot + wiener(x0, sigma, pilot)) / 2


def denoise(
    x0: Tensor,
    sigma: float | None = None,
    *,
    noise: str = "gaussian",
    preset: str = "fast",
    energy: str | None = None,
    guide: str | Tensor | Denoiser | None = None,
    seed: int = 0,
) -> Task:
    """Removes noise (paper, section 3.1 and Fig. 4, which is about Gaussian noise).

    Args:
        x0: noisy picture, (1, C, H, W) in [0, 1], C = 1 or 3, each side at least 16.
        sigma: the noise's standard deviation on the [0, 1] scale; estimated when None.
        noise: "gaussian"; "poisson", photon noise, whose deviation is σ at white and σ√v at level
            v; or "salt-pepper", pixels turned white or black, which are found
            (`images.noise.find_impulses`) and inpainted; σ is not used then.
        preset: "fast", "paper" or "tiny".
        energy: "mse" is the paper's, mean (x − x0)² from a random z alone: the plain deep image
            prior. "recorrupted", the default of `fast` and `tiny`, went 1.5 dB higher on a
            photograph (RESULTS.md), see `Recorrupted`; it assumes white noise, as from a sensor, so
            prefer "mse" for noise that has been resized or compressed. For Poisson noise they are
            recorruption with noise of its own deviation, and its likelihood, mean (x − x0 log x);
            for salt and pepper, `inpaint`, and mean |x − x0|.
        guide: what a classical method makes of x0; the result is fused with it, see
            `fuse_with_guide`. "classical" (`images.classical`), the default of `fast`; "nlm";
            "none"; a picture of x0's shape; or a function of x0 and σ that returns one. For
            Gaussian noise and "recorrupted" only. `Snapshot.network` is the picture before the
            fusion. That a classical denoiser and a deep image prior are better together is the idea
            of Mataev, Elad and Milanfar, "DeepRED" (ICCV workshops 2019), who put it into the
            energy.
        seed: of the random z.

    With `fast` the first steps of a picture of 256 pixels a side or more see it at half its
    resolution (`Settings.coarse_steps`): the network is further in the first seconds (RESULTS.md,
    "Coarse to fine").

    A picture of more than 1.5 megapixels is fitted with "recorrupted" in tiles of 512², one a step,
    by one network: the memory is that of a small picture, and early stopping is off.

    Raises:
        ValueError: sigma outside [0, 1], an unknown preset or energy, a picture of another shape.
    """
    x0, chosen = check_picture(x0), choose(PRESETS, preset)
    energy = energy or chosen.energy
    _check(sigma, noise, energy)
    can_guide = noise == "gaussian" and energy == "recorrupted"
    if guide is None:
        guide = DEFAULT_GUIDES.get(preset, "none") if can_guide else "none"
    elif not can_guide and not (isinstance(guide, str) and guide == "none"):
        raise ValueError(
            f'a guide needs Gaussian noise and the energy "recorrupted", got {noise} and {energy}'
        )
    if noise == "salt-pepper" and energy == "recorrupted":
        return _inpaint_impulses(x0, preset, seed)
    if sigma is None:
        sigma = estimate_photons(x0) if noise == "poisson" else estimate_sigma(x0)
    prepared = prepare(x0, _with_authors_noise(chosen, sigma), seed)
    if energy == "mse":
        return prepared.task(DATA_TERMS[noise](x0), "denoise")
    task = _recorrupted(prepared, sigma, noise)
    task.classical = _classical_picture(guide, x0, task.sigma)
    task.guess = x0 if task.classical is None else task.classical
    wanted = chosen.settings.coarse_steps > 0 and task.num_tiles == 1
    if wanted and min(x0.shape[2:]) >= MIN_COARSE_SIDE:
        half = F.avg_pool2d(x0, 2, ceil_mode=True)  # four values each, so half the deviation
        task.coarse = _recorrupted(prepare(half, chosen, seed), sigma / 2, noise)
        task.coarse.weight = 4.0  # then its losses compare with the later ones: all σ² is a quarter
    return task


def _recorrupted(prepared: Prepared, sigma: float, noise: str) -> Recorrupted:
    channels = guide_channels(prepared.preset.architecture.stride, prepared.x0.shape[1])
    level = local_brightness(prepared.padded).sqrt() if noise == "poisson" else None
    return prepared.task(
        squared_error(prepared.x0),
        "denoise",
        Recorrupted,
        channels,
        sigma=max(sigma, MIN_SIGMA),
        level=level,
    )


def _classical_picture(guide: str | Tensor | Denoiser, x0: Tensor, sigma: float) -> Tensor | None:
    """The guide as a picture.

    Raises:
        ValueError: an unknown name, a function that fails, another shape, NaN.
    """
    if isinstance(guide, str):
        if guide == "none":
            return None
        if guide not in GUIDES:
            raise ValueError(f"guide must be none or one of {', '.join(GUIDES)}, got {guide!r}")
        guide = GUIDES[guide]
    if not isinstance(guide, Tensor):
        try:
            guide = guide(x0, sigma)
        except Exception as error:
            name = getattr(guide, "__name__", type(guide).__name__)
            raise ValueError(
                f"the guide {name} failed on this picture ({reason(error)})"
            ) from error
    if not isinstance(guide, Tensor) or guide.shape != x0.shape:
        got = tuple(guide.shape) if isinstance(guide, Tensor) else type(guide).__name__
        raise ValueError(f"the guide must be a picture of x0's shape {tuple(x0.shape)}, got {got}")
    if not bool(torch.isfinite(guide).all()):
        raise ValueError("the guide has values that are NaN or infinite")
    return guide.detach().to(x0).clamp(0, 1)


def _with_authors_noise(preset: Preset, sigma: float) -> Preset:
    """`paper` with the noise on z that the authors have for σ = 50, where that is nearer."""
    stronger = preset.name == "paper" and sigma > 35 / 255
    return replace(preset, reg_noise_std=1 / 20) if stronger else preset


def _inpaint_impulses(x0: Tensor, preset: str, seed: int) -> Task:
    """Salt and pepper, found and inpainted."""
    known = find_impulses(x0)
    if bool((known == 1).all()):
        raise ValueError(
            "no pixel was turned white or black: for other noise say gaussian or poisson"
        )
    task = inpaint(x0, known, kind="scattered", preset=preset, energy="held-out", seed=seed)
    task.name, task.x0 = "denoise", x0  # the guess stays: x0 is far off, even on average
    return task


def local_brightness(x: Tensor) -> Tensor:
    """The level at every pixel without its noise: means over 7×7, at least a grey level."""
    return F.avg_pool2d(x, 7, 1, 3, count_include_pad=False).clamp(min=1 / 255)


def _check(sigma: float | None, noise: str, energy: str) -> None:
    if noise not in NOISES:
        raise ValueError(f"noise must be one of {', '.join(NOISES)}, got {noise!r}")
    if sigma is not None and not 0 <= sigma <= 1:
        advice = ": divide by 255?" if 1 < sigma <= 255 else ""
        raise ValueError(f"sigma must be in [0, 1], got {sigma:g}{advice}")
    if energy not in ENERGIES:
        raise ValueError(f"energy must be one of {', '.join(ENERGIES)}, got {energy!r}")
