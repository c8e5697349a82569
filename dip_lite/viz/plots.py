"""Curves of runs, spectra, and comparisons over seeds.

    plot_run(record.curve, stop=420)               # loss and PSNR of one run
    plot_curves({"picture": (steps, losses), "noise": (steps, others)}, y="loss", log_y=True)
    plot_panels({"PSNR (dB)": curves, "variance": others}, stops={"rule": 140})
    plot_spectrum(steps, shares)                   # shares of `spectrum.recovered`
    plot_seeds({"depth 2": [0.1, 0.2], "depth 6": [0.05, 0.04]}, y="error")

Each gives a matplotlib `Figure`; like `sheets`, this touches no pyplot and nothing global.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .sheets import DPI

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = tuple[Sequence[float], Sequence[float]]  # steps, values
SIZE = (6.4, 3.4)  # inches
STYLES = ("-", "--", "-.", ":")  # so that curves differ without colours, too
LABELS = {"psnr_true": "to the clean picture", "psnr_noisy": "to the noisy picture"}


def plot_curves(
    curves: Mapping[str, Curve],
    *,
    x: str = "step",
    y: str = "",
    title: str = "",
    log_x: bool = True,
    log_y: bool = False,
    stops: Mapping[str, float] | None = None,
    levels: Mapping[str, float] | None = None,
) -> Figure:
    """A line for every curve.

    Args:
        curves: name → (steps, values); on a log axis points that are not positive are left out.
        x, y, title: labels.
        stops: name → step, each a dashed vertical line.
        levels: name → value, each a dotted horizontal line.

    Raises:
        ValueError: no curves, steps and values of different number, or nothing for a log axis.
    """
    if not curves or any(len(curve[0]) != len(curve[1]) for curve in curves.values()):
        raise ValueError("expected curves, each with as many steps as values")
    fig, (axes,) = _figure(title)
    _draw_curves(axes, curves, log_x, log_y)
    _draw_marks(axes, stops or {}, levels or {})
    axes.set(xlabel=x, ylabel=y)
    if len(curves) > 1:
        axes.legend(frameon=False, fontsize=9)
    return fig


def plot_panels(
    panels: Mapping[str, Mapping[str, Curve]],
    *,
    x: str = "step",
    title: str = "",
    log_x: bool = True,
    log_y: Sequence[str] = (),
    stops: Mapping[str, float] | None = None,
) -> Figure:
    """Several quantities over the same steps, one panel above the other.

    Args:
        panels: label of the y axis → curves, as `plot_curves` takes them.
        x, title: labels.
        log_y: which panels have a logarithmic y axis.
        stops: name → step, each a dashed vertical line through all panels.

    Raises:
        ValueError: no panels, or curves that `plot_curves` refuses.
    """
    every = [curve for curves in panels.values() for curve in curves.values()]
    if not every or any(len(curve[0]) != len(curve[1]) for curve in every):
        raise ValueError("expected panels of curves, each with as many steps as values")
    fig, all_axes = _figure(title, len(panels))
    for index, (axes, (label, curves)) in enumerate(zip(all_axes, panels.items(), strict=True)):
        _draw_curves(axes, curves, log_x, label in log_y)
        _draw_marks(axes, stops or {}, {}, named=index == 0)
        axes.set_ylabel(label)
        if len(curves) > 1:
            axes.legend(frameon=False, fontsize=9)
    all_axes[-1].set_xlabel(x)
    return fig


def plot_run(
    columns: Mapping[str, Any],
    *,
    stop: int | None = None,
    levels: Mapping[str, float] | None = None,
) -> Figure:
    """Loss and, where it is known, PSNR against the step, on a log scale of steps.

    Args:
        columns: as `Record.curve`: step, loss, and any whose name begins with "psnr"; where
            `rollback` has text, a cross marks that the run was rolled back.
        stop: the step whose picture was returned, a dashed vertical line.
        levels: dotted lines among the PSNRs, such as {"NLM": 28.1}.

    Raises:
        ValueError: no snapshot after step 0.
    """
    rows = [row for row, step in enumerate(columns.get("step", ())) if step > 0]
    if not rows:
        raise ValueError("the curve has no snapshot after step 0: nothing to draw")
    steps = [columns["step"][row] for row in rows]
    curves = {
        name: (steps, [columns[name][row] for row in rows])
        for name in columns
        if name == "loss" or name.startswith("psnr")
    }
    loss, psnrs = curves.pop("loss"), {LABELS.get(name, name): curves[name] for name in curves}
    fig, panels = _figure("", panels=2 if psnrs or levels else 1)
    finite = [value for value in loss[1] if math.isfinite(value)]
    _draw_curves(panels[0], {"loss": loss}, True, bool(finite) and min(finite) > 0)
    _draw_marks(panels[0], {f"returned: step {stop}": stop} if stop else {}, {})
    _draw_rollbacks(panels[0], columns, rows)
    panels[0].set_ylabel("loss")
    if len(panels) > 1:
        _draw_curves(panels[1], psnrs, True, False)
        _draw_marks(panels[1], {"": stop} if stop else {}, levels or {})
        panels[1].set_ylabel("PSNR (dB)")
        panels[1].legend(frameon=False, fontsize=9)
    panels[-1].set_xlabel("step")
    return fig


def plot_spectrum(
    steps: Sequence[int], shares: Tensor | Sequence[Sequence[float]], title: str = ""
) -> Figure:
    """How much of every frequency band was recovered after each step, low frequencies dark.

    Args:
        steps: of the snapshots.
        shares: (snapshots, bands) of `spectrum.recovered`; below 0 is drawn as 0.
        title: of the figure.

    Raises:
        ValueError: another shape of shares.
    """
    table = torch.as_tensor(shares)
    if table.ndim != 2 or len(table) != len(steps):
        raise ValueError(f"expected {len(steps)} rows of shares, got shape {(*table.shape,)}")
    from matplotlib import colormaps

    fig, (axes,) = _figure(title)
    bands = table.shape[1]
    names = [f"{band / (2 * bands):.2g} to {(band + 1) / (2 * bands):.2g}" for band in range(bands)]
    values = table.clamp(min=0).T.tolist()  # (bands, snapshots)
    _draw_curves(axes, {n: (steps, v) for n, v in zip(names, values, strict=True)}, True, False)
    for band, line in enumerate(axes.lines):
        line.set(color=colormaps["viridis"](0.95 * band / max(1, bands - 1)), linestyle="-")
    axes.set(xlabel="step", ylabel="share of the band recovered", ylim=(-0.02, 1.02))
    axes.legend(title="cycles a pixel", frameon=False, fontsize=8, title_fontsize=8)
    return fig


def plot_seeds(groups: Mapping[str, Sequence[float]], *, y: str = "", title: str = "") -> Figure:
    """The mean of every group as a bar-wide line, with a dot for every run in it.

    Lines and not bars from 0: differences are compared, and decibels have no natural zero.

    Raises:
        ValueError: no groups, or an empty one.
    """
    if not groups or not all(groups.values()):
        raise ValueError("expected groups of at least one value each")
    fig, (axes,) = _figure(title)
    for index, values in enumerate(groups.values()):
        mean = sum(values) / len(values)
        axes.plot([index - 0.32, index + 0.32], [mean, mean], color="#c8553d", linewidth=3)
        axes.plot([index] * len(values), values, "o", color="#26456e", markersize=3.5)
    axes.margins(y=0.12)
    axes.set_xticks(range(len(groups)), list(groups), rotation=35, ha="right", fontsize=9)
    axes.set_ylabel(y)
    return fig


def _figure(title: str, panels: int = 1) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    size = SIZE[0], SIZE[1] * (0.3 + 0.7 * panels)
    fig = Figure(figsize=size, dpi=DPI, facecolor="white", layout="constrained")
    all_axes = list(fig.subplots(panels, 1, sharex=True, squeeze=False)[:, 0])
    all_axes[0].set_title(title, fontsize=10)
    for axes in all_axes:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return fig, all_axes


def _draw_curves(axes: Axes, curves: Mapping[str, Curve], log_x: bool, log_y: bool) -> None:
    for index, (name, curve) in enumerate(curves.items()):
        points = [
            (float(a), float(b))
            for a, b in zip(*curve, strict=True)
            if (a > 0 or not log_x) and (b > 0 or not log_y)
        ]
        if not points:
            raise ValueError(f"{name!r} has no point that a log axis can show")
        style = STYLES[index % len(STYLES)]
        axes.plot(*zip(*points, strict=True), linestyle=style, label=name, linewidth=1.7)
    axes.set(xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    if log_x:
        low, high = axes.get_xlim()
        axes.xaxis.set_major_formatter("{x:g}")
        every = "{x:g}" if high < 8 * low else ""
        axes.xaxis.set_minor_formatter(_label_few if 8 * low <= high < 400 * low else every)


def _label_few(x: float, _: float) -> str:
    """20, 50, 200 … of the ticks between powers of ten, where there is room for them."""
    return f"{x:g}" if f"{x:e}"[0] in "25" else ""


def _draw_marks(
    axes: Axes, stops: Mapping[str, float], levels: Mapping[str, float], named: bool = True
) -> None:
    note: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8}
    for name, at in stops.items():
        axes.axvline(at, color="#3366cc", linewidth=1.1, linestyle="--")
        over = ("data", "axes fraction")
        label = name if named else ""
        axes.annotate(label, (at, 1), xycoords=over, xytext=(3, -11), color="#3366cc", **note)
    for name, at in levels.items():
        axes.axhline(at, color="#888888", linewidth=1.1, linestyle=":")
        left = ("axes fraction", "data")
        axes.annotate(name, (0, at), xycoords=left, xytext=(4, 3), color="#666666", **note)


def _draw_rollbacks(axes: Axes, columns: Mapping[str, Any], rows: list[int]) -> None:
    """A cross wherever the run was rolled back."""
    marked = [row for row in rows if "rollback" in columns and columns["rollback"][row]]
    if marked:
        at = [[columns[name][row] for row in marked] for name in ("step", "loss")]
        axes.plot(*at, "x", color="#d00000", markersize=8, label="rolled back")
        axes.legend(frameon=False, fontsize=9)
