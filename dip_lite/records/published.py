"""The authors' own runs, as snapshots to drag through.

    Scrubber(paper_run("snail", count=24), which="best")      # the paper's Fig. 3, in a notebook
    Scrubber(paper_run("F16"), sample("paper/F16"), which="best")     # with the PSNR at every step

Published are the network's outputs, without averaging, see `images.paper_runs`; losses and times
are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from ..engine.loop import Snapshot
from ..images.io import load
from ..images.paper_runs import fetch_run


def paper_run(
    name: str, count: int | None = 24, steps: Sequence[int] | None = None
) -> list[Snapshot]:
    """One of the authors' published runs, downloaded once, behind a progress bar.

    Args:
        name: one of snail (JPEG artifacts), library and vase (a large hole), F16 (noise, σ = 25),
            kate (text), zebra (four times larger) and lena (the authors do not say).
        count: how many frames, dense at first and sparse later; None for all, 8 MB (snail) to
            35 MB (library).
        steps: these iterations instead, multiples of 50.

    Returns:
        Snapshots as `fit` would have made them: `x` is the output, (1, 3, H, W) in [0, 1]; `x_avg`,
        `best` and `network` are the same picture, since no average was published; `loss`,
        `seconds` and `variance` are NaN.

    Raises:
        PictureError: an unknown name or iteration, no network, or a file with another hash than the
            published one; in one sentence, which says what to do.
    """
    return [_snapshot(step, load(path)) for step, path in fetch_run(name, count, steps).items()]


def _snapshot(step: int, x: Tensor) -> Snapshot:
    return Snapshot(
        step=step, seconds=math.nan, loss=math.nan, x=x, x_avg=x, variance=math.nan, best=x,
        best_step=step, network=x,
    )  # fmt: skip
