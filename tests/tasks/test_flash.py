"""A dim picture is denoised with the edges of a flash picture, and keeps its own light."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dip_lite import PictureError, add_noise, flash_no_flash, psnr, sample
from dip_lite.engine.loop import fit
from dip_lite.tasks.presets import PRESET_NAMES

SCENE = sample("astronaut")[:, :, 80:176, 170:266]
DIM, FLASH = 0.5 * SCENE, SCENE**0.6  # half the light, and flat bright light
NOISY = add_noise(DIM, 50 / 255)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def quality(x0: Tensor, flash: Tensor, steps: int = 60) -> float:
    *_, last = fit(flash_no_flash(x0, flash, preset="tiny"), steps=steps, device="cpu")
    return psnr(last.best, DIM)


def test_it_denoises_with_the_edges_of_the_flash_picture() -> None:
    # measured gains, seeds 0 to 4: 14.0, 14.4, 15.4, 14.1, 14.5 dB;
    # with a flash picture that is one grey: 12.4, 12.2, 12.4, 12.6, 12.2; apart by at least 1.5
    with_edges, without = quality(NOISY, FLASH), quality(NOISY, torch.full_like(FLASH, 0.5))
    assert with_edges > psnr(NOISY, DIM) + 11
    assert with_edges > without + 0.7


def test_the_light_is_that_of_the_dim_picture() -> None:
    task = flash_no_flash(NOISY, FLASH, preset="tiny")
    *_, last = fit(task, steps=60, device="cpu")
    off = (last.best.mean(dim=(2, 3)) - DIM.mean(dim=(2, 3))).abs().max()
    # measured, seeds 0 to 4: off by 0.007 to 0.016, as the clipped noise is; the flash by 0.42
    assert float(off) < 0.04 < float((FLASH - DIM).mean())


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_the_input_shows_the_flash_picture_and_the_energy_the_dim_one(preset: str) -> None:
    x0s = [torch.rand(1, 3, 32, 32, generator=rng(seed)) for seed in (1, 2)]
    flashes = [torch.rand(1, 3, 32, 32, generator=rng(seed)) for seed in (3, 4)]

    def z(x0: Tensor, flash: Tensor) -> Tensor:
        return flash_no_flash(x0, flash, preset=preset).sample_step(rng())[0]

    assert torch.equal(z(x0s[0], flashes[0]), z(x0s[1], flashes[0]))
    assert not torch.equal(z(x0s[0], flashes[0]), z(x0s[0], flashes[1]))
    _, energy = flash_no_flash(x0s[0], flashes[0], preset=preset).sample_step(rng())
    expected = float((x0s[1] - x0s[0]).square().mean())
    assert float(energy(x0s[1])) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("dim", "lit"), [(1, 3), (3, 1)])
@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_grey_and_colour_go_together(dim: int, lit: int, preset: str) -> None:
    task = flash_no_flash(NOISY[:, :dim, :32, :32], FLASH[:, :lit, :32, :32], preset=preset)
    *_, last = fit(task, steps=1, device="cpu")
    assert last.best.shape == (1, dim, 32, 32)


def test_large_pictures_are_fitted_in_windows(small_tiles: Callable[[int], None]) -> None:
    small_tiles(96)
    scene = sample("chelsea")[..., 60:211, 100:283]  # 151 × 183: odd, and no multiple of 8
    x_true, flash = 0.5 * scene, scene**0.6
    x0 = add_noise(x_true, 25 / 255)
    task = flash_no_flash(x0, flash, preset="tiny")
    assert task.num_tiles > 3
    first, *_, last = fit(task, steps=30 * task.num_tiles, device="cpu")
    assert torch.equal(first.x, x0)
    # measured, seeds 0 to 4: 5.47, 5.61, 5.54, 5.55, 5.58 dB
    assert psnr(last.best, x_true) > psnr(x0, x_true) + 4


def test_the_paper_preset_has_the_authors_numbers() -> None:
    task = flash_no_flash(NOISY, FLASH, preset="paper")
    settings = task.settings
    assert (settings.optimiser, settings.lr, settings.steps) == ("adam", 0.1, 600)
    assert task.reg_noise_std == 0
    assert torch.equal(task.sample_step(rng())[0], FLASH)  # the flash picture alone, 96 × 96
    convs = [m for m in task.net().modules() if isinstance(m, nn.Conv2d)]
    assert sum(m.stride == (2, 2) for m in convs) == 5
    assert {m.out_channels for m in convs} == {128, 4, 3}


# --- refusals


def test_pictures_of_two_sizes_are_refused_with_both() -> None:
    with pytest.raises(PictureError) as caught:
        flash_no_flash(NOISY, FLASH[..., :90], preset="tiny")
    message = str(caught.value)
    assert "96×96" in message and "90×96" in message and "flash" in message
    assert message.splitlines() == [message]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"x0": NOISY[0]}, "x0 must be one picture"),
        ({"flash": FLASH[0]}, "flash must be one picture"),
        ({"flash": 255 * FLASH}, "flash must lie in"),
        ({"preset": "slow"}, "got 'slow'"),
    ],
)
def test_what_is_wrong_is_named(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        flash_no_flash(**{"x0": NOISY, "flash": FLASH, "preset": "tiny"} | more)
