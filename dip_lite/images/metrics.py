"""How close is an estimate to the clean picture?

    PSNR = 10·log10(1 / MSE),  MSE = mean (x − x_true)²

PSNR counts every pixel's error alike; SSIM compares means, contrasts and structure in sliding
7×7 windows, nearer to what the eye does. Both take pictures on the [0, 1] scale as they are:
nothing is clamped, and a value outside counts as the error it is.

    psnr(x, x_true)        # dB; 30 is good for denoising at sigma 25/255
    ssim(x, x_true)        # 1 is identical

Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to
structural similarity", IEEE TIP 2004; computed by scikit-image. PSNR is asked for in loops and is
one line, so it is done here; a test holds it to scikit-image's.
"""

import math

import torch
from torch import Tensor


def mse(x: Tensor, x_true: Tensor) -> float:
    """Mean squared error, summed in float64.

    Raises:
        ValueError: shapes differ; the message gives both.

    >>> mse(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))
    1.0
    """
    _check_shapes(x, x_true)
    a, b = (t.detach().cpu().to(torch.float64) for t in (x, x_true))
    return float((a - b).square().mean())


def psnr(x: Tensor, x_true: Tensor) -> float:
    """Peak signal-to-noise ratio in dB; higher is closer.

    Args:
        x: estimate, (1, C, H, W) in [0, 1].
        x_true: clean reference, same shape.

    Returns:
        10·log10(1 / MSE), infinity when the two agree.

    Raises:
        ValueError: shapes differ; the message gives both.

    >>> round(psnr(torch.full((1, 1, 2, 2), 0.1), torch.zeros(1, 1, 2, 2)), 3)
    20.0
    """
    error = mse(x, x_true)
    return -10 * math.log10(error) if error else math.inf


def ssim(x: Tensor, x_true: Tensor) -> float:
    """Structural similarity, mean over pixels and channels; 1 for identical pictures.

    Args:
        x: estimate, (1, C, H, W) in [0, 1], at least 7 pixels a side.
        x_true: clean reference, same shape.

    Returns:
        scikit-image's value for a uniform 7×7 window, between -1 and 1.

    Raises:
        ValueError: shapes differ or hold more than one picture; the message gives them.

    >>> ssim(torch.eye(16).view(1, 1, 16, 16), torch.eye(16).view(1, 1, 16, 16))
    1.0
    """
    _check_shapes(x, x_true)
    if x.ndim != 4 or x.shape[0] != 1:
        raise ValueError(f"ssim compares two pictures (1, C, H, W), got {tuple(x.shape)}")
    from skimage.metrics import structural_similarity

    a, b = (t.detach().cpu().double()[0].numpy() for t in (x, x_true))  # (C, H, W)
    return float(structural_similarity(a, b, data_range=1.0, channel_axis=0))


def _check_shapes(x: Tensor, x_true: Tensor) -> None:
    if x.shape != x_true.shape:
        raise ValueError(f"shapes differ: x {tuple(x.shape)}, x_true {tuple(x_true.shape)}")
