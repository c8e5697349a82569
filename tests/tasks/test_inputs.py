"""From a picture to padding, z and tiles, in one visit."""

from collections.abc import Callable

import pytest
import torch

from dip_lite import sample
from dip_lite.tasks.energies import squared_error
from dip_lite.tasks.inputs import KINDS, Guided, guide_features, make_input, prepare
from dip_lite.tasks.presets import FAST, PAPER, TINY

X = sample("chelsea")[..., 60:151, 100:193]  # 91 × 93


@pytest.mark.parametrize("preset", [FAST, PAPER, TINY])
def test_everything_fits_the_network_of_the_preset(preset) -> None:
    prepared = prepare(X, preset)
    divisor, stride = preset.architecture.size_divisor, preset.architecture.stride
    height, width = prepared.padded.shape[2:]
    assert prepared.size == (91, 93) and height % divisor == width % divisor == 0
    assert torch.equal(prepared.padded[..., :91, :93], X)
    assert prepared.z.shape == (1, preset.z_channels, height // stride, width // stride)
    assert prepared.windows == []
    task = prepared.task(squared_error(X), "test")
    assert task.net()(task.z).shape == prepared.padded.shape
    assert (task.name, task.preset, task.settings) == ("test", preset.name, preset.settings)


def test_tiles_start_where_they_are_asked_to(small_tiles: Callable[[int], None]) -> None:
    small_tiles(64)
    prepared = prepare(X, TINY, align=3)
    assert len(prepared.windows) > 1
    assert all(w.start % 3 == w.stop % 3 == 0 for window in prepared.windows for w in window)
    task = prepared.task(squared_error(X), "test", Guided)
    assert task.num_tiles == len(prepared.windows)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_input_is_at_the_networks_resolution(kind: str) -> None:
    padded = torch.rand(1, 3, 32, 64)
    z = make_input(kind, padded, stride=1 if kind == "picture" else 2, channels=5, seed=0)
    channels = {"grid": 2, "meshgrid": 2, "picture": 3}.get(kind, 5)
    assert z.shape == ((1, 3, 32, 64) if kind == "picture" else (1, channels, 16, 32))
    again = make_input(kind, padded, stride=1 if kind == "picture" else 2, channels=5, seed=0)
    assert torch.equal(z, again)


def test_an_unknown_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"z must be one of normal, .* got 'noise'"):
        make_input("noise", X, 1, 4, 0)


def test_a_guide_tells_pixels_and_means() -> None:
    features = guide_features(torch.full((1, 3, 16, 16), 0.75))
    assert features.shape == (1, 18, 8, 8)
    assert torch.allclose(features, torch.ones(()))  # 4·(0.75 − 0.5)
