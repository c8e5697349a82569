"""Projections agree with scikit-image's; the way back finds the slice again."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage.data import shepp_logan_phantom
from skimage.transform import radon as skimage_radon

from dip_lite.images.metrics import psnr
from dip_lite.images.tomography import Radon, filtered_back_projection

ANGLES = torch.arange(0, 180, 7.0)


def phantom(side):
    x = torch.from_numpy(shepp_logan_phantom()).float()[None, None]
    return F.interpolate(x, (side, side), mode="bilinear", antialias=True)


@pytest.mark.parametrize("side", [64, 65])
def test_it_is_the_projection_of_scikit_image(side):
    x = phantom(side)
    ours = Radon(side, ANGLES)(x)[0, 0].T.numpy() * side  # (N, A), sums
    theirs = skimage_radon(x[0, 0].double().numpy(), ANGLES.numpy(), circle=True)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 0.005 * theirs.max()


def test_it_is_linear_and_its_gradient_is_the_adjoint():
    radon, rng = Radon(32, ANGLES), torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, 32, 32, generator=rng, dtype=torch.float64).requires_grad_()
    y = torch.rand(1, 1, len(ANGLES), 32, generator=rng, dtype=torch.float64)
    (radon(x) * y).sum().backward()
    assert torch.allclose((x.grad * x).sum(), (radon(x) * y).sum())
    assert torch.allclose(radon(3 * x), 3 * radon(x))


def test_many_angles_give_the_slice_back_and_few_do_not():
    x, found = phantom(64), {}
    for count in (90, 9):
        radon = Radon(64, torch.arange(count) * 180 / count)
        found[count] = psnr(filtered_back_projection(radon(x), radon.angles), x)
    assert found[90] > 26 and found[90] > found[9] + 6, found


def test_a_smoother_window_is_better_for_noise():
    x, radon = phantom(64), Radon(64, torch.arange(0, 180, 3.0))
    noisy = radon(x)
    noisy = noisy + 0.04 * torch.randn(noisy.shape, generator=torch.Generator().manual_seed(0))
    plain, smooth = (
        psnr(filtered_back_projection(noisy, radon.angles, window), x)
        for window in ("ramp", "hann")
    )
    assert smooth > plain + 1


def test_another_slice_or_no_angle_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 1, 32, 32\), got \(1, 3, 32, 32\)"):
        Radon(32, ANGLES)(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match="0 angles"):
        Radon(32, torch.zeros(0))
