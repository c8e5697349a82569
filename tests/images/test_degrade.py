"""Each kind of damage does what it says, repeats, and leaves the global seed alone."""

from __future__ import annotations

import pytest
import torch

from dip_lite.images.degrade import drop_pixels, jpeg, shuffle_pixels, white_noise
from dip_lite.images.metrics import psnr
from dip_lite.images.samples import sample

GREY = torch.full((1, 3, 128, 128), 0.5)

RANDOM = {
    "shuffle_pixels": lambda seed: shuffle_pixels(white_noise(GREY, 7), seed),
    "white_noise": lambda seed: white_noise(GREY, seed),
    "drop_pixels": lambda seed: drop_pixels(GREY, 0.5, seed)[1],
}


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_repeats_and_another_differs(name: str) -> None:
    degrade = RANDOM[name]
    assert torch.equal(degrade(3), degrade(3))
    assert not torch.equal(degrade(3), degrade(4))


@pytest.mark.parametrize("name", RANDOM)
def test_the_global_generator_is_left_alone(name: str) -> None:
    before = torch.get_rng_state()
    RANDOM[name](0)
    assert torch.equal(torch.get_rng_state(), before)


def test_jpeg_loses_more_at_lower_quality() -> None:
    x = sample("coffee")[..., :101, :151]
    good, bad = jpeg(x, 90), jpeg(x, 10)
    assert good.shape == bad.shape == x.shape
    assert good.dtype == torch.float32
    assert psnr(good, x) > psnr(bad, x) + 5
    assert psnr(bad, x) > 20


def test_jpeg_keeps_grey_grey() -> None:
    assert jpeg(sample("camera")[..., :64, :64], 50).shape == (1, 1, 64, 64)


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_jpeg_quality_outside_its_range_is_refused(quality: int) -> None:
    with pytest.raises(ValueError, match=r"quality must be in 1\.\.100, got"):
        jpeg(GREY, quality)


@pytest.mark.parametrize("fraction", [0, 0.1, 0.29, 0.5, 0.9, 0.999999])
def test_the_asked_share_of_pixels_is_lost(fraction: float) -> None:
    x = torch.ones(1, 3, 20, 25)
    x0, mask = drop_pixels(x, fraction)
    assert mask.shape == (1, 1, 20, 25)
    assert set(mask.unique().tolist()) <= {0, 1}
    assert int((mask == 0).sum()) == min(round(fraction * 500), 499)
    assert torch.equal(x0, mask.expand_as(x))  # every channel, and black where lost


@pytest.mark.parametrize("fraction", [1, -0.1, 50, float("nan")])
def test_a_fraction_that_leaves_nothing_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"fraction must be in \[0, 1\), got"):
        drop_pixels(GREY, fraction)


def test_shuffling_moves_whole_pixels() -> None:
    x = white_noise(torch.empty(1, 3, 17, 23))
    shuffled = shuffle_pixels(x)
    assert shuffled.shape == x.shape
    pixels = {tuple(p) for p in x[0].flatten(1).T.tolist()}
    assert {tuple(p) for p in shuffled[0].flatten(1).T.tolist()} == pixels
    assert not torch.equal(shuffled, x)


def test_shuffling_does_not_care_for_memory_layout() -> None:
    x = white_noise(torch.empty(1, 3, 17, 23))
    other = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(shuffle_pixels(x), shuffle_pixels(other))


def test_white_noise_is_uniform() -> None:
    x = white_noise(GREY)
    assert x.shape == GREY.shape
    assert 0 <= float(x.min()) < 0.01 and 0.99 < float(x.max()) <= 1
    assert float(x.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(x.std()) == pytest.approx(12**-0.5, rel=0.02)


def test_the_input_is_never_changed() -> None:
    x = white_noise(GREY)
    kept = x.clone()
    jpeg(x, 50), drop_pixels(x, 0.5), shuffle_pixels(x)
    assert torch.equal(x, kept)
