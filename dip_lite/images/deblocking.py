"""JPEG artifacts removed by a classical method, from what the file says.

    x = deblock_classically(x0, read_jpeg("photo.jpg"))        # about two seconds at 512²

In turn: denoise as if the artifacts were noise; move every DCT coefficient back to what the file
allows; let the brightness, which JPEG keeps better, guide the colors.

Sources: alternating with the projection, Zakhor (IEEE TCSVT 1992); the filter of the colors, He,
Sun and Tang, "Guided image filtering" (PAMI 2013).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .classical import denoise_classically
from .jpeg import JpegConstraint, from_ycc, pad_blocks, to_ycc

NOISE = 2.6 / 255  # σ that stands for artifacts at a step of 1 grey level; it grows as its root
SECOND = 0.6  # of that, in the second denoising
FREE = 0.3  # of a step to each side that a coefficient may move; most are near the center
RADII = (3, 2)  # samples of Cb and Cr, of the windows of `guide_colors`, in turn
SMOOTHNESS = 30.0  # grey levels², of contrasts in brightness that colors do not follow


def deblock_classically(x0: Tensor, constraint: JpegConstraint) -> Tensor:
    """Removes the artifacts of a JPEG file.

    Args:
        x0: the decoded picture, (1, C, H, W) in [0, 1].
        constraint: of its file.

    Returns:
        (1, C, H, W) in [0, 1].
    """
    sigma, x = equivalent_sigma(constraint), x0
    for level in (sigma, SECOND * sigma):
        x = constraint.project(denoise_classically(x, level), FREE)
    if x.shape[1] == 1:
        return x
    for radius in RADII:
        guided = guide_colors(constraint.turn_back(x), constraint.chroma, radius)
        x = constraint.project(constraint.turn(guided), FREE)
    return x


def equivalent_sigma(constraint: JpegConstraint) -> float:
    """Standard deviation of the noise that is removed best as JPEG's artifacts are, on [0, 1]."""
    return NOISE * math.sqrt(constraint.luma_step)


def guide_colors(x: Tensor, chroma: tuple[int, int], radius: int) -> Tensor:
    """Cb and Cr as they follow from Y nearby: in every window c ≈ a·y + b, by least squares.

    Args:
        x: (1, 3, H, W) in [0, 1].
        chroma: rows and columns of pixels per sample of Cb and Cr, at which a and b are fitted.
        radius: of the windows, in such samples.
    """
    ycc = to_ycc(x)
    small = F.avg_pool2d(pad_blocks(ycc, *chroma), chroma)
    y, c = small[:, :1], small[:, 1:]
    mean_y, mean_c = _window_means(y, radius), _window_means(c, radius)
    variance = _window_means(y * y, radius) - mean_y.square()
    slope = (_window_means(y * c, radius) - mean_y * mean_c) / (variance.clamp(min=0) + SMOOTHNESS)
    lines = torch.cat([slope, mean_c - slope * mean_y], 1)
    lines = F.interpolate(_window_means(lines, radius), scale_factor=chroma, mode="bilinear")
    a, b = lines[..., : x.shape[2], : x.shape[3]].split(2, 1)
    return from_ycc(torch.cat([ycc[:, :1], a * ycc[:, :1] + b], 1))


def _window_means(values: Tensor, radius: int) -> Tensor:
    return F.avg_pool2d(values, 2 * radius + 1, 1, radius, count_include_pad=False)
