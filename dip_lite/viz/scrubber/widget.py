"""The scrubber in notebooks; the only module with anywidget."""

from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import traitlets
from torch import Tensor

from ...engine.loop import Snapshot
from ..animation import FRAME_KINDS
from .page import CSS, JS, MARKUP, MAX_BYTES, NOTEBOOK_BYTES, Clip


class Scrubber(anywidget.AnyWidget):
    """A slider over a run's pictures, for JupyterLab, Notebook 7, VS Code, Colab and marimo.

    `step` is the step shown; setting it moves the slider.

    Args:
        snaps: snapshots of a run, in order.
        x_true: the clean picture, (1, C, H, W): the curve is then the PSNR to it, else the loss.
        which: what is shown first: "x_avg" or "x", which can be switched, or "best".
        side: pixels of the shown pictures' longer side, at most.
        x0: the degraded picture; it and `x_true` can be laid over the frames.
        scores: step → PSNR of x_avg and of x, where they are known better than from the pictures;
            not used for "best".

    Raises:
        ValueError: no snapshots, pictures of several sizes or with NaN, or another `which`.
    """

    _esm, _css = JS, CSS
    markup, run = traitlets.Unicode(MARKUP).tag(sync=True), traitlets.Dict().tag(sync=True)
    pack, step = traitlets.Bytes().tag(sync=True), traitlets.Int().tag(sync=True)

    def __init__(
        self, snaps: Sequence[Snapshot], x_true: Tensor | None = None, which: str = "x_avg",
        side: int = 384, x0: Tensor | None = None,
        scores: Mapping[int, tuple[float, float]] | None = None,
    ) -> None:  # fmt: skip
        if which not in FRAME_KINDS:
            raise ValueError(f"which must be one of {', '.join(FRAME_KINDS)}, got {which!r}")
        self.clip = Clip(x0, x_true, side)
        self.clip.kind = "raw" if which == "x" else "avg"
        for snap in snaps:
            pictures = [snap.best] if which == "best" else [snap.x_avg, snap.x]
            known = (scores or {}).get(snap.step, ()) if which != "best" else ()
            self.clip.add(snap.step, [snap.seconds, snap.loss, *known], *pictures)
            self.clip.auto_step = snap.best_step if snap.stop_reason[:6] == "steady" else None
        run, pack = self.clip.encode(side, 90, len(snaps), method=0)
        super().__init__(run=run, pack=pack)

    def to_html(self, max_bytes: int = MAX_BYTES, fragment: bool = False) -> str:
        """The run as a page, or a piece of one: see `Clip.to_html`."""
        return self.clip.to_html(max_bytes, fragment)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        bundle = (super()._repr_mimebundle_(**options) or ({}, {}))[0]
        text = f"Scrubber of {len(self.clip.rows)}"
        return {**bundle, "text/plain": text, "text/html": self.to_html(NOTEBOOK_BYTES, True)}
