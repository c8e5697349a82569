"""Sheets keep every pixel, curves say what they show, films play in step."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from dip_lite import viz
from dip_lite.images import PictureError, to_uint8

X = torch.rand(1, 3, 40, 300, generator=torch.Generator().manual_seed(0))
COLUMNS: dict[str, Any] = {
    "step": [0, 1, 2, 4, 8],
    "loss": [0.3, 0.2, 0.1, 0.05, 0.04],
    "psnr_true": [10.0, 12.0, 18.0, 25.0, 24.0],
    "restored": ["", "", "", "step 4: the loss became nan", ""],
}


def pixels(fig: Any, path: Path) -> np.ndarray:
    viz.save_figure(fig, path)
    return np.asarray(Image.open(path).convert("RGB"))


def words(fig: Any) -> str:
    """All text of a figure that is drawn."""
    import matplotlib.text

    fig.draw_without_rendering()
    return " | ".join(text.get_text() for text in fig.findobj(matplotlib.text.Text))


def holds(sheet: np.ndarray, picture: np.ndarray) -> bool:
    """Whether `picture` lies somewhere in `sheet`, pixel for pixel."""
    (h, w), corner = picture.shape[:2], (sheet == picture[0, 0]).all(-1)
    return any(
        np.array_equal(sheet[top : top + h, left : left + w], picture)
        for top, left in np.argwhere(corner)
    )


def test_side_by_side_keeps_every_pixel_and_both_titles(tmp_path: Path) -> None:
    fig = viz.side_by_side([X, 1 - X], ["noisy", "restored"])
    sheet = pixels(fig, tmp_path / "both.png")
    assert holds(sheet, to_uint8(X)) and holds(sheet, to_uint8(1 - X))
    assert "noisy" in words(fig) and "restored" in words(fig)
    assert sheet.shape[1] == 2 * 300 + 3 * viz.GAP and sheet.shape[0] < 40 + 6 * viz.GAP


def test_small_grey_pictures_are_magnified_whole_and_large_ones_shrunk(tmp_path: Path) -> None:
    grey = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    sheet = pixels(viz.side_by_side([grey], ["a"]), tmp_path / "grey.png")
    large = np.kron(to_uint8(grey), np.ones((8, 8), np.uint8))[..., None].repeat(3, 2)
    assert holds(sheet, large)
    wide = viz.scale_to(torch.full((1, 3, 100, 2048), 0.5), 1024)
    assert wide.shape == (1, 3, 50, 1024) and torch.allclose(wide, torch.tensor(0.5))


def test_titles_longer_than_their_picture_do_not_meet(tmp_path: Path) -> None:
    title = "a rather long title about a rather narrow picture"
    fig = viz.side_by_side([torch.zeros(1, 1, 64, 16)] * 2, [title] * 2)
    viz.save_figure(fig, tmp_path / "a.png")
    left, right = sorted((t.get_window_extent() for t in fig.texts), key=lambda box: box.x0)
    assert 0 <= left.x0 and left.x1 < right.x0 and right.x1 <= fig.bbox.width


def test_contact_sheet_has_rows_of_columns_and_white_between(tmp_path: Path) -> None:
    frames = [torch.full((1, 3, 48, 48), shade / 10) for shade in range(7)]
    fig = viz.contact_sheet(frames, [f"step {n}" for n in range(7)], columns=3)
    sheet = pixels(fig, tmp_path / "sheet.png")
    assert len(fig.axes) == 7 and all(f"step {n}" in words(fig) for n in range(7))
    across, down = (sheet.shape[1] - viz.GAP) // 3, (sheet.shape[0] - viz.GAP) // 3
    for n in range(7):  # the shade in the middle of every picture
        top, left = viz.GAP + n // 3 * down, viz.GAP + n % 3 * across
        assert (sheet[top + 20 : top + 170, left + 20 : left + 170] == round(25.5 * n)).all()
    assert (sheet[: viz.GAP] == 255).all() and (sheet[:, : viz.GAP] == 255).all()
    assert (sheet[-150:, across + 2 * viz.GAP :] == 255).all()  # two empty places


def test_pictures_and_labels_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="1 pictures, 2 labels"):
        viz.contact_sheet([X], ["a", "b"])
    with pytest.raises(ValueError, match="0 pictures"):
        viz.side_by_side([], [])


def test_curve_says_what_it_shows() -> None:
    fig = viz.curve(COLUMNS, stop=4, references={"NLM": 22.0})
    text = words(fig)
    for word in ("step", "loss", "PSNR (dB)", "to the clean picture", "taken: step 4", "NLM",
                 "put back by the guard"):  # fmt: skip
        assert word in text
    top, bottom = fig.axes
    assert top.get_xscale() == bottom.get_xscale() == top.get_yscale() == "log"
    assert bottom.get_yscale() == "linear"
    assert list(top.lines[0].get_xdata()) == [1, 2, 4, 8]  # a log axis has no place for step 0


def test_curve_without_psnr_is_one_panel_and_takes_negative_losses() -> None:
    fig = viz.curve({"step": [0, 1, 2], "loss": [1.0, 0.5, -0.5]})
    assert len(fig.axes) == 1 and fig.axes[0].get_yscale() == "linear"
    assert "PSNR" not in words(fig)
    with pytest.raises(ValueError, match="nothing to draw"):
        viz.curve({"step": [0], "loss": [1.0]})


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_figures_are_saved_by_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"curve.{suffix}"
    viz.save_figure(viz.curve(COLUMNS), path)
    assert path.read_bytes()[:5] in (b"\x89PNG\r", b"%PDF-", b"<?xml")
    assert [*tmp_path.iterdir()] == [path]


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"use \.png"):
        viz.save_figure(viz.curve(COLUMNS), tmp_path / "curve.xyz")
    with pytest.raises(PictureError, match="does not exist"):
        viz.save_figure(viz.curve(COLUMNS), tmp_path / "nowhere" / "curve.png")


@pytest.mark.parametrize("kind", ["gif", "webp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_films_play_every_frame_evenly_and_hold_the_last(kind: str, channels: int) -> None:
    pictures = [torch.full((1, channels, 64, 96), shade / 4) for shade in range(5)]
    labels = ["step 0", "step 1", "step 2", "step 3", "step 1000 · 28.3 dB"]
    data = viz.film(iter(pictures), labels, kind, seconds=2.0)
    film = Image.open(io.BytesIO(data))
    assert film.format == kind.upper() and film.n_frames == 5 and film.info["loop"] == 0
    assert film.size == (192, 128 + 24)  # twice as large, and the label
    shades, times = [], []
    for frame in ImageSequence.Iterator(film):
        frame.load()
        shades.append(np.asarray(frame.convert("L"))[:128].mean())
        times.append(frame.info["duration"])
        assert np.asarray(frame.convert("L"))[128:].min() < 100  # a label in black
    assert np.allclose(shades, [0, 63.75, 127.5, 191.25, 255], atol=3)
    assert times == [400] * 4 + [1900]


def test_films_of_large_pictures_are_scaled_down_and_nonsense_is_refused() -> None:
    film = Image.open(io.BytesIO(viz.film([torch.zeros(1, 1, 600, 1024)], ["a"], "gif")))
    assert film.size == (512, 300 + 24)
    with pytest.raises(ValueError, match="gif or webp"):
        viz.film([X], ["a"], "mp4")
    with pytest.raises(ValueError, match="needs a picture"):
        viz.film([], [], "gif")


def test_importing_brings_no_matplotlib_and_drawing_no_pyplot() -> None:
    code = (
        "import sys, torch; from dip_lite import viz; assert 'matplotlib' not in sys.modules;"
        "viz.curve({'step': [1, 2], 'loss': [2.0, 1.0]});"
        "viz.side_by_side([torch.zeros(1, 1, 16, 16)], ['a']);"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    root = Path(viz.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
