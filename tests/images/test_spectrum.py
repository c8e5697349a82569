"""Frequency bands of a picture, against sines whose band is known."""

import math

import pytest
import torch

from dip_lite.images.spectrum import power, recovered, rings


def sine(cycles, height=64, width=64, channels=1):
    """A wave along the columns, `cycles` a pixel."""
    wave = 0.5 + 0.4 * torch.sin(2 * math.pi * cycles * torch.arange(width))
    return wave.expand(1, channels, height, width).clone()


@pytest.mark.parametrize(("cycles", "band"), [(1 / 64, 0), (9 / 64, 1), (20 / 64, 3), (31 / 64, 4)])
def test_a_sine_s_power_is_in_its_band_alone(cycles, band):
    found = power(sine(cycles))
    assert int(found.argmax()) == band
    assert float(found[band]) > 1e6 * float(found.sum() - found[band])


@pytest.mark.parametrize("size", [(64, 64), (63, 50), (40, 65)])
def test_bands_share_all_the_power_of_odd_and_even_sizes(size):
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    counts = torch.bincount(rings(*size, 4).flatten()[1:], minlength=4)
    # Parseval: the squares of the values, without each channel's mean, are those of the amplitudes
    whole = (x - x.mean((2, 3), keepdim=True)).square().sum() / 3
    assert float((power(x, 4) * counts).sum()) == pytest.approx(float(whole), rel=1e-4)
    turned = power(x.mT.contiguous(), 4)
    assert torch.allclose(turned, power(x, 4), rtol=1e-3)


def test_waves_of_both_directions_weigh_the_same():
    across, noise = sine(5 / 64), 1e-3 * torch.rand(1, 1, 64, 64)
    both = across + across.mT + noise
    for one in (across, across.mT):
        assert float(recovered(one, both, bands=4)[0]) == pytest.approx(0.5, abs=0.01)


def test_a_picture_that_lacks_high_frequencies_recovers_the_low_ones_alone():
    low, high = sine(3 / 64), sine(28 / 64)
    noise = 0.01 * torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    shares = recovered(low + noise, low + high - 0.5 + noise, bands=4)
    assert float(shares[0]) == pytest.approx(1, abs=1e-3)
    assert float(shares[3]) == pytest.approx(0, abs=1e-3)


def test_the_picture_itself_is_whole_and_brightness_does_not_count():
    x = torch.rand(1, 3, 33, 47, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(recovered(x + 0.2, x), torch.ones(5), atol=1e-4)


@pytest.mark.parametrize(
    ("words", "arguments"),
    [("one shape", (torch.rand(1, 1, 8, 8), torch.rand(1, 3, 8, 8))),
     ("one picture", (torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8))),
     ("NaN", (torch.rand(1, 1, 8, 8), torch.full((1, 1, 8, 8), float("nan")))),
     ("nothing in it", (torch.rand(1, 1, 8, 8), torch.ones(1, 1, 8, 8)))],
)  # fmt: skip
def test_what_has_no_answer_is_refused(words, arguments):
    with pytest.raises(ValueError, match=words):
        recovered(*arguments)


def test_no_bands_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        power(torch.rand(1, 1, 8, 8), bands=0)
