"""JPEG's blocks go, in whole pictures and in windows, in colour and in grey."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from dip_lite import PictureWarning, load, psnr, remove_jpeg, sample, save
from dip_lite.engine.loop import fit
from dip_lite.images.degrade import jpeg
from dip_lite.images.io import to_pil
from dip_lite.images.jpeg_file import read_jpeg
from dip_lite.nets.hourglass import Scale
from dip_lite.tasks.jpeg import Deblocked
from dip_lite.tasks.presets import PRESET_NAMES

ASTRONAUT = sample("astronaut")[:, :, 80:176, 170:266]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_photograph_at_quality_10_gets_better() -> None:
    x0 = jpeg(ASTRONAUT, 10)
    *_, last = fit(remove_jpeg(x0, blind=True, preset="tiny"), steps=150, device="cpu")
    # measured, seeds 0 to 4: 0.40, 0.51, 0.73, 0.55, 0.61 dB
    assert psnr(last.best, ASTRONAUT) > psnr(x0, ASTRONAUT) + 0.2


def test_steps_between_blocks_get_lower() -> None:
    """Differences across the 8×8 borders against those inside: 1 where there are no blocks."""

    def blocks(x: torch.Tensor) -> float:
        steps = (x[..., 1:] - x[..., :-1]).abs().mean(dim=(0, 1, 2))
        border = torch.arange(len(steps)) % 8 == 7
        return float(steps[border].mean() / steps[~border].mean())

    x0 = jpeg(ASTRONAUT, 10)
    *_, last = fit(remove_jpeg(x0, blind=True, preset="tiny"), steps=100, device="cpu")
    # measured: 1.15 in the clean picture, 2.48 in x0, 1.48 to 1.56 after, seeds 0 to 4
    assert blocks(last.best) < 1.75 and blocks(x0) > 2.2


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_the_blind_energy_is_the_squared_distance(preset: str) -> None:
    x0 = torch.rand(1, 3, 32, 32, generator=rng(1))
    x = torch.rand(1, 3, 32, 32, generator=rng(2))
    _, energy = remove_jpeg(x0, preset=preset).sample_step(rng())
    assert float(energy(x)) == pytest.approx(float((x - x0).square().mean()), rel=1e-5)


def encode(x: torch.Tensor, **options: object) -> bytes:
    memory = io.BytesIO()
    to_pil(x).save(memory, "JPEG", **{"quality": 10, **options})  # type: ignore[arg-type]
    return memory.getvalue()


def decode(data: bytes) -> torch.Tensor:
    return load(Image.open(io.BytesIO(data)))


def test_the_energy_of_a_file_is_zero_for_its_original_and_not_for_its_blind_copy() -> None:
    data = encode(ASTRONAUT)
    task = remove_jpeg(decode(data), file=data, preset="tiny")
    assert isinstance(task, Deblocked)
    _, energy = task.sample_step(rng())
    assert float(energy(ASTRONAUT)) < 1e-8
    assert float(energy((ASTRONAUT + 0.05).clamp(0, 1))) > 1e-5


def test_the_file_the_content_and_what_was_read_are_one(tmp_path: Path) -> None:
    path = tmp_path / "blocky.jpg"
    path.write_bytes(encode(ASTRONAUT))
    x0, x = load(path), torch.rand(1, 3, 96, 96, generator=rng(2))
    tasks = [
        remove_jpeg(x0, file=file, preset="tiny")
        for file in (path, str(path), path.read_bytes(), read_jpeg(path))
    ]
    assert len({float(task.energy(x)) for task in tasks}) == 1


def test_the_result_is_fused_and_compresses_to_the_file() -> None:
    data = encode(ASTRONAUT)
    x0, constraint = decode(data), read_jpeg(data)
    task = remove_jpeg(x0, file=data, preset="tiny")
    *_, last = fit(task, steps=120, device="cpu")
    assert last.best is not last.network
    assert torch.equal(last.best, task.fuse(last.network))
    # measured, seeds 0 to 4: 0; 6.7e-6 to 1.0e-5 for the network alone
    assert float(constraint.squared_excess(last.best)) < 1e-7
    assert float(constraint.squared_excess(last.network)) > 1e-6
    # measured, dB: 0.92 to 1.04; 1.05 for the classical picture, which this small network drags by
    # 0.01 to 0.13 after so few steps
    gain, classical = (psnr(x, ASTRONAUT) - psnr(x0, ASTRONAUT) for x in (last.best, task.guess))
    assert gain > 0.7 and gain > classical - 0.25


def test_grey_pictures_and_turned_ones_have_constraints_too() -> None:
    grey = load(to_pil(ASTRONAUT).convert("L"))
    exif = Image.Exif()
    exif[0x0112] = 6
    for data in (encode(grey), encode(ASTRONAUT[..., :90, :], exif=exif)):
        x0 = decode(data)
        task = remove_jpeg(x0, file=data, preset="tiny")
        assert isinstance(task, Deblocked) and task.guess is not None
        assert task.guess.shape == x0.shape == task.fuse(x0).shape


def test_blind_uses_no_file_and_the_papers_preset_is_always_blind() -> None:
    data = encode(ASTRONAUT)
    x0 = decode(data)
    for task in (
        remove_jpeg(x0, file=data, blind=True, preset="tiny"),
        remove_jpeg(x0, file=data, preset="paper"),
    ):
        assert not isinstance(task, Deblocked)
        assert float(task.energy(x0)) == 0


def test_pixels_that_tell_need_no_file() -> None:
    assert isinstance(remove_jpeg(jpeg(ASTRONAUT, 10), preset="tiny"), Deblocked)
    assert not isinstance(remove_jpeg(ASTRONAUT, preset="tiny"), Deblocked)


def test_a_file_that_says_nothing_is_restored_blindly_and_said_so(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    to_pil(ASTRONAUT).save(path)
    with pytest.warns(PictureWarning, match=r"PNG file, not a JPEG.*removed blindly") as caught:
        task = remove_jpeg(load(path), file=path, preset="tiny")
    assert not isinstance(task, Deblocked) and len(caught) == 1


def test_a_lossless_copy_of_a_jpeg_needs_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "copy.png"
    x0 = jpeg(ASTRONAUT, 10)
    save(x0, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(remove_jpeg(x0, file=path, preset="tiny"), Deblocked)


def test_a_turned_file_in_tiles_is_restored_blindly_and_said_so(
    small_tiles: Callable[[int], None],
) -> None:
    small_tiles(96)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(sample("chelsea")[..., 60:211, 100:283], exif=exif)
    with pytest.warns(PictureWarning, match="large and its file turned"):
        task = remove_jpeg(decode(data), file=data, preset="tiny")
    assert task.num_tiles > 3 and not isinstance(task, Deblocked)


def test_another_picture_of_the_same_size_is_refused() -> None:
    other = sample("coffee")[..., 80:176, 170:266]
    with pytest.raises(ValueError, match="grey levels from the picture in the file"):
        remove_jpeg(jpeg(other, 10), file=encode(ASTRONAUT), preset="tiny")


def test_the_file_of_another_picture_is_refused() -> None:
    with pytest.raises(ValueError, match=r"3×96×96.*3×90×96"):
        remove_jpeg(ASTRONAUT[..., :90, :], file=encode(ASTRONAUT), preset="tiny")


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


@pytest.mark.parametrize("blind", [False, True])
def test_a_large_picture_is_cleaned_in_tiles(
    blind: bool, small_tiles: Callable[[int], None]
) -> None:
    small_tiles(96)
    x_true = sample("chelsea")[..., 60:211, 100:283]  # 151 × 183: odd, and no multiple of 8
    x0 = jpeg(x_true, 10)
    task = remove_jpeg(x0, blind=blind, preset="tiny")
    assert task.num_tiles > 3
    first, *_, last = fit(task, steps=30 * task.num_tiles, device="cpu")
    assert torch.equal(first.x, task.guess) and last.best.shape == x0.shape
    # measured blind, seeds 0 to 4: 0.20, 0.22, 0.25, 0.21, 0.29 dB; more with the file
    assert psnr(last.best, x_true) > psnr(x0, x_true) + 0.08


def test_the_paper_preset_has_the_authors_numbers() -> None:
    task = remove_jpeg(ASTRONAUT, preset="paper")
    settings = task.settings
    assert (settings.optimiser, settings.lr, settings.steps) == ("adam", 0.01, 2400)
    assert (task.reg_noise_std, task.z.shape) == (1 / 30, (1, 3, 96, 96))
    assert 0 <= float(task.z.min()) and float(task.z.max()) <= 0.1
    convs = [m for m in task.net().modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convs if m.stride == (2, 2)] == [8, 16, 32, 64, 128]
    skips = [m.skip for m in task.net().modules() if isinstance(m, Scale)]
    assert [skip is not None and skip[0].out_channels for skip in skips] == [False] * 3 + [4, 4]


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 2, 32, 32), (1, 1, 15, 40)])
def test_other_shapes_are_refused_and_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="x0 must be one picture") as caught:
        remove_jpeg(torch.zeros(shape), preset="tiny")
    assert str(shape) in str(caught.value)


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ValueError, match="fast, paper, tiny, got 'slow'"):
        remove_jpeg(ASTRONAUT, preset="slow")
