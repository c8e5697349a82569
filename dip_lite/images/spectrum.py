"""What of a picture a network has learnt, frequency band by frequency band.

    recovered(x, x0, bands=5)      # tensor([0.99, 0.93, 0.61, 0.12, 0.01]): low bands come first

The bands are rings of equal width in the plane of spatial frequencies, from 0 to half a cycle a
pixel. That a deep image prior fits low frequencies first is measured so in Chakrabarty and Maji,
"The Spectral Bias of the Deep Image Prior" (2019), and Shi, Mettes, Maji and Snoek, "On Measuring
and Controlling the Spectral Bias of the Deep Image Prior" (IJCV 2022).
"""

import torch
from torch import Tensor


def rings(height: int, width: int, bands: int) -> Tensor:
    """The band of every frequency, (H, W), from 0 to `bands` − 1.

    The corners, beyond half a cycle a pixel, belong to the last.

    Args:
        height, width: of the picture, in pixels; the order is that of `torch.fft.fft2`.
        bands: how many rings.

    Raises:
        ValueError: no bands.
    """
    if bands < 1:
        raise ValueError(f"bands must be at least 1, got {bands}")
    down, across = torch.fft.fftfreq(height), torch.fft.fftfreq(width)  # cycles a pixel
    radius = (down[:, None].square() + across.square()).sqrt()
    return (2 * bands * radius).long().clamp(max=bands - 1)


def power(x: Tensor, bands: int = 5) -> Tensor:
    """Mean squared amplitude of every band but for the picture's mean, (bands,).

    Args:
        x: picture, (1, C, H, W).
        bands: how many rings.

    Raises:
        ValueError: another shape, values that are not finite, no bands.

    >>> flat = power(torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(0)))
    >>> bool(flat.max() < 1.2 * flat.min())  # white noise has as much in every band
    True
    """
    ring = rings(x.shape[2], x.shape[3], bands)
    return _mean_by_ring(_amplitudes(x).abs().square(), ring, bands)


def recovered(x: Tensor, x0: Tensor, bands: int = 5) -> Tensor:
    """The share of every band of x0 that x holds, 1 − Σ|x̂ − x̂0|² / Σ|x̂0|², (bands,).

    1 where they agree, 0 for a picture without that band; below 0 where x has something else there.

    Args:
        x, x0: (1, C, H, W), of one shape; their means are left out.

    Raises:
        ValueError: the shapes differ or are others, values that are not finite, a flat x0.

    >>> x0 = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> recovered(0.5 * x0, x0, bands=2)
    tensor([0.7500, 0.7500])
    """
    if x.shape != x0.shape:
        raise ValueError(f"the pictures must have one shape, got {(*x.shape,)} and {(*x0.shape,)}")
    whole, ring = _amplitudes(x0), rings(x.shape[2], x.shape[3], bands)
    there = _mean_by_ring(whole.abs().square(), ring, bands)
    if not bool((there > 0).all()):
        raise ValueError("x0 has a band with nothing in it: what share of it x holds is undefined")
    return 1 - _mean_by_ring((_amplitudes(x) - whole).abs().square(), ring, bands) / there


def _amplitudes(x: Tensor) -> Tensor:
    """(1, C, H, W) → (C, H, W), of unit mean square for white noise of unit variance."""
    if x.ndim != 4 or x.shape[0] != 1:
        raise ValueError(f"expected one picture (1, C, H, W), got shape {(*x.shape,)}")
    if not bool(torch.isfinite(x).all()):
        raise ValueError("the picture has values that are NaN or infinite")
    x = x.detach().float().cpu()
    return torch.fft.fft2(x - x.mean(dim=(2, 3), keepdim=True), norm="ortho")[0]


def _mean_by_ring(values: Tensor, ring: Tensor, bands: int) -> Tensor:
    """(C, H, W) → (bands,), without frequency 0."""
    flat, where = values.mean(0).flatten()[1:], ring.flatten()[1:]
    sums = torch.zeros(bands).index_add_(0, where, flat)
    return sums / torch.bincount(where, minlength=bands).clamp(min=1)
