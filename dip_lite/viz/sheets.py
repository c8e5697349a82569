"""Figures of pictures: side by side, or many on a contact sheet.

    fig = side_by_side([x0, snap.best], ["noisy", "restored"])
    save_figure(fig, "both.png")

matplotlib is imported when it is needed and only through `Figure`: no pyplot, no backend, nothing
global. Pictures are laid out pixel by pixel, so that matplotlib resamples none: small ones are
magnified a whole number of times, large ones scaled down.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from ..errors import PictureError, name_of
from ..images.io import atomic_write, to_uint8

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100  # pixels an inch, of every figure
GAP = 8  # pixels between pictures, and around them


def scale_to(x: Tensor, max_side: int, min_side: int = 1) -> Tensor:
    """A picture scaled down to `max_side` pixels, or magnified to at most `min_side`.

    Both are of the longer side. Pictures are scaled down smoothly and magnified a whole number of
    times.

    >>> import torch
    >>> [tuple(scale_to(torch.zeros(1, 3, 64, n), 512, 256).shape[2:]) for n in (32, 300, 1024)]
    [(256, 128), (64, 300), (32, 512)]
    """
    longest = max(x.shape[2:])
    if longest > max_side:
        size = [max(1, round(side * max_side / longest)) for side in x.shape[2:]]
        return F.interpolate(x, size, mode="bilinear", antialias=True)
    times = max(1, min_side // longest)
    return x.repeat_interleave(times, 2).repeat_interleave(times, 3)


def contact_sheet(
    frames: Sequence[Tensor], labels: Sequence[str], columns: int = 6, side: int = 192
) -> Figure:
    """Many small pictures in rows, each with its label beneath.

    Args:
        frames: (1, C, H, W) each, of one size or several.
        labels: one for each frame.
        columns: pictures in a row.
        side: pixels of a picture's longer side.

    Raises:
        ValueError: no pictures, or not as many labels.
    """
    return _sheet([scale_to(x, side, side) for x in frames], labels, columns, points=8)


def side_by_side(pictures: Sequence[Tensor], titles: Sequence[str]) -> Figure:
    """A few pictures in a row, pixel for pixel up to 1024 pixels a side, titles beneath.

    Raises:
        ValueError: no pictures, or not as many titles.
    """
    return _sheet([scale_to(x, 1024, 256) for x in pictures], titles, len(pictures), points=11)


def _sheet(pictures: list[Tensor], labels: Sequence[str], columns: int, points: int) -> Figure:
    """A figure in which every pixel of a picture is a pixel of the figure."""
    from matplotlib.figure import Figure

    if not pictures or len(pictures) != len(labels) or columns < 1:
        raise ValueError(
            f"expected pictures with a label each and columns ≥ 1, got {len(pictures)} pictures, "
            f"{len(labels)} labels and {columns} columns"
        )
    columns = min(columns, len(pictures))
    text = round(points * DPI / 72)  # pixels; a letter is about 0.6 as wide
    width = max(*(x.shape[3] for x in pictures), *(round(0.6 * text * len(t)) for t in labels))
    height = max(x.shape[2] for x in pictures)
    across, down = width + GAP, height + 2 * text + GAP // 2  # from one picture to the next
    whole = columns * across + GAP, math.ceil(len(pictures) / columns) * down + GAP
    fig = Figure(figsize=(whole[0] / DPI, whole[1] / DPI), dpi=DPI, facecolor="white")
    for index, (x, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = GAP + index % columns * across, GAP + index // columns * down
        h, w = x.shape[2:]
        corner = left + (width - w) // 2, whole[1] - top - (height - h) // 2 - h
        _draw_picture(
            fig, x, (corner[0] / whole[0], corner[1] / whole[1], w / whole[0], h / whole[1])
        )
        middle = (left + width / 2) / whole[0], 1 - (top + height + text) / whole[1]
        fig.text(*middle, label, fontsize=points, ha="center", va="center")
    return fig


def _draw_picture(fig: Figure, x: Tensor, box: tuple[float, float, float, float]) -> None:
    axes = fig.add_axes(box)
    colour = to_uint8(x.expand(-1, 3, -1, -1))  # (H, W, 3), grey too: matplotlib maps no colours
    axes.imshow(colour, interpolation="nearest", aspect="auto")
    axes.set_axis_off()


def save_figure(fig: Figure, path: str | os.PathLike[str]) -> None:
    """Writes a figure in the format of the suffix: PNG, PDF or SVG.

    Raises:
        PictureError: another suffix, or the file cannot be written.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in ("png", "pdf", "svg"):
        raise PictureError(
            f"{name_of(path)} does not end in a format for figures: use .png, .pdf or .svg."
        )
    memory = io.BytesIO()
    fig.savefig(memory, format=kind, dpi=DPI)
    atomic_write(path, memory.getvalue())
