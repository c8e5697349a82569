"""Classical denoisers: what is known about a noisy picture before any network is fitted.

    guide = denoise_classically(x0, sigma)              # about a second at 512²
    fused = wiener(x0, sigma, pilot=(x + guide) / 2)    # x, the output of a network

All are for white Gaussian noise of standard deviation σ on the [0, 1] scale.

    nlm         non-local means (scikit-image)
    dct_hard    the DCT coefficients y of every 8×8 block, kept where |y| > 2.7σ
    wiener      the same coefficients times p² / (p² + σ²), p those of a pilot picture

A picture is covered by overlapping blocks; their estimates are averaged, blocks with fewer or
smaller coefficients weighing more. Colours are decorrelated first.

Sources: Buades, Coll and Morel (CVPR 2005); Yu and Sapiro, "DCT image denoising" (IPOL 2011);
the Wiener step with a pilot is the second stage of Dabov et al., BM3D (IEEE TIP 2007).
"""

import functools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PATCH, DISTANCE = 5, 6  # pixels: a patch's side, and how far `nlm` looks for others
REACH = DISTANCE + PATCH // 2 + 1
THRESHOLD = 2.7  # of `dct_hard`, in units of σ
STRIP = 256  # rows that are transformed at a time, to bound the memory
BLOCKS = ((8, 2), (16, 4))  # (side, stride) of the blocks of `wiener`, in pixels
# from RGB to brightness and two differences, orthonormal, so that white noise stays white
OPPONENT = ((1, 1, 1), (1, 0, -1), (1, -2, 1))

Shrink = Callable[[Tensor, Tensor | None], Tensor]


def nlm(x0: Tensor, sigma: float) -> Tensor:
    """Non-local means: every pixel a mean of those whose 5×5 surroundings look alike.

    Args:
        x0: noisy picture, (1, C, H, W) in [0, 1].
        sigma: standard deviation of its noise.

    Returns:
        (1, C, H, W) in [0, 1].
    """
    from skimage.restoration import denoise_nl_means

    noisy = x0[0].permute(1, 2, 0).cpu().double().numpy()  # MPS has no float64

    def clean(top: int, bottom: int) -> np.ndarray:
        """These rows, from a strip that reaches as far as the search does."""
        start = max(0, top - REACH)
        strip = noisy[start : bottom + REACH]
        found = denoise_nl_means(
            strip, patch_size=PATCH, patch_distance=DISTANCE, h=0.6 * sigma, sigma=sigma,
            fast_mode=True, channel_axis=-1,
        )  # fmt: skip
        found = found.reshape(strip.shape)  # grey comes back without its channel axis
        return found[top - start : bottom - start]

    height = len(noisy)
    num_strips = max(1, min(torch.get_num_threads(), height // 32))
    cuts = [height * i // num_strips for i in range(num_strips + 1)]
    with ThreadPoolExecutor(num_strips) as pool:  # scikit-image's own loop has one thread
        strips = [*pool.map(clean, cuts[:-1], cuts[1:])]
    return torch.from_numpy(np.concatenate(strips)).to(x0).permute(2, 0, 1)[None].clamp(0, 1)


def dct_hard(x0: Tensor, sigma: float, side: int = 8, stride: int = 2) -> Tensor:
    """Keeps the DCT coefficients of each block that are too large to be noise.

    Args:
        x0: noisy picture, (1, C, H, W) in [0, 1].
        sigma: standard deviation of its noise.
        side, stride: of the blocks, in pixels.

    Returns:
        (1, C, H, W) in [0, 1].
    """

    def keep(y: Tensor, pilot: Tensor | None) -> Tensor:
        return (y.abs() > THRESHOLD * sigma).to(y.dtype)

    return shrink_blocks(x0, None, keep, side, stride).clamp(0, 1)


def wiener(x0: Tensor, sigma: float, pilot: Tensor) -> Tensor:
    """Shrinks the DCT coefficients of each block by what a pilot picture says of their strength.

    Args:
        x0: noisy picture, (1, C, H, W) in [0, 1].
        sigma: standard deviation of its noise.
        pilot: an estimate of the clean picture, (1, C, H, W).

    Returns:
        (1, C, H, W) in [0, 1], the mean over 8×8 and 16×16 blocks.
    """

    def shrink(y: Tensor, p: Tensor | None) -> Tensor:
        assert p is not None
        return p.square() / (p.square() + sigma**2)

    results = [shrink_blocks(x0, pilot, shrink, side, stride) for side, stride in BLOCKS]
    return (sum(results) / len(results)).clamp(0, 1)  # type: ignore[union-attr]


def denoise_classically(x0: Tensor, sigma: float) -> Tensor:
    """The best of these together: Wiener, with the mean of `nlm` and `dct_hard` as its pilot.

    Args:
        x0: noisy picture, (1, C, H, W) in [0, 1].
        sigma: standard deviation of its noise; 0 gives x0 back.
    """
    if sigma <= 0:
        return x0.clamp(0, 1)
    return wiener(x0, sigma, (nlm(x0, sigma) + dct_hard(x0, sigma)) / 2)


def shrink_blocks(
    x0: Tensor, pilot: Tensor | None, shrink: Shrink, side: int, stride: int
) -> Tensor:
    """All blocks of a picture, strip by strip."""
    height = x0.shape[2]
    rows = STRIP // stride * stride
    out = []
    for top in range(0, height, rows):
        start, stop = max(0, top - side), min(height, top + rows + side)
        start -= start % stride  # so that strips have their blocks at the same places
        crop = [t if t is None else t[..., start:stop, :] for t in (x0, pilot)]
        assert crop[0] is not None
        strip = _shrink_strip(crop[0], crop[1], shrink, side, stride)
        out.append(strip[..., top - start : min(top + rows, height) - start, :])
    return torch.cat(out, dim=2)


def _shrink_strip(
    x0: Tensor, pilot: Tensor | None, shrink: Shrink, side: int, stride: int
) -> Tensor:
    colours, (height, width) = x0.shape[1], x0.shape[2:]
    mix, basis = _mix(colours).to(x0), dct_basis(side).to(x0)
    pad = side - stride
    more = [pad + (-(n + 2 * pad - side)) % stride for n in (height, width)]

    def transform(x: Tensor) -> Tensor:  # (1, C, H, W) → (C, side², h, w)
        mixed = torch.einsum("ij,bjhw->ibhw", mix, x)
        return F.conv2d(_reflect(mixed, pad, more), basis, stride=stride)

    y = transform(x0)
    gain = shrink(y, None if pilot is None else transform(pilot))
    gain[:, 0] = 1  # the mean of a block is kept
    weight = 1 / gain.square().sum(1, keepdim=True)
    total = F.conv_transpose2d(y * gain * weight, basis, stride=stride)
    ones = torch.ones(1, 1, side, side).to(x0)
    count = F.conv_transpose2d(weight, ones, stride=stride)
    means = (total / count)[..., pad : pad + height, pad : pad + width]
    return torch.einsum("ij,ibhw->bjhw", mix, means)


def _reflect(x: Tensor, before: int, after: list[int]) -> Tensor:
    """Padded by reflection, to and fro in pictures smaller than the padding."""
    for dim, more in zip((2, 3), after, strict=True):
        length = x.shape[dim]
        period = max(2 * (length - 1), 1)
        index = torch.arange(-before, length + more, device=x.device).remainder(period)
        x = x.index_select(dim, torch.where(index < length, index, period - index))
    return x


@functools.lru_cache(maxsize=4)
def dct_basis(side: int) -> Tensor:
    """The orthonormal DCT-II of a block as convolution kernels, (side², 1, side, side)."""
    k = torch.arange(side, dtype=torch.float64)
    rows = torch.cos(math.pi * (2 * k + 1) * k[:, None] / (2 * side)) * math.sqrt(2 / side)
    rows[0] /= math.sqrt(2)
    return torch.einsum("ij,kl->ikjl", rows, rows).reshape(side * side, 1, side, side)


def _mix(colours: int) -> Tensor:
    """Orthonormal colour decorrelation, (C, C)."""
    if colours == 1:
        return torch.ones(1, 1)
    return F.normalize(torch.tensor(OPPONENT, dtype=torch.float64), dim=1)
