"""PSNR against a NumPy one-liner and scikit-image; SSIM's ends and shapes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from dip_lite.images.metrics import mse, psnr, ssim


def pair(channels: int = 3, sigma: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(1)
    x_true = torch.rand(1, channels, 24, 31, generator=g)
    return x_true + sigma * torch.randn(x_true.shape, generator=g), x_true


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [1e-4, 0.1, 2.0])
def test_psnr_agrees_with_numpy_and_scikit_image(channels: int, sigma: float) -> None:
    from skimage.metrics import peak_signal_noise_ratio

    x, x_true = pair(channels, sigma)
    a, b = x.numpy().astype(np.float64), x_true.numpy().astype(np.float64)
    assert psnr(x, x_true) == pytest.approx(10 * np.log10(1 / np.mean((a - b) ** 2)), abs=1e-9)
    theirs = peak_signal_noise_ratio(b, a, data_range=1.0)
    assert psnr(x, x_true) == pytest.approx(theirs, abs=1e-6)


def test_a_known_error_has_the_known_psnr() -> None:
    black = torch.zeros(1, 1, 16, 16)
    assert mse(black + 0.5, black) == 0.25
    assert psnr(black + 0.1, black) == pytest.approx(20, abs=1e-5)
    assert psnr(black + 0.01, black) == pytest.approx(40, abs=1e-5)


def test_identical_pictures_are_infinitely_close() -> None:
    x, _ = pair()
    assert psnr(x, x.clone()) == math.inf
    assert mse(x, x.clone()) == 0
    assert ssim(x, x.clone()) == pytest.approx(1)


def test_nothing_is_clamped() -> None:
    x_true = torch.ones(1, 1, 16, 16)
    assert mse(x_true + 1, x_true) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_scikit_images_mean_over_channels(channels: int) -> None:
    from skimage.metrics import structural_similarity

    x, x_true = pair(channels)
    a, b = x[0].double().numpy(), x_true[0].double().numpy()
    each = [structural_similarity(a[c], b[c], data_range=1.0) for c in range(channels)]
    assert ssim(x, x_true) == pytest.approx(np.mean(each), abs=1e-9)


def test_more_noise_is_worse_by_both() -> None:
    near, far = pair(sigma=0.05), pair(sigma=0.2)
    assert psnr(*near) > psnr(*far)
    assert ssim(*near) > ssim(*far)


def test_a_picture_with_a_gradient_is_measured() -> None:
    x, x_true = pair()
    assert psnr(x.requires_grad_(), x_true) > 0
    assert ssim(x, x_true) > 0


@pytest.mark.parametrize("measure", [mse, psnr, ssim])
def test_shapes_that_differ_are_both_named(measure: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match=r"\(1, 3, 16, 16\).*\(1, 1, 16, 16\)"):
        measure(torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16))


def test_ssim_takes_one_picture_at_a_time() -> None:
    with pytest.raises(ValueError, match=r"got \(2, 1, 16, 16\)"):
        ssim(torch.zeros(2, 1, 16, 16), torch.zeros(2, 1, 16, 16))
