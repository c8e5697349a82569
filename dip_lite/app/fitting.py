"""The fit behind a run, as a stream of events.

    for event in stream_fit(request, inputs, limits, folder):
        ...                                       # Started, Progress, Frame …, Finished

The events are plain values, because hosts that lend a GPU run the fit in another process. For the
same reason it is stopped by files in its folder: with `stop` it finishes after the current step,
with `abandon` as well it just ends.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor

from ..engine.loop import Run, Snapshot, fit
from ..images.io import encode_png
from ..images.metrics import psnr, ssim
from ..records import Recorder
from .limits import Limits
from .previews import data_uri, encode_webp
from .request import RunRequest
from .restoration import Inputs, Restoration, build_restoration

STOP, ABANDON = "stop", "abandon"  # files in a run's folder
PREVIEW_INTERVAL = 0.4  # seconds
UNLIMITED = 2**40  # steps
EARLY_DENSITY = 15.0  # how much denser the first snapshots are than the last

Numbers = dict[str, float | int | None]


@dataclass(frozen=True)
class Started:
    """The task is ready to be fitted."""

    size: tuple[int, int]  # (W, H)
    before: bytes  # WebP
    truth: bytes | None  # WebP of the clean picture, where it is known
    note: str


@dataclass(frozen=True)
class Progress:
    """What the page shows until the next event."""

    numbers: Numbers
    preview: str  # a data URI


@dataclass(frozen=True)
class Frame:
    """One snapshot for the scrubber."""

    step: int
    seconds: float
    loss: float
    average: bytes  # WebP
    raw: bytes  # WebP
    psnr: float | None = None  # of the moving average, to the clean picture
    psnr_raw: float | None = None

    def row(self) -> list[float | int | None]:
        """Its numbers, and the lengths of its two pictures."""
        numbers = (self.seconds, self.loss, self.psnr, self.psnr_raw)
        finite = [None if n is None or not math.isfinite(n) else round(n, 6) for n in numbers]
        return [self.step, *finite, len(self.average), len(self.raw)]


@dataclass(frozen=True)
class Finished:
    """The result, and why the run ended."""

    result: bytes  # PNG
    stop_reason: str
    numbers: Numbers


Event = Started | Progress | Frame | Finished


@dataclass
class SnapshotSchedule:
    """A schedule of `fit`: about `count` frames, dense at first, and previews in between.

    After a call that returns True, `is_frame` tells a frame from a preview. Where snapshots are
    slow there are fewer, so that they take at most a third of the time.
    """

    count: int
    seconds: float
    steps: int = 0  # 0 = unlimited
    stop_file: Path | None = None
    is_frame: bool = True
    frames: int = 0
    cost: float = 0.0  # seconds per snapshot, recently
    last: float = field(default_factory=time.perf_counter)

    @property
    def stopped(self) -> bool:
        """Whether somebody asked to stop."""
        return self.stop_file is not None and self.stop_file.exists()

    def __call__(self, step: int, seconds: float) -> bool:
        done = max(seconds / self.seconds, step / self.steps if self.steps else 0.0)
        share = math.log1p(EARLY_DENSITY * min(done, 1.0)) / math.log1p(EARLY_DENSITY)
        due, now = int(self.count * share), time.perf_counter()
        cheap = self.cost * self.count <= self.seconds / 3
        rested = cheap or now - self.last >= 2 * self.cost
        self.is_frame = due > self.frames and rested
        over = seconds >= self.seconds or self.stopped
        if self.is_frame or over or (rested and now - self.last >= PREVIEW_INTERVAL):
            self.frames, self.last = max(due, self.frames), now
            return True
        return False

    def record_cost(self) -> None:
        """Call it when the snapshot has been dealt with."""
        now = time.perf_counter()
        self.cost, self.last = (self.cost + now - self.last) / (2 if self.cost else 1), now


def stream_fit(
    request: RunRequest, inputs: Inputs, limits: Limits, folder: Path
) -> Iterator[Event]:
    """Fits what was requested, and records it in `folder`.

    Raises:
        UserError, FitError: it cannot be done; one sentence for the visitor.
        RecordError: the record cannot be written.
    """
    started, seconds = time.perf_counter(), request.time_limit(limits)
    restoration = build_restoration(request, inputs, limits)
    yield _started(restoration)
    run = Run(restoration.task, seed=request.seed)
    logger = _RunLogger(run, folder, request, restoration.truth, started)
    setup = logger.seconds
    left = max(seconds - setup, 0.001)
    schedule = SnapshotSchedule(request.snapshots, left, request.steps, folder / STOP)

    def take_snapshot(step: int, _: float) -> bool:
        logger.keep_best_output()
        return schedule(step, logger.seconds - setup)  # by the clock, snapshots included

    stop = not request.ignore_stop
    for snap in fit(run, steps=request.steps or UNLIMITED, stop=stop, schedule=take_snapshot):
        if schedule.stopped and (folder / ABANDON).exists():
            return
        reason = "stopped by you" if schedule.stopped else ""
        if not reason and snap.step and logger.seconds >= seconds:
            reason = f"seconds: {seconds:g} used"
        if reason and not snap.stop_reason:
            snap = replace(run.snapshot(reason, stop=stop), rollback=snap.rollback)
        yield logger.progress(snap)
        if schedule.is_frame or snap.stop_reason:
            yield logger.frame(snap)
        if snap.stop_reason:
            yield from logger.finish(snap)
            return
        schedule.record_cost()


def _started(restoration: Restoration) -> Started:
    height, width = restoration.before.shape[2:]
    before, truth = restoration.before, restoration.truth
    webp = None if truth is None else encode_webp(truth, quality=88)
    return Started((width, height), encode_webp(before, quality=88), webp, restoration.note)


class _RunLogger:
    """Writes a run's record, and turns its snapshots into events."""

    def __init__(
        self, run: Run, folder: Path, request: RunRequest, truth: Tensor | None, started: float
    ) -> None:
        self.run, self.truth, self.started = run, truth, started
        self.steps: list[int] = []  # of the frames
        self.best_output: tuple[int, Tensor] = (0, run.x)  # its step, and the raw output there
        self.recorder = Recorder(folder / "record", request.model_dump(), sync=False)

    @property
    def seconds(self) -> float:
        """Since the run started, by the clock."""
        return time.perf_counter() - self.started

    def keep_best_output(self) -> None:
        """Keeps the raw output of the step that the stopping rule would pick."""
        if self.run.best_avg_step == self.run.step > 0:
            self.best_output = (self.run.step, self.run.x)

    def progress(self, snap: Snapshot) -> Progress:
        loss = snap.loss if math.isfinite(snap.loss) else None
        numbers: Numbers = {"step": snap.step, "seconds": round(self.seconds, 1), "loss": loss}
        if (level := self._psnr(snap.x_avg)) is not None:
            numbers["psnr"] = round(level, 2)
        return Progress(numbers, data_uri(snap.x_avg))

    def frame(self, snap: Snapshot) -> Frame:
        frame = self._frame(snap.step, self.seconds, snap.loss, snap.x_avg, snap.x)
        levels = {"psnr_true": frame.psnr, "psnr_out": frame.psnr_raw}
        columns = {name: level for name, level in levels.items() if level is not None}
        state = self.run.state() if snap.stop_reason else None  # nobody resumes a demo run midway
        self.recorder.add(snap, state, **columns)
        return frame

    def finish(self, snap: Snapshot) -> Iterator[Event]:
        """The frame that the stopping rule picked, unless it was sent already, and the result."""
        best, output = self.run.best_avg_step, self.best_output[1].detach().cpu()
        if best and best == self.best_output[0] and best not in self.steps:
            average = self.run.task.postprocess(self.run.best_avg).detach().cpu()
            seconds = self.seconds * best / max(snap.step, 1)  # near enough
            yield self._frame(best, seconds, math.nan, average, output)
        auto = best if self.run.rule.done else None  # else time was up before the rule could tell
        numbers: Numbers = {"best_step": snap.best_step, "auto_step": auto}
        if self.truth is not None:
            result = snap.best.clamp(0, 1)
            numbers |= {"psnr": self._psnr(result), "ssim": round(ssim(result, self.truth), 3)}
        yield Finished(encode_png(snap.best), snap.stop_reason, numbers)

    def _frame(self, step: int, seconds: float, loss: float, average: Tensor, raw: Tensor) -> Frame:
        self.steps.append(step)
        pictures = encode_webp(average), encode_webp(raw, quality=76)
        return Frame(step, seconds, loss, *pictures, self._psnr(average), self._psnr(raw))

    def _psnr(self, x: Tensor) -> float | None:
        if self.truth is None:
            return None
        level = psnr(x.clamp(0, 1), self.truth)
        return level if math.isfinite(level) else None
