"""Diagrams show real tensors and real runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dip_lite import add_noise, prior, sample, watch
from dip_lite.engine.loop import Snapshot
from dip_lite.nets.hourglass import Hourglass
from dip_lite.viz.diagrams import draw_hourglass, plot_paths, tensor_sizes
from tests.viz.test_plots import figure_text

LIGHT = Hourglass((16, 32), 4, "nearest", "zeros", head_channels=8)


def snapshot(step: int, x: torch.Tensor) -> Snapshot:
    return Snapshot(
        step=step, seconds=0.0, loss=0.0, x=x, x_avg=x, variance=0.0, best=x, best_step=step,
        network=x,
    )  # fmt: skip


@pytest.mark.parametrize("upsample", ["nearest", "bilinear"])
def test_the_sizes_are_those_of_a_forward_pass(upsample: str) -> None:
    state = torch.get_rng_state()
    sizes = tensor_sizes(Hourglass((16, 32), 4, upsample), c_in=5, c_out=3, size=(32, 64))
    assert sizes == {
        "z": (5, 32, 64), "down 1": (16, 16, 32), "down 2": (32, 8, 16), "skip 2": (4, 16, 32),
        "up 2": (32, 16, 32), "skip 1": (4, 32, 64), "up 1": (16, 32, 64), "x": (3, 32, 64),
    }  # fmt: skip
    assert torch.equal(torch.get_rng_state(), state)


def test_every_tensor_is_a_box_with_its_size() -> None:
    fig = draw_hourglass(LIGHT, 8, 3, (64, 64))
    text = figure_text(fig)
    for name in ("8 × 32 × 32", "16 × 16 × 16", "32 × 8 × 8", "skip 2: 4 × 16 × 16", "3 × 64 × 64"):
        assert name in text
    assert len(fig.axes[0].patches) == 6
    bare = draw_hourglass(Hourglass((16, 32), skip=0), 8, 3, (64, 64))
    assert "skip 1" not in figure_text(bare)


def test_a_size_that_the_network_would_pad_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8, got 64 and 60"):
        draw_hourglass(LIGHT, 8, 3, (64, 60))


def lines(fig: Any) -> dict[str, Any]:
    return {line.get_label(): line.get_xydata() for line in fig.axes[0].lines}


def test_distances_in_the_plane_are_those_between_pictures() -> None:
    """x0 at the origin, the clean picture 1 from it, whatever lies in their plane where it is."""
    rng = torch.Generator().manual_seed(0)
    x0, x_true, start = torch.rand(3, 1, 3, 16, 16, generator=rng)
    between = (x0 + x_true) / 2
    snaps = [snapshot(0, start), snapshot(1, between), snapshot(10, x_true), snapshot(30, x0)]
    fig = plot_paths({"run": snaps}, x_true, x0)
    spots = lines(fig)["run"]
    unit = float((x_true - x0).norm())
    assert np.linalg.norm(spots[0]) == pytest.approx(float((start - x0).norm()) / unit, rel=1e-4)
    assert np.allclose(spots[1:], [[0.5, 0], [1, 0], [0, 0]], atol=1e-5)
    assert "step 10: 0.00 from the clean picture" in figure_text(fig)


def test_a_network_passes_nearer_to_the_clean_picture_than_bare_pixels() -> None:
    x_true = sample("coffee")[..., 150:214, 250:314]
    x0 = add_noise(x_true, 0.1)
    near = {}
    for net in ("depth-3", "pixels"):
        snaps = watch(prior(x0, net=net, optimiser="adam"), steps=120)
        spots = lines(plot_paths({net: snaps}, x_true, x0))[net]
        near[net] = np.linalg.norm(spots - [1, 0], axis=1).min()
    assert near["depth-3"] < 0.8 * near["pixels"], near


def test_no_run_and_another_shape_are_refused() -> None:
    x = torch.zeros(1, 3, 16, 16)
    with pytest.raises(ValueError, match="at least one snapshot"):
        plot_paths({"a": []}, x, x)
    with pytest.raises(ValueError, match=r"one shape, got \(1, 3, 16, 16\)"):
        plot_paths({"a": [snapshot(0, x)]}, x[..., :8], x)
