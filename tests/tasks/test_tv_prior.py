"""The TV norm is what it says, and its minimum is the one that scikit-image finds."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from skimage.restoration import denoise_tv_chambolle
from torch import Tensor

from dip_lite import add_noise, psnr, sample, tv
from dip_lite.engine.loop import Snapshot, fit
from dip_lite.engine.task import Task
from dip_lite.images.degrade import drop_pixels
from dip_lite.images.masks import fill
from dip_lite.images.resample import Downsample, upsample
from dip_lite.tasks.energies import total_variation
from dip_lite.tasks.tv_prior import Pixels

CAMERA = sample("camera")[..., 80:176, 200:296]
NOISY = add_noise(CAMERA, 25 / 255)


def end(task: Task, steps: int = 150) -> Snapshot:
    return [*fit(task, steps=steps, device="cpu")][-1]


# --- the norm


def test_a_ramp_has_its_slope() -> None:
    ramp = 0.01 * torch.arange(20.0)
    across, down = ramp.expand(1, 1, 20, 20), ramp[:, None].expand(1, 1, 20, 20)
    # 20 rows of 19 steps of 0.01, over 400 pixels; each of the others adds the root of 1e-8
    expected = (380 * math.hypot(0.01, 1e-4) + 20 * 1e-4) / 400
    assert float(total_variation(across)) == pytest.approx(expected, rel=1e-4)
    assert float(total_variation(down)) == pytest.approx(expected, rel=1e-4)


def test_the_gradient_has_one_length_over_axes_and_colours() -> None:
    ramp = 0.01 * torch.arange(20.0)
    slope = ramp + ramp[:, None]  # 0.01 along both axes
    x = torch.stack([slope, 2 * slope, 0 * slope])[None]
    both = 0.01 * math.sqrt(2 * (1 + 4))
    last = 0.01 * math.sqrt(1 + 4)  # the last row and column have one neighbour only
    expected = (361 * both + 38 * last + 1e-4) / 400
    assert float(total_variation(x)) == pytest.approx(expected, rel=1e-3)


def test_a_flat_picture_has_nearly_none_and_a_gradient_all_the_same() -> None:
    x = torch.full((1, 3, 16, 16), 0.5, requires_grad=True)
    value = total_variation(x)
    value.backward()
    assert 0 <= float(value.detach()) < 2e-4
    assert x.grad is not None and torch.isfinite(x.grad).all()


# --- its minimum


@pytest.mark.parametrize("weight", [0.05, 0.1])
def test_grey_converges_to_the_minimum_of_scikit_image(weight: float) -> None:
    """Theirs is |∇x| + (x − x0)² / (2·weight), summed: ours at twice the weight."""
    theirs = denoise_tv_chambolle(NOISY[0, 0].numpy(), weight, eps=1e-6, max_num_iter=1000)
    x = end(tv(NOISY, 2 * weight)).best
    reference = torch.from_numpy(theirs)[None, None]
    # measured, noise seeds 0 to 4: 59.4 to 60.1 dB apart at 0.05 and 49.5 to 54.3 at 0.1
    assert psnr(x, reference) > 45
    assert psnr(x, CAMERA) == pytest.approx(psnr(reference, CAMERA), abs=0.2)
    assert psnr(x, CAMERA) > psnr(NOISY, CAMERA) + 5


def test_no_weight_returns_the_picture() -> None:
    assert torch.equal(end(tv(NOISY, weight=0), 20).best, NOISY)


def test_a_larger_weight_leaves_less_of_the_norm() -> None:
    left = [float(total_variation(end(tv(NOISY, weight)).best)) for weight in (0, 0.03, 0.1, 0.3)]
    assert all(less < 0.9 * more for more, less in itertools.pairwise(left))


def test_the_energy_is_the_distance_and_the_norm() -> None:
    x = CAMERA.flip(3)
    expected = float((x - NOISY).square().mean() + 0.2 * total_variation(x))
    assert float(tv(NOISY, 0.2).energy(x)) == pytest.approx(expected, rel=1e-5)


def test_colours_are_smoothed_together() -> None:
    x_true = sample("astronaut")[:, :, 80:176, 170:266]
    x0 = add_noise(x_true, 25 / 255)
    # measured, noise seeds 0 to 4: 6.84, 6.71, 6.88, 6.84, 6.71 dB
    assert psnr(end(tv(x0, 0.05)).best, x_true) > psnr(x0, x_true) + 5


# --- other data


def test_missing_pixels_are_filled_and_not_looked_at() -> None:
    x0, mask = drop_pixels(CAMERA, 0.5)
    first, *_, last = fit(tv(x0, 0.003, mask=mask), steps=150, device="cpu")
    assert torch.equal(first.x, fill(x0, mask))
    # measured, seeds 0 to 4: 0.59, 0.41, 0.71, -0.42, 1.53 dB
    assert psnr(last.best, CAMERA) > psnr(fill(x0, mask), CAMERA) - 1
    other = torch.where(mask > 0, x0, 1.0)
    assert torch.equal(end(tv(other, 0.003, mask=mask), 5).x, end(tv(x0, 0.003, mask=mask), 5).x)


def test_any_data_term_and_size() -> None:
    down = Downsample((96, 96), 4)
    x0 = down(CAMERA).clamp(0, 1)

    def data(x: Tensor) -> Tensor:
        return (down(x) - x0).square().mean()

    start = upsample(x0, 4)
    last = end(tv(x0, 3e-4, data=data, start=start), 300)
    assert last.best.shape == CAMERA.shape
    assert psnr(last.best, CAMERA) > psnr(start, CAMERA) + 0.8  # measured: 1.33 dB


def test_the_pixels_start_as_a_copy_and_their_output_is_one() -> None:
    start = CAMERA.clone()
    pixels = Pixels(start)
    x = pixels(torch.zeros(1))
    with torch.no_grad():
        pixels.x.zero_()
    assert torch.equal(start, CAMERA) and torch.equal(x, CAMERA)


# --- refusals


@pytest.mark.parametrize("weight", [-1.0, math.nan])
def test_a_weight_below_zero_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match=f"weight must be ≥ 0, got {weight}"):
        tv(NOISY, weight)


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="the mask must be float of shape"):
        tv(NOISY, mask=torch.ones(1, 1, 96, 95))
