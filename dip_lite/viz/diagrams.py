"""Diagrams of what happens, drawn from the thing itself: real tensors, real runs.

    draw_hourglass(NETS["light"], c_in=8, c_out=3, size=(256, 256))
    plot_paths({"network": snaps, "pixels": others}, x_true, x0)

Each gives a matplotlib `Figure`, as `plots` does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..engine.loop import Snapshot
from ..nets.hourglass import Hourglass, Scale, build
from .sheets import DPI

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Sizes = dict[str, tuple[int, int, int]]  # name → (C, H, W)
DOWN, UP, SKIP = "#26456e", "#c8553d", "#999999"
MARKED = (1, 10, 30, 100, 300, 1000)  # steps that are named on a path


def tensor_sizes(architecture: Hourglass, c_in: int, c_out: int, size: tuple[int, int]) -> Sizes:
    """The tensors of one forward pass, in order, as (C, H, W).

    Args:
        architecture: an hourglass.
        c_in, c_out: channels of z and of the picture.
        size: (H, W) of the picture, multiples of `architecture.size_divisor`.

    Returns:
        "z"; "down 1", "skip 1" … of each scale, 1 the finest; "up 1" …; and "x".

    >>> sizes = tensor_sizes(Hourglass((16, 32), skip=4, head_channels=8), 8, 3, (64, 64))
    >>> sizes["z"], sizes["down 2"], sizes["up 2"], sizes["x"]
    ((8, 32, 32), (32, 8, 8), (32, 16, 16), (3, 64, 64))
    """
    divisor = architecture.size_divisor
    if any(side % divisor for side in size):
        raise ValueError(f"the sides must be multiples of {divisor}, got {size[0]} and {size[1]}")
    sizes: Sizes = {}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        net = build(architecture, c_in, c_out)
        z = torch.zeros(1, c_in, *(side // architecture.stride for side in size))
        sizes["z"] = _shape(z)
        scales = [module for module in net.modules() if isinstance(module, Scale)]
        for number, scale in enumerate(scales, 1):
            parts = {"down": scale.down, "skip": scale.skip, "up": scale}
            for name, part in parts.items():
                if part is not None:
                    part.register_forward_hook(_note(sizes, f"{name} {number}"))
        sizes["x"] = _shape(net(z))
    return sizes


def _note(sizes: Sizes, name: str) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
        sizes[name] = _shape(output)

    return hook


def _shape(x: Tensor) -> tuple[int, int, int]:
    return x.shape[1], x.shape[2], x.shape[3]


def draw_hourglass(architecture: Hourglass, c_in: int, c_out: int, size: tuple[int, int]) -> Figure:
    """The encoder-decoder with the size of every tensor, from a real forward pass.

    A box's height and width go with the square roots of its tensor's sides and channels.

    Args:
        architecture, c_in, c_out, size: see `tensor_sizes`.
    """
    from matplotlib.figure import Figure

    sizes = tensor_sizes(architecture, c_in, c_out, size)
    depth = len(architecture.channels)
    order = [
        "z",
        *[f"down {scale}" for scale in range(1, depth + 1)],
        *[f"up {scale}" for scale in range(depth, 0, -1)],
        "x",
    ]
    fig = Figure(figsize=(1.15 * len(order), 4.2), dpi=DPI, facecolor="white")
    axes = fig.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.6, len(order) - 0.4), ylim=(-1.0, 1.25))
    axes.set_axis_off()
    tops = {}
    for column, name in enumerate(order):
        tops[name] = column, _draw_box(axes, column, name, sizes[name], max(size))
        if column:
            axes.annotate("", (column - 0.3, 0), (column - 0.7, 0), arrowprops={"arrowstyle": "->"})
    for scale in range(1, depth + 1):
        if f"skip {scale}" in sizes:
            _draw_skip(axes, tops, sizes, scale)
    note = "z: the fixed random input · blue: halves the sides · red: doubles them · grey: skips"
    axes.text((len(order) - 1) / 2, -0.97, note, ha="center", va="bottom", fontsize=9)
    return fig


def _draw_box(
    axes: Axes, column: int, name: str, size: tuple[int, int, int], largest: int
) -> float:
    """One tensor; returns how far it reaches above the middle."""
    from matplotlib.patches import Rectangle

    channels, height, width = size
    half = 0.55 * math.sqrt(max(height, width) / largest)
    wide = min(0.5, 0.06 * math.sqrt(channels))
    colour = UP if name.startswith("up") else DOWN if name.startswith("down") else "#3d8b5f"
    axes.add_patch(Rectangle((column - wide / 2, -half), wide, 2 * half, color=colour, alpha=0.85))
    axes.text(column, -half - 0.03, name, ha="center", va="top", fontsize=9, weight="bold")
    text = f"{channels} × {height} × {width}"
    axes.text(column, -half - 0.12, text, ha="center", va="top", fontsize=7.5)
    return half


def _draw_skip(axes: Axes, tops: dict[str, tuple[int, float]], sizes: Sizes, scale: int) -> None:
    """The arrow from a scale's input over the middle to where its upward half begins."""
    source = "z" if scale == 1 else f"down {scale - 1}"
    (start, low), (end, high) = tops[source], tops[f"up {scale}"]
    level = 0.68 + 0.09 * (len(tops) // 2 - scale)
    line: dict[str, Any] = {"color": SKIP, "linewidth": 1.2}
    axes.plot([start, start, end], [low, level, level], **line)
    axes.annotate("", (end, high), (end, level), arrowprops={"arrowstyle": "->", **line})
    label = "skip {}: {} × {} × {}".format(scale, *sizes[f"skip {scale}"])
    axes.text((start + end) / 2, level + 0.01, label, ha="center", va="bottom", fontsize=7.5)


def plot_paths(
    runs: Mapping[str, Sequence[Snapshot]], x_true: Tensor, x0: Tensor, which: str = "x"
) -> Figure:
    """Where runs go in the space of pictures: the paper's sketch of a fit, measured.

    A picture is a point of a space with as many axes as it has values. The figure is the plane
    through x0, the clean picture and the first run's first output; every output is dropped onto it
    at right angles. The unit is the distance of x0 to the clean picture, so the clean one is 1
    from x0, and the two axes are not to one scale. How far the nearest output, circled, really is
    from the clean picture, in all directions, is in the legend.

    Args:
        runs: name → snapshots, from step 0 on.
        x_true: the clean picture, (1, C, H, W).
        x0: the degraded picture, same shape.
        which: "x" or "x_avg".

    Raises:
        ValueError: no runs, or pictures of another shape.
    """
    if not runs or not all(runs.values()):
        raise ValueError("expected runs of at least one snapshot each")
    first = getattr(next(iter(runs.values()))[0], which)
    if not first.shape == x_true.shape == x0.shape:
        raise ValueError(
            f"expected pictures of one shape, got {tuple(first.shape)}, {tuple(x_true.shape)} and "
            f"{tuple(x0.shape)}"
        )
    from matplotlib.figure import Figure

    unit = (x_true - x0).norm()
    across = (x_true - x0) / unit  # from x0 to the clean picture
    up = (first - x0) - ((first - x0) * across).sum() * across
    up = up / up.norm()

    def place(x: Tensor) -> tuple[float, float]:
        return float(((x - x0) * across).sum() / unit), float(((x - x0) * up).sum() / unit)

    fig = Figure(figsize=(6.4, 4.4), dpi=DPI, facecolor="white", layout="constrained")
    axes = fig.subplots()
    labels = []
    for index, (name, snaps) in enumerate(runs.items()):
        _draw_path(axes, name, snaps, [place(getattr(snap, which)) for snap in snaps], index)
        near = min(snaps, key=lambda snap: float((getattr(snap, which) - x_true).norm()))
        away = float((getattr(near, which) - x_true).norm() / unit)
        labels.append(f"{name}; step {near.step}: {away:.2f} from the clean picture")
        spot = place(getattr(near, which))
        axes.plot(*spot, "o", color=f"C{index}", markersize=9, fillstyle="none")
    for where, text in {(0.0, 0.0): "x0, E = 0", (1.0, 0.0): "clean"}.items():
        axes.plot(*where, "k*", markersize=11)
        axes.annotate(text, where, (0, -16), textcoords="offset points", ha="center", fontsize=9)
    axes.margins(0.12)
    axes.set(xlabel="towards the clean picture", ylabel="towards the first output")
    drawn = [line for line in axes.lines if line.get_label() in runs]
    axes.legend(
        drawn, labels, frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1)
    )
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return fig


def _draw_path(
    axes: Axes,
    name: str,
    snaps: Sequence[Snapshot],
    spots: Sequence[tuple[float, float]],
    index: int,
) -> None:
    """One run, with some of its steps named."""
    style = ("-", "--", "-.", ":")[index % 4]
    axes.plot(*zip(*spots, strict=True), style, color=f"C{index}", linewidth=1.7, label=name)
    last = (9.0, 9.0)
    for step in MARKED:
        nearest = min(range(len(snaps)), key=lambda i: abs(snaps[i].step - step))
        moved = abs(spots[nearest][0] - last[0]) + abs(spots[nearest][1] - last[1])
        if abs(snaps[nearest].step - step) <= 0.1 * step and moved > 0.1:
            last = spots[nearest]
            axes.plot(*last, ".", color=f"C{index}")
            note: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7}
            axes.annotate(str(snaps[nearest].step), spots[nearest], (-4, 4), ha="right", **note)
