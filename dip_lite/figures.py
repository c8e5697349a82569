"""Curves of several runs in one figure, and the spectrum of one, for notebooks.

    lines({"picture": (steps, losses), "noise": (steps2, losses2)}, y="loss", log_y=True)
    spectrum(steps, shares)                        # shares: (snapshots, bands), see `spectrum`
    dots({"depth 2": [0.1, 0.2], "depth 6": [0.05, 0.04]}, y="error")     # means, and every seed

Like `viz`, whose sheets and films these stand beside, it touches no pyplot and nothing global.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .viz import DPI

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Line = tuple[Sequence[float], Sequence[float]]  # steps, values
SIZE = (6.4, 3.4)  # inches
STYLES = ("-", "--", "-.", ":")  # so that lines are told apart without colours, too


def lines(
    curves: Mapping[str, Line],
    *,
    x: str = "step",
    y: str = "",
    title: str = "",
    log_x: bool = True,
    log_y: bool = False,
    stops: Mapping[str, float] | None = None,
    levels: Mapping[str, float] | None = None,
) -> Figure:
    """One line for every name.

    Args:
        curves: name → (steps, values); on a log axis points that are not positive are left out.
        stops: name → step, each a dashed vertical line.
        levels: name → value, each a dotted horizontal line.

    Raises:
        ValueError: no curves, or steps and values of different number.
    """
    if not curves or any(len(line[0]) != len(line[1]) for line in curves.values()):
        raise ValueError("expected curves, each of as many steps as values")
    fig, axes = _figure(title)
    for index, (name, line) in enumerate(curves.items()):
        points = [
            (float(a), float(b))
            for a, b in zip(*line, strict=True)
            if (a > 0 or not log_x) and (b > 0 or not log_y)
        ]
        if not points:
            raise ValueError(f"{name!r} has no point that a log axis can show")
        style = STYLES[index % len(STYLES)]
        axes.plot(*zip(*points, strict=True), linestyle=style, label=name, linewidth=1.7)
    for name, at in (stops or {}).items():
        axes.axvline(at, color="#3366cc", linewidth=1.1, linestyle="--")
        _note(axes, name, (at, 1), ("data", "axes fraction"), (3, -11), "#3366cc")
    for name, at in (levels or {}).items():
        axes.axhline(at, color="#888888", linewidth=1.1, linestyle=":")
        _note(axes, name, (0, at), ("axes fraction", "data"), (4, 3), "#666666")
    axes.set(xlabel=x, ylabel=y, xscale="log" if log_x else "linear")
    axes.set_yscale("log" if log_y else "linear")
    if log_x:
        axes.xaxis.set_major_formatter("{x:g}")
    if len(curves) > 1:
        axes.legend(frameon=False, fontsize=9)
    return fig


def spectrum(
    steps: Sequence[int], shares: Tensor | Sequence[Sequence[float]], title: str = ""
) -> Figure:
    """How much of every frequency band there is after each step, low frequencies dark.

    Args:
        steps: of the snapshots.
        shares: (snapshots, bands) of `spectrum.recovered`; below 0 is drawn as 0.
    """
    table = torch.as_tensor(shares)
    if table.ndim != 2 or len(table) != len(steps):
        raise ValueError(f"expected {len(steps)} rows of shares, got shape {(*table.shape,)}")
    from matplotlib import colormaps

    fig, axes = _figure(title)
    count = table.shape[1]
    rows = [row for row, step in enumerate(steps) if step > 0]
    for band in range(count):
        ends = f"{band / (2 * count):.2g} to {(band + 1) / (2 * count):.2g}"
        axes.plot(
            [steps[row] for row in rows],
            table[rows, band].clamp(min=0),
            color=colormaps["viridis"](0.95 * band / max(1, count - 1)),
            label=ends,
            linewidth=1.8,
        )
    axes.set(xscale="log", xlabel="step", ylabel="share of the band recovered", ylim=(-0.02, 1.02))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(title="cycles a pixel", frameon=False, fontsize=8, title_fontsize=8)
    return fig


def dots(groups: Mapping[str, Sequence[float]], *, y: str = "", title: str = "") -> Figure:
    """The mean of every group as a level mark, with a dot for every run in it.

    Not a column from 0: what is compared is a difference, and decibels have no nought.

    Raises:
        ValueError: no groups, or an empty one.
    """
    if not groups or not all(groups.values()):
        raise ValueError("expected groups of at least one value each")
    fig, axes = _figure(title)
    for place, values in enumerate(groups.values()):
        level = sum(values) / len(values)
        axes.plot([place - 0.32, place + 0.32], [level, level], color="#c8553d", linewidth=3)
        axes.plot([place] * len(values), values, "o", color="#26456e", markersize=3.5)
    axes.margins(y=0.12)
    axes.set_xticks(range(len(groups)), list(groups), rotation=35, ha="right", fontsize=9)
    axes.set_ylabel(y)
    return fig


def _figure(title: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    fig = Figure(figsize=SIZE, dpi=DPI, facecolor="white", layout="constrained")
    axes: Any = fig.subplots()
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return fig, axes


def _note(axes: Axes, text: str, at: Any, coordinates: Any, offset: Any, colour: str) -> None:
    axes.annotate(
        text, at, xycoords=coordinates, xytext=offset, textcoords="offset points", color=colour,
        fontsize=8,
    )  # fmt: skip
