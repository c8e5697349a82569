"""When a run takes a snapshot, for the scrubber or as a live preview.

schedule = SnapshotSchedule(72, seconds=20.0)
for snap in fit(task, schedule=schedule): ...       # schedule.is_frame, schedule.is_preview
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

PREVIEW_INTERVAL = 0.5  # seconds
EARLY_DENSITY = 15.0  # how much denser the first frames are than the last
MAX_OVERHEAD = 0.08  # share of the time that snapshots may take


@dataclass
class SnapshotSchedule:
    """A schedule of `fit`: about `count` frames, dense at first, and previews in between.

    After a call that returns True, `is_frame` and `is_preview` say what the snapshot is for. Where
    they are slow there are fewer, so that they take at most `MAX_OVERHEAD` of the time.
    """

    count: int
    seconds: float
    steps: int = 0  # 0 = unlimited
    stop_file: Path | None = None
    is_frame: bool = True
    is_preview: bool = True
    frames: int = 0
    recorded: int = 0  # frames dealt with
    own: float = 0.0  # seconds that snapshots took on the fitting thread
    spent: float = 0.0  # and on all threads
    cost: float = 0.0  # the same for one frame, previews included
    last: float = field(default_factory=time.perf_counter)
    last_preview: float = field(default_factory=time.perf_counter)

    @property
    def stopped(self) -> bool:
        """Whether somebody asked to stop."""
        return self.stop_file is not None and self.stop_file.exists()

    def __call__(self, step: int, seconds: float, behind: bool = False) -> bool:
        """Whether to take a snapshot now.

        Args:
            step: steps made.
            seconds: time used.
            behind: earlier snapshots are not encoded yet, so that a preview has to wait.
        """
        done = max(seconds / self.seconds, step / self.steps if self.steps else 0.0)
        share = math.log1p(EARLY_DENSITY * min(done, 1.0)) / math.log1p(EARLY_DENSITY)
        due, now = int(self.count * share), time.perf_counter()
        affordable = self.spent + self.cost <= MAX_OVERHEAD * self.seconds * share
        interval = max(PREVIEW_INTERVAL, self.cost / MAX_OVERHEAD)
        self.is_frame = due > self.frames and affordable
        self.is_preview = not behind and now - self.last_preview >= interval
        if self.is_preview:
            self.last_preview = now
        if self.is_frame:
            self.frames = due
        self.last = now
        over = seconds >= self.seconds or self.stopped
        return self.is_frame or self.is_preview or over

    def record_cost(self, encoding: float) -> None:
        """Call it when a snapshot has been dealt with.

        Args:
            encoding: seconds that another thread has spent on snapshots so far.
        """
        self.own += time.perf_counter() - self.last
        self.recorded += self.is_frame
        self.spent = self.own + encoding
        self.cost = self.spent / max(self.recorded, 1)
