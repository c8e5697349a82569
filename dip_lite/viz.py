"""Pictures of pictures: sheets, curves and films of a run.

    fig = side_by_side([x0, snap.best], ["noisy", "restored"])
    save_figure(fig, "both.png")
    save_figure(curve(record.curve, stop=420), "curve.png")

The only room with matplotlib, which is imported when it is needed and only through `Figure`: no
pyplot, no backend, nothing global. Pictures are laid out by the pixel, so that none is resampled
behind anybody's back: small ones are magnified a whole number of times, large ones scaled down.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import Tensor

from .images import PictureError, atomic_write, to_pil, to_uint8

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL import Image

DPI = 100  # pixels an inch, of every figure
GAP = 8  # pixels between pictures, and around them
RATE = 12  # frames a second, at most
HOLD = 1.5  # seconds that the last frame of a film stays on
COLOURS = {"loss": "#444444", "psnr_true": "#0b6e4f", "psnr_noisy": "#c8553d"}
NAMES = {"psnr_true": "to the clean picture", "psnr_noisy": "to the noisy picture"}


def scale_to(x: Tensor, most: int, least: int = 1) -> Tensor:
    """A picture with its longer side at most `most` pixels, and about `least` or more.

    It is scaled down smoothly, or magnified a whole number of times.

    >>> import torch
    >>> [tuple(scale_to(torch.zeros(1, 3, 64, n), 512, 256).shape[2:]) for n in (32, 300, 1024)]
    [(256, 128), (64, 300), (32, 512)]
    """
    longest = max(x.shape[2:])
    if longest > most:
        size = [max(1, round(side * most / longest)) for side in x.shape[2:]]
        return F.interpolate(x, size, mode="bilinear", antialias=True)
    times = max(1, least // longest)
    return x.repeat_interleave(times, 2).repeat_interleave(times, 3)


# --- sheets


def contact_sheet(
    frames: Sequence[Tensor], labels: Sequence[str], columns: int = 6, side: int = 192
) -> Figure:
    """Many small pictures in rows, each with its label beneath.

    Args:
        frames: (1, C, H, W) each, of one size or several.
        labels: as many.
        columns: pictures a row.
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
    """A figure in which every picture's pixel is one of the figure's."""
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
        _place(fig, x, (corner[0] / whole[0], corner[1] / whole[1], w / whole[0], h / whole[1]))
        middle = (left + width / 2) / whole[0], 1 - (top + height + text) / whole[1]
        fig.text(*middle, label, fontsize=points, ha="center", va="center")
    return fig


def _place(fig: Figure, x: Tensor, box: tuple[float, float, float, float]) -> None:
    axes = fig.add_axes(box)
    colour = to_uint8(x.expand(-1, 3, -1, -1))  # (H, W, 3); grey as well, past all colour maps
    axes.imshow(colour, interpolation="nearest", aspect="auto")
    axes.set_axis_off()


# --- curves


def curve(
    columns: Mapping[str, Any],
    *,
    stop: int | None = None,
    references: Mapping[str, float] | None = None,
) -> Figure:
    """Loss and, where it is known, PSNR against the step, both on a log scale of steps.

    Args:
        columns: as `Record.curve`: step, loss, and any whose name begins with "psnr"; `restored`
            marks where the guard put the run back.
        stop: the step whose picture was taken, marked by a line.
        references: level lines among the PSNRs, such as {"NLM": 28.1}.

    Raises:
        ValueError: no snapshot after step 0.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import StrMethodFormatter

    if not any(step > 0 for step in columns.get("step", ())):
        raise ValueError("the curve has no snapshot after step 0: nothing to draw")
    psnrs = [name for name in columns if name.startswith("psnr")]
    panels = 2 if psnrs or references else 1
    fig = Figure(figsize=(7, 0.6 + 2.7 * panels), dpi=DPI, facecolor="white", layout="constrained")
    all_axes = list(fig.subplots(panels, 1, sharex=True, squeeze=False)[:, 0])
    _draw(all_axes[0], columns, ["loss"], "loss")
    if all(value > 0 for value in columns["loss"] if math.isfinite(value)):
        all_axes[0].set_yscale("log")
    if panels == 2:
        _draw(all_axes[1], columns, psnrs, "PSNR (dB)")
        for name, level in (references or {}).items():
            all_axes[1].axhline(level, color="#999999", linewidth=1, linestyle=":")
            all_axes[1].annotate(
                name, (1, level), xycoords=("axes fraction", "data"), xytext=(-4, 2),
                textcoords="offset points", ha="right", color="#666666", fontsize=8,
            )  # fmt: skip
    if stop:
        _mark(all_axes, stop)
    all_axes[-1].set(xscale="log", xlabel="step")
    all_axes[-1].xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    return fig


def _draw(axes: Axes, columns: Mapping[str, Sequence[Any]], names: list[str], label: str) -> None:
    """Lines of some columns from step 1 on, and a cross wherever the guard stepped in."""
    rows = [row for row, step in enumerate(columns["step"]) if step > 0]
    steps = [columns["step"][row] for row in rows]
    back = [row for row in rows if "restored" in columns and columns["restored"][row]]
    for name in names:
        values = [columns[name][row] for row in rows]
        axes.plot(
            steps, values, color=COLOURS.get(name), label=NAMES.get(name, name), linewidth=1.6,
            marker="o", markersize=2.5,
        )  # fmt: skip
    if back and names:
        at = [columns["step"][row] for row in back], [columns[names[0]][row] for row in back]
        axes.plot(*at, "x", color="#d00000", markersize=8, label="put back by the guard")
    if len(axes.lines) > 1 or (names and names != ["loss"]):
        axes.legend(frameon=False, fontsize=9)
    axes.set_ylabel(label)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _mark(all_axes: Sequence[Axes], stop: int) -> None:
    """A dashed line at the step taken, named in the uppermost panel."""
    for axes in all_axes:
        axes.axvline(stop, color="#3366cc", linewidth=1.2, linestyle="--")
    all_axes[0].annotate(
        f"taken: step {stop}", (stop, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
        textcoords="offset points", ha="center", color="#3366cc", fontsize=9, annotation_clip=False,
    )  # fmt: skip


def save_figure(fig: Figure, path: str | os.PathLike[str]) -> None:
    """Writes a figure in the format of the suffix (PNG, PDF, SVG): whole, or not at all.

    Raises:
        PictureError: another suffix, or `path` cannot be written.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in ("png", "pdf", "svg"):
        raise PictureError(
            f"{path} cannot be drawn as {kind or 'nothing'}: use .png, .pdf or .svg."
        )
    memory = io.BytesIO()
    fig.savefig(memory, format=kind, dpi=DPI)
    atomic_write(path, memory.getvalue())


# --- films


def film(
    pictures: Iterable[Tensor], labels: Sequence[str], kind: str, seconds: float = 6.0
) -> bytes:
    """An animated GIF or WebP, looped, each frame with its label beneath.

    Every frame stays on equally long, so that snapshots at logarithmic steps play evenly, and the
    last one 1.5 s longer. Pictures of more than 512 pixels a side are scaled down to that.

    Args:
        pictures: (1, C, H, W) each, all of one size; taken one by one.
        labels: as many.
        kind: "gif" (256 colours a frame) or "webp" (smaller, and all colours).
        seconds: from the first frame to the last.

    Raises:
        ValueError: another kind, or no pictures.
    """
    options: dict[str, dict[str, Any]] = {"gif": {}, "webp": {"quality": 85, "method": 3}}
    if kind not in options:
        raise ValueError(f"a film is gif or webp, not {kind!r}")
    width = _width(labels)
    frames = [_captioned(x, t, width, kind) for x, t in zip(pictures, labels, strict=True)]
    if not frames:
        raise ValueError("a film needs a picture at least")
    times = [max(20, round(1000 * seconds / len(frames)))] * len(frames)  # milliseconds
    times[-1] += round(1000 * HOLD)
    memory = io.BytesIO()
    frames[0].save(
        memory, kind, save_all=True, append_images=frames[1:], duration=times, loop=0,
        **options[kind],
    )  # fmt: skip
    return memory.getvalue()


def _width(labels: Sequence[str]) -> int:
    """Pixels that the longest label takes."""
    from PIL import ImageFont

    font = ImageFont.load_default(14)
    return max((math.ceil(font.getlength(label)) + 2 * GAP for label in labels), default=0)


def _captioned(x: Tensor, label: str, width: int, kind: str) -> Image.Image:
    from PIL import Image, ImageDraw, ImageFont

    picture = to_pil(scale_to(x, 512, 256))
    width = max(picture.width, width)
    canvas = Image.new(picture.mode, (width, picture.height + 24), "white")
    canvas.paste(picture, ((width - picture.width) // 2, 0))
    place = (width / 2, picture.height + 12)
    font = ImageFont.load_default(14)
    ImageDraw.Draw(canvas).text(place, label, fill="black", font=font, anchor="mm")
    if kind == "gif" and canvas.mode == "RGB":  # the 256 colours that suit this frame, and dither
        return canvas.quantize(palette=canvas.quantize(256))
    return canvas
