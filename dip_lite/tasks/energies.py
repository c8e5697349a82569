"""The energies that are minimised: functions of an output x, differentiable, with a scalar value.

    squared_error(x0)                 mean (x − x0)²                             (paper, eq. 4)
    absolute_error(x0)                mean |x − x0|
    poisson_likelihood(x0)            mean (x − x0 log x)
    masked_error(x0, mask)            Σ m·(x − x0)² / Σ m                        (paper, eq. 6)
    downsampled_error(x0, …)          mean (d(x) − x0)² + smooth·TV(x)           (paper, eq. 5)
    quantization_error(constraint)    mean max(0, |d − c·q| − q/2)², d the DCT of x   (JPEG)
    total_variation(x)                mean |∇x|, the classical prior

Each constructor returns E; its tensors move to x's device at the first call.
"""

import functools

import torch.nn.functional as F
from torch import Tensor

from ..engine.task import Energy
from ..images.jpeg import JpegConstraint
from ..images.resample import Downsample


def squared_error(x0: Tensor) -> Energy:
    """E(x) = mean (x − x0)², the paper's data term for denoising (eq. 4)."""

    def energy(x: Tensor) -> Tensor:
        nonlocal x0
        x0 = x0.to(x.device)
        return F.mse_loss(x, x0)

    return energy


def absolute_error(x0: Tensor) -> Energy:
    """E(x) = mean |x − x0|, which a few outliers do not move."""

    def energy(x: Tensor) -> Tensor:
        nonlocal x0
        x0 = x0.to(x.device)
        return F.l1_loss(x, x0)

    return energy


def poisson_likelihood(x0: Tensor) -> Energy:
    """E(x) = mean (x − x0 log x), the negative log-likelihood of counts, up to constants."""

    def energy(x: Tensor) -> Tensor:
        nonlocal x0
        x0 = x0.to(x.device)
        return (x - x0 * (x + 1e-3).log()).mean()

    return energy


def masked_error(x0: Tensor, mask: Tensor) -> Energy:
    """E(x) = Σ m·(x − x0)² / Σ m, m any weights of x0's height and width (paper, eq. 6)."""
    total = (float(mask.sum()) or 1.0) * x0.shape[1]  # 0 in a tile that lies in a hole

    def energy(x: Tensor) -> Tensor:
        nonlocal x0, mask
        x0, mask = x0.to(x.device), mask.to(x.device)
        return ((x - x0).square() * mask).sum() / total

    return energy


def downsampled_error(
    x0: Tensor, size: tuple[int, int], factor: int, kernel: str, smooth: float = 0.0
) -> Energy:
    """E(x) = mean (d(x) − x0)² + smooth·TV(x), d the downsampling (paper, eq. 5, with smooth 0).

    Args:
        x0: the small picture, (1, C, h, w).
        size: (H, W) of x.
        factor, kernel: of the downsampling, see `images.resample.Downsample`.
        smooth: weight of the total variation.
    """
    down = downsampler(size, factor, kernel)

    def energy(x: Tensor) -> Tensor:
        nonlocal x0
        x0 = x0.to(x.device)
        error = F.mse_loss(down(x), x0)
        return error + smooth * total_variation(x) if smooth else error

    return energy


def quantization_error(constraint: JpegConstraint) -> Energy:
    """E(x) = mean max(0, |d − c·q| − q/2)², zero where x compresses to one JPEG file.

    d are the DCT coefficients of x, c·q those in the file, q their steps; see `images.jpeg`.
    """

    def energy(x: Tensor) -> Tensor:
        nonlocal constraint
        constraint = constraint.to(x.device)
        return constraint.squared_excess(x)

    return energy


@functools.lru_cache(maxsize=16)
def downsampler(size: tuple[int, int], factor: int, kernel: str) -> Downsample:
    """A `Downsample`, made once: the tiles of a picture share theirs."""
    return Downsample(size, factor, kernel)


def total_variation(x: Tensor) -> Tensor:
    """Mean over the pixels of |∇x|, the length of the gradient over both axes and all channels.

    Source: Rudin, Osher and Fatemi, Physica D 60 (1992), colour as one vector.

    >>> import torch
    >>> ramp = torch.linspace(0, 1, 11).expand(1, 1, 11, 11)
    >>> round(float(total_variation(ramp)), 2)  # a tenth at each of ten pixels out of eleven
    0.09
    """
    down = F.pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))
    right = F.pad(x[..., 1:] - x[..., :-1], (0, 1))
    return (down.square() + right.square()).sum(1).add(1e-8).sqrt().mean()
