"""JPEG's blocks go, in whole pictures and in windows, in colour and in grey."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from dip_lite import psnr, remove_jpeg, sample
from dip_lite.engine.loop import fit
from dip_lite.images.degrade import jpeg
from dip_lite.tasks.presets import PRESET_NAMES

ASTRONAUT = sample("astronaut")[:, :, 80:176, 170:266]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_photograph_at_quality_10_gets_better() -> None:
    x0 = jpeg(ASTRONAUT, 10)
    *_, last = fit(remove_jpeg(x0, preset="tiny"), steps=150, device="cpu")
    # measured, seeds 0 to 4: 0.40, 0.51, 0.73, 0.55, 0.61 dB
    assert psnr(last.best, ASTRONAUT) > psnr(x0, ASTRONAUT) + 0.2


def test_steps_between_blocks_get_lower() -> None:
    """Differences across the 8×8 borders against those inside: 1 where there are no blocks."""

    def blocks(x: torch.Tensor) -> float:
        steps = (x[..., 1:] - x[..., :-1]).abs().mean(dim=(0, 1, 2))
        border = torch.arange(len(steps)) % 8 == 7
        return float(steps[border].mean() / steps[~border].mean())

    x0 = jpeg(ASTRONAUT, 10)
    *_, last = fit(remove_jpeg(x0, preset="tiny"), steps=100, device="cpu")
    # measured: 1.15 in the clean picture, 2.48 in x0, 1.48 to 1.56 after, seeds 0 to 4
    assert blocks(last.best) < 1.75 and blocks(x0) > 2.2


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_the_energy_is_the_squared_distance(preset: str) -> None:
    x0 = torch.rand(1, 3, 32, 32, generator=rng(1))
    x = torch.rand(1, 3, 32, 32, generator=rng(2))
    _, energy = remove_jpeg(x0, preset=preset).sample_step(rng())
    assert float(energy(x)) == pytest.approx(float((x - x0).square().mean()), rel=1e-5)


def test_only_the_papers_input_has_no_trace_of_the_picture() -> None:
    pictures = [torch.rand(1, 3, 32, 32, generator=rng(seed)) for seed in (1, 2)]
    for preset in PRESET_NAMES:
        first, second = (remove_jpeg(x0, preset=preset).sample_step(rng())[0] for x0 in pictures)
        assert torch.equal(first, second) == (preset == "paper")


def test_what_is_shown_is_hazy_anew_at_every_step() -> None:
    task = remove_jpeg(ASTRONAUT, preset="tiny")
    generator = rng()
    # beside z, of which the first 12 are the pixels in 2×2 blocks, four times as large
    first, second = (task.sample_step(generator)[0][:, task.z.shape[1] :][:, :12] for _ in range(2))
    guide_noise_std = float((first - second).std()) / 4 / 2**0.5
    assert guide_noise_std == pytest.approx(20 / 255, rel=0.03)
    assert torch.equal(task.sample_step(rng(3))[0], task.sample_step(rng(3))[0])


def test_a_large_picture_is_cleaned_in_windows(small_tiles: Callable[[int], None]) -> None:
    small_tiles(96)
    x_true = sample("chelsea")[..., 60:211, 100:283]  # 151 × 183: odd, and no multiple of 8
    x0 = jpeg(x_true, 10)
    task = remove_jpeg(x0, preset="tiny")
    assert task.num_tiles > 3
    first, *_, last = fit(task, steps=30 * task.num_tiles, device="cpu")
    assert torch.equal(first.x, x0) and last.best.shape == x0.shape
    # measured, seeds 0 to 4: 0.20, 0.22, 0.25, 0.21, 0.29 dB
    assert psnr(last.best, x_true) > psnr(x0, x_true) + 0.08


def test_the_paper_preset_has_the_authors_numbers() -> None:
    task = remove_jpeg(ASTRONAUT, preset="paper")
    settings = task.settings
    assert (settings.optimiser, settings.lr, settings.steps) == ("adam", 0.01, 2400)
    assert (task.reg_noise_std, task.z.shape) == (1 / 30, (1, 3, 96, 96))
    assert 0 <= float(task.z.min()) and float(task.z.max()) <= 0.1
    convs = [m for m in task.net().modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convs if m.stride == (2, 2)] == [8, 16, 32, 64, 128]


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 2, 32, 32), (1, 1, 15, 40)])
def test_other_shapes_are_refused_and_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="x0 must be one picture") as caught:
        remove_jpeg(torch.zeros(shape), preset="tiny")
    assert str(shape) in str(caught.value)


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ValueError, match="fast, paper, tiny, got 'slow'"):
        remove_jpeg(ASTRONAUT, preset="slow")
