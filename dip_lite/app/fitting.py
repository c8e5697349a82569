"""The fit behind a run, as a stream of events.

    for event in stream_fit(request, inputs, limits, folder):
        ...                                       # Started, Progress, Frame …, Finished

The events are plain values, because hosts that lend a GPU run the fit in another process. For the
same reason it is stopped by files in its folder: with `stop` it finishes after the current step,
with `abandon` as well it just ends. Pictures are encoded on another thread (`encoder.py`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..engine.loop import Run, Snapshot, fit
from ..images.io import encode_png, to_pil
from ..images.metrics import psnr, ssim
from ..records import Recorder
from .encoder import EventEncoder, data_uri, encode_webp
from .events import Event, Finished, Frame, Numbers, Progress, Started
from .limits import Limits
from .request import RunRequest
from .restoration import Inputs, Restoration, build_restoration
from .schedule import SnapshotSchedule

STOP, ABANDON = "stop", "abandon"  # files in a run's folder
PREVIEW_SIDE = 384  # pixels
UNLIMITED = 2**40  # steps
FIRST_STATE = 0.5  # seconds after which the first is recorded, where states are
STATE_OVERHEAD = 0.01  # share of the time that copying states may take


def stream_fit(
    request: RunRequest, inputs: Inputs, limits: Limits, folder: Path,
    state_interval: float = math.inf, elapsed: float = 0.0,
) -> Iterator[Event]:  # fmt: skip
    """Fits what was requested, and records it in `folder`; goes on with a record that is there.

    The time limit counts from the first step.

    Args:
        request, inputs, limits: what to fit.
        folder: of the run; the record is in `folder/record`.
        state_interval: seconds between two states in the record, at least.
        elapsed: seconds since the first step, on the workers before.

    Raises:
        UserError, FitError: it cannot be done; one sentence for the visitor.
        RecordError: the record cannot be written.
    """
    restoration = build_restoration(request, inputs, limits)
    yield _started(restoration)
    run = Run(restoration.task, seed=request.seed)
    with EventEncoder() as encoder:
        logger = _RunLogger(run, folder, request, restoration.truth, state_interval, elapsed)
        yield from _stream_steps(run, request, request.time_limit(limits), logger, encoder)


def _stream_steps(
    run: Run, request: RunRequest, seconds: float, logger: _RunLogger, encoder: EventEncoder
) -> Iterator[Event]:
    folder, stop = logger.folder, not request.ignore_stop
    schedule = SnapshotSchedule(request.snapshots, seconds, request.steps, folder / STOP)

    def take_snapshot(step: int, _: float) -> bool:
        logger.keep_best_raw()
        return schedule(step, logger.seconds, encoder.behind)  # by the clock, snapshots included

    for snap in fit(run, steps=request.steps or UNLIMITED, stop=stop, schedule=take_snapshot):
        if schedule.stopped and (folder / ABANDON).exists():
            return
        reason = "stopped by you" if schedule.stopped else ""
        if not reason and snap.step and logger.seconds >= seconds:
            reason = f"seconds: {seconds:g} used"
        if reason and not snap.stop_reason:
            snap = replace(run.snapshot(reason, stop=stop), rollback=snap.rollback)
        is_frame = schedule.is_frame or bool(snap.stop_reason)
        encoder.submit(logger.job(snap, is_frame, schedule.is_preview))
        yield from encoder.ready()
        if snap.stop_reason:
            yield from encoder.drain()
            yield from logger.finish(snap)
            return
        schedule.record_cost(encoder.seconds)


def _started(restoration: Restoration) -> Started:
    height, width = restoration.before.shape[2:]
    before, truth = restoration.before, restoration.truth
    webp = None if truth is None else encode_webp(truth, quality=88)
    return Started((width, height), encode_webp(before, quality=88), webp, restoration.note)


class _RunLogger:
    """Writes a run's record, and turns its snapshots into events."""

    def __init__(
        self, run: Run, folder: Path, request: RunRequest, truth: Tensor | None,
        state_interval: float, elapsed: float,
    ) -> None:  # fmt: skip
        self.run, self.folder, self.truth = run, folder, truth
        self.keep_raw, record = request.keep_raw, folder / "record"
        if (record / "state.pt").exists():
            self.recorder = Recorder.reopen(record, run, sync=False)
            self.recorder.keep_raw = self.keep_raw
        else:
            settings = request.model_dump()
            self.recorder = Recorder(record, settings, sync=False, keep_raw=self.keep_raw)
        self.steps: list[int] = [row["step"] for row in self.recorder.rows]  # of the frames
        # the raw output at the step that the stopping rule would pick; None: another worker had it
        self.best_raw = None if run.best_avg_step else run.x
        self.state_interval, self.next_state = state_interval, min(state_interval, FIRST_STATE)
        self.started = time.perf_counter() - max(run.seconds, elapsed)

    @property
    def seconds(self) -> float:
        """Since the first step began, by the clock."""
        return time.perf_counter() - self.started

    def keep_best_raw(self) -> None:
        """Call it after every step."""
        if self.keep_raw and self.run.best_avg_step == self.run.step > 0:
            self.best_raw = self.run.x

    def job(self, snap: Snapshot, is_frame: bool, is_preview: bool) -> Callable[[], list[Event]]:
        """What is left to do in the background for a snapshot: all but what needs PyTorch."""
        level, loss = self._psnr(snap.x_avg), snap.loss if math.isfinite(snap.loss) else None
        numbers: Numbers = {"step": snap.step, "seconds": round(self.seconds, 1), "loss": loss}
        if level is not None:
            numbers["psnr"] = round(level, 2)
        frame = None
        if is_frame:
            self.steps.append(snap.step)
            level_raw = self._psnr(snap.x) if self.keep_raw else None
            frame = Frame(snap.step, self.seconds, snap.loss, b"", b"", level, level_raw)
        if not self.keep_raw:
            snap = replace(snap, x=snap.x_avg, best=snap.network)  # so that the others are freed
        state = self._state() if snap.stop_reason or (is_frame and self._state_is_due()) else None
        return partial(self._encode, snap, Progress(numbers), frame, is_preview, state)

    def _state_is_due(self) -> bool:
        return self.run.step > 0 and self.seconds >= self.next_state

    def _state(self) -> dict[str, Any]:
        """The run's state; the next one is due when this one's cost is a hundredth of the time."""
        begun = time.perf_counter()
        state = self.run.state()
        cost = time.perf_counter() - begun
        self.next_state = self.seconds + max(self.state_interval, cost / STATE_OVERHEAD)
        return state

    def _encode(
        self, snap: Snapshot, progress: Progress, frame: Frame | None, is_preview: bool,
        state: dict[str, Any] | None,
    ) -> list[Event]:  # fmt: skip
        """Called in the background. Tensors are not computed with: that would start threads."""
        picture = to_pil(snap.x_avg)
        preview = data_uri(picture, PREVIEW_SIDE) if is_preview else ""
        events: list[Event] = [replace(progress, preview=preview)]
        if frame is not None:
            events.append(self._with_pictures(frame, picture, snap.x))
            levels = {"psnr_true": frame.psnr, "psnr_out": frame.psnr_raw}
            columns = {name: level for name, level in levels.items() if level is not None}
            self.recorder.add(snap, state, **columns)
        return events

    def finish(self, snap: Snapshot) -> Iterator[Event]:
        """The frame that the stopping rule picked, unless it was sent already, and the result."""
        best = self.run.best_avg_step
        if best and best not in self.steps:
            yield self._frame_of_best(self.seconds * best / max(snap.step, 1))  # near enough
        # otherwise time was up before the rule could tell
        auto = best if self.run.rule.done and best else None
        numbers: Numbers = {"best_step": snap.best_step, "auto_step": auto}
        if not torch.equal(snap.best, snap.network):
            numbers["fused"] = True
        if self.truth is not None:
            result = snap.best.clamp(0, 1)
            numbers |= {"psnr": self._psnr(result), "ssim": round(ssim(result, self.truth), 3)}
        yield Finished(encode_png(snap.best), snap.stop_reason, numbers)

    def _frame_of_best(self, seconds: float) -> Frame:
        average = self.run.task.postprocess(self.run.best_avg).detach().cpu()
        raw, step = self.best_raw, self.run.best_avg_step
        raw = raw.detach().cpu() if self.keep_raw and raw is not None else None
        level, level_raw = self._psnr(average), None if raw is None else self._psnr(raw)
        frame = Frame(step, seconds, math.nan, b"", b"", level, level_raw)
        return self._with_pictures(frame, to_pil(average), raw)

    def _with_pictures(self, frame: Frame, average: Image.Image, raw: Tensor | None) -> Frame:
        kept = encode_webp(raw, quality=76) if self.keep_raw and raw is not None else b""
        return replace(frame, average=encode_webp(average), raw=kept)

    def _psnr(self, x: Tensor) -> float | None:
        if self.truth is None:
            return None
        level = psnr(x.clamp(0, 1), self.truth)
        return level if math.isfinite(level) else None
