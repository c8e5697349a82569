"""The notebook scrubber: drag through a run's snapshots, with a cursor moving along its curve.

    from dip_lite.viz.scrubber import Scrubber
    Scrubber(watch(denoise(x0), seconds=20), x_true=x_true)

The only module with ipywidgets. It works in JupyterLab, Notebook 7 and Colab; where there is no
kernel, as on a web page, it shows a sentence instead, so put a `contact_sheet` beside it.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets
from torch import Tensor

from ..engine.loop import Snapshot
from ..images.io import encode_png
from ..images.metrics import psnr
from .animation import FRAME_KINDS
from .sheets import scale_to

WIDTH, HEIGHT, EDGE = 384, 110, 8  # of the curve, in units of its SVG
ABSENT = "<em>Run this notebook to drag through the run here; a sheet of its frames is below.</em>"


class Scrubber(ipywidgets.VBox):
    """A slider with a play button over a run's pictures.

    Args:
        snaps: snapshots of a run, in order.
        x_true: the clean picture, (1, C, H, W): the curve is then the PSNR to it, otherwise the
            loss, on a log scale.
        which: which picture of a snapshot to show: "x_avg", "x" or "best".
        side: pixels of the shown picture's longer side.

    Attributes:
        slider: an IntSlider over the snapshots' indices.
        image: an Image, the PNG of the snapshot shown.
        play: a Play button, linked to the slider in the browser.

    Raises:
        ValueError: no snapshots, or another `which`.
    """

    def __init__(
        self,
        snaps: Sequence[Snapshot],
        x_true: Tensor | None = None,
        which: str = "x_avg",
        side: int = 384,
    ) -> None:
        if not snaps:
            raise ValueError("a scrubber needs at least one snapshot, got none")
        if which not in FRAME_KINDS:
            raise ValueError(f"which must be one of {', '.join(FRAME_KINDS)}, got {which!r}")
        shown = [getattr(snap, which).clamp(0, 1) for snap in snaps]
        self._frames = [encode_png(scale_to(x, side, side)) for x in shown]
        self._values = [psnr(x, x_true) for x in shown] if x_true is not None else []
        self._snaps = [(snap.step, snap.loss) for snap in snaps]
        curve = self._values or [-math.log10(max(snap.loss, 1e-12)) for snap in snaps]
        self._title = _title("PSNR (dB)" if self._values else "−log₁₀ of the loss", curve)
        self._curve = _path([snap.step for snap in snaps], curve)
        last = len(snaps) - 1
        self.slider = ipywidgets.IntSlider(
            value=last, min=0, max=last, description="snapshot", readout=False,
            layout={"width": f"{WIDTH - 60}px"},
        )  # fmt: skip
        self.play = ipywidgets.Play(
            value=last, min=0, max=last, interval=120, layout={"width": "50px"}, show_repeat=False
        )
        ipywidgets.jslink((self.play, "value"), (self.slider, "value"))
        layout = {"width": f"{WIDTH}px", "object_fit": "contain"}
        self.image = ipywidgets.Image(format="png", layout=layout)
        self.graph, self.caption = ipywidgets.HTML(), ipywidgets.HTML()
        self.slider.observe(self._show, names="value")
        self._show()
        row = ipywidgets.HBox([self.play, self.slider])
        super().__init__([self.image, self.caption, row, self.graph])

    def _show(self, change: Any = None) -> None:
        index = self.slider.value
        step, loss = self._snaps[index]
        caption = f"step {step}, loss {loss:.3g}"
        if self._values:
            caption += f", {self._values[index]:.2f} dB"
        self.image.value = self._frames[index]
        self.caption.value = f"<b>{escape(caption)}</b>"
        self.graph.value = _svg(self._curve, index, self._title)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        made = super()._repr_mimebundle_(**options)
        bundle: dict[str, Any] = made[0] if isinstance(made, tuple) else made or {}
        return {**bundle, "text/html": ABSENT, "text/plain": f"Scrubber of {len(self._snaps)}"}


def _path(steps: Sequence[int], values: Sequence[float]) -> list[tuple[float, float]]:
    """Points of the curve within the drawing, steps on a log scale."""
    across = [math.log(1 + step) for step in steps]
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    points = []
    for at, value in zip(across, values, strict=True):
        share = at / max(across[-1], 1e-9)
        level = (value - low) / max(high - low, 1e-9) if math.isfinite(value) else 1.0
        points.append((EDGE + share * (WIDTH - 2 * EDGE), HEIGHT - EDGE - level * (HEIGHT - 20)))
    return points


def _title(what: str, values: Sequence[float]) -> str:
    """What the curve shows, and its range."""
    finite = [value for value in values if math.isfinite(value)]
    ends = f", {min(finite):.1f} to {max(finite):.1f}" if finite else ""
    return f"{what}{ends}, over steps on a log scale"


def _svg(points: list[tuple[float, float]], index: int, name: str) -> str:
    drawn = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    x, y = points[index]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" '
        f'aria-label="{name}; cursor at snapshot {index}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#8881"/>'
        f'<polyline points="{drawn}" fill="none" stroke="#0b6e4f" stroke-width="2"/>'
        f'<line class="cursor" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT}" stroke="#c8553d"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#c8553d"/>'
        f'<text x="{EDGE}" y="14" font-size="11" fill="#777">{name}</text></svg>'
    )
