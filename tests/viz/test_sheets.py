"""Sheets keep every pixel, and figures are saved whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dip_lite.errors import PictureError
from dip_lite.images.io import to_uint8
from dip_lite.viz.sheets import GAP, contact_sheet, save_figure, scale_to, side_by_side

X = torch.rand(1, 3, 40, 300, generator=torch.Generator().manual_seed(0))


def pixels(fig: Any, path: Path) -> np.ndarray:
    save_figure(fig, path)
    return np.asarray(Image.open(path).convert("RGB"))


def figure_text(fig: Any) -> str:
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
    fig = side_by_side([X, 1 - X], ["noisy", "restored"])
    sheet = pixels(fig, tmp_path / "both.png")
    assert holds(sheet, to_uint8(X)) and holds(sheet, to_uint8(1 - X))
    assert "noisy" in figure_text(fig) and "restored" in figure_text(fig)
    assert sheet.shape[1] == 2 * 300 + 3 * GAP and sheet.shape[0] < 40 + 6 * GAP


def test_small_grey_pictures_are_magnified_and_large_ones_scaled_down(tmp_path: Path) -> None:
    grey = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    sheet = pixels(side_by_side([grey], ["a"]), tmp_path / "grey.png")
    large = np.kron(to_uint8(grey), np.ones((8, 8), np.uint8))[..., None].repeat(3, 2)
    assert holds(sheet, large)
    wide = scale_to(torch.full((1, 3, 100, 2048), 0.5), 1024)
    assert wide.shape == (1, 3, 50, 1024) and torch.allclose(wide, torch.tensor(0.5))


def test_long_titles_do_not_overlap(tmp_path: Path) -> None:
    title = "a rather long title about a rather narrow picture"
    fig = side_by_side([torch.zeros(1, 1, 64, 16)] * 2, [title] * 2)
    save_figure(fig, tmp_path / "a.png")
    left, right = sorted((t.get_window_extent() for t in fig.texts), key=lambda box: box.x0)
    assert 0 <= left.x0 and left.x1 < right.x0 and right.x1 <= fig.bbox.width


def test_contact_sheet_has_rows_of_columns_and_white_between(tmp_path: Path) -> None:
    frames = [torch.full((1, 3, 48, 48), shade / 10) for shade in range(7)]
    fig = contact_sheet(frames, [f"step {n}" for n in range(7)], columns=3)
    sheet = pixels(fig, tmp_path / "sheet.png")
    assert len(fig.axes) == 7 and all(f"step {n}" in figure_text(fig) for n in range(7))
    across, down = (sheet.shape[1] - GAP) // 3, (sheet.shape[0] - GAP) // 3
    for n in range(7):  # the shade in the middle of every picture
        top, left = GAP + n // 3 * down, GAP + n % 3 * across
        assert (sheet[top + 20 : top + 170, left + 20 : left + 170] == round(25.5 * n)).all()
    assert (sheet[:GAP] == 255).all() and (sheet[:, :GAP] == 255).all()
    assert (sheet[-150:, across + 2 * GAP :] == 255).all()  # two empty cells


def test_every_picture_needs_a_label() -> None:
    with pytest.raises(ValueError, match="1 pictures, 2 labels"):
        contact_sheet([X], ["a", "b"])
    with pytest.raises(ValueError, match="0 pictures"):
        side_by_side([], [])


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_figures_are_saved_by_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"curve.{suffix}"
    save_figure(side_by_side([X], ["a"]), path)
    assert path.read_bytes()[:5] in (b"\x89PNG\r", b"%PDF-", b"<?xml")
    assert [*tmp_path.iterdir()] == [path]


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"use \.png"):
        save_figure(side_by_side([X], ["a"]), tmp_path / "curve.xyz")
    with pytest.raises(PictureError, match="does not exist"):
        save_figure(side_by_side([X], ["a"]), tmp_path / "nowhere" / "curve.png")


def test_importing_brings_no_matplotlib_and_drawing_no_pyplot() -> None:
    code = (
        "import sys, torch; from dip_lite.viz.plots import plot_run; "
        "from dip_lite.viz.sheets import side_by_side; assert 'matplotlib' not in sys.modules;"
        "plot_run({'step': [1, 2], 'loss': [2.0, 1.0]});"
        "side_by_side([torch.zeros(1, 1, 16, 16)], ['a']);"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
