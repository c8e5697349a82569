"""Runs with the authors' networks and settings, made once in more than an hour each, and shipped.

    ours = long_run("jpeg")          # 50 000 iterations on a JPEG file, the paper's Fig. 3
    Scrubber(ours.snaps, ours.x_true, "x", x0=ours.x0, scores=ours.scores)

    jpeg     coffee as a JPEG of quality 10: the snail's network and settings, 50 000 iterations
             (paper, section 3.1 and Fig. 3)
    noise    astronaut with noise of σ = 25: those for F16, 3000 iterations (section 3.1)

`benchmarks/long_runs.py` makes them. Frames are kept as WebP, which loses colour detail and
some noise, but for the outputs of `jpeg` at steps 100, 2400 and 50 000 and of `noise` at 1800 and
3000; scores, losses and times are those of the run.
"""

import csv
import io
import json
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from ..engine.loop import Snapshot
from ..images.io import load

FOLDER = Path(__file__).with_name("runs")
LONG_RUNS = ("jpeg", "noise")


class LongRun:
    """A shipped run: a folder with run.json, frames.pack, curve.csv and three pictures.

    Attributes:
        info: what run.json says: "caption"; "machine"; "input", the PSNR of x0 in dB; "size";
            "numbers" of the last step; "frames", as `viz/scrubber/scrubber.js` describes them.
        pack: the WebPs of the frames, one after another.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info: dict[str, Any] = json.loads((folder / "run.json").read_text("utf-8"))
        self.pack = (folder / "frames.pack").read_bytes()

    @property
    def ends(self) -> list[int]:
        """Where in the pack the first frame begins and where each ends, in bytes."""
        return [0, *accumulate(row[-2] + row[-1] for row in self.info["frames"])]

    @cached_property
    def x0(self) -> Tensor:
        """The degraded picture, (1, 3, H, W)."""
        return load(self.folder / "before.webp")

    @cached_property
    def x_true(self) -> Tensor:
        """The clean picture, (1, 3, H, W)."""
        return load(self.folder / "truth.webp")

    @property
    def scores(self) -> dict[int, tuple[float, float]]:
        """step → PSNR in dB of the moving average and of the output, of every snapshot."""
        return {row[0]: (row[3], row[4]) for row in self.info["frames"]}

    @property
    def curve(self) -> dict[str, list[float]]:
        """Columns "step", "output" and "average", with PSNRs in dB at more steps than snapshots."""
        with open(self.folder / "curve.csv", encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        return {name: [float(row[i]) for row in rows] for i, name in enumerate(head)}

    @cached_property
    def snaps(self) -> list[Snapshot]:
        """Snapshots as `fit` makes them, but for the WebP; `variance` is NaN, `best` is x_avg."""
        return [
            self._snapshot(row, self.pack[start:end])
            for row, (start, end) in zip(self.info["frames"], pairwise(self.ends), strict=True)
        ]

    def _snapshot(self, row: list[Any], frame: bytes) -> Snapshot:
        step, seconds, loss = row[:3]
        reason = self.info["stop_reason"] if step == self.info["numbers"]["step"] else ""
        average, output = (
            load(Image.open(io.BytesIO(webp))) for webp in (frame[: row[-2]], frame[row[-2] :])
        )
        return Snapshot(
            step=step, seconds=seconds, loss=loss, x=output, x_avg=average, variance=float("nan"),
            best=average, best_step=step, network=average, stop_reason=reason,
        )  # fmt: skip


def long_run(name: str) -> LongRun:
    """One of the shipped runs.

    Args:
        name: "jpeg" or "noise".

    Returns:
        The run, with pictures of (1, 3, 256, 256); read when they are asked for.

    Raises:
        ValueError: there is no such run.

    >>> ours = long_run("jpeg")
    >>> ours.snaps[-1].step, ours.snaps[-1].x.shape
    (50000, torch.Size([1, 3, 256, 256]))
    """
    if name not in LONG_RUNS:
        raise ValueError(f"name must be one of {', '.join(LONG_RUNS)}, got {name!r}")
    return LongRun(FOLDER / name)
