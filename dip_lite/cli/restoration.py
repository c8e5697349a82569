"""One restoration from file to file.

    result = restore(RestoreRequest("noisy.png", "clean.png", seconds=60))
    print(result.sentence())

Wrong input is refused before the first step, and files are written whole or not at all. Ctrl-C ends
the run at its next step and keeps the best picture so far.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from ..engine.loop import Run, Snapshot, fit, logarithmic
from ..engine.task import Task
from ..errors import RecordError
from ..images.io import check_same_size, check_writable, load, match_channels, save
from ..images.metrics import psnr
from ..records import Recorder
from .files import identity
from .inputs import Inputs, build_task, read_inputs
from .options import COMPANIONS
from .report import Result, build_report, write_report
from .request import RestoreRequest
from .resume import check_inputs, record_settings, recorded_threads, resume_request

LOG_EVERY = 5.0  # seconds between two states of the bar where nobody can see it move
BAR = "{l_bar}{bar}| {n:.0f} of at most {total:.0f} {unit}{postfix}"


class Interrupt:
    """Turns the first Ctrl-C into `requested`; the second raises KeyboardInterrupt as usual."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> Interrupt:
        self.installed = threading.current_thread() is threading.main_thread()
        if self.installed:
            self.previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.installed:
            signal.signal(signal.SIGINT, self.previous)

    def _handle(self, number: int, frame: object) -> None:
        self.requested = True
        signal.signal(signal.SIGINT, self.previous)


def restore(request: RestoreRequest, label: str = "") -> Result:
    """Restores one picture.

    Args:
        request: what to do.
        label: what the progress bar begins with.

    Raises:
        PictureError, ValueError: wrong input; nothing has been written.
        RecordError: the record could not be kept to the end; the result has been written.
        FitError: the fit cannot go on.
    """
    check_outputs(request)
    request = resume_request(request)
    with recorded_threads(request):
        inputs = read_inputs(request)
        check_inputs(request, inputs)
        task, settings = build_task(request, inputs)
        x_true = _read_reference(request, task, inputs.x0)
        run = Run(task, seed=request.seed, device=request.device)
        recording = _Recording(request, inputs, run, x_true)
        last = _fit(run, recording.add, request, label)
        save(last.best, request.output)
        report = build_report(request, settings, run, last, x_true, inputs.x0)
    if request.report:
        write_report(request.report, report)
    if recording.error:
        raise recording.error
    return Result(request.output, last.stop_reason, report)


def check_outputs(request: RestoreRequest) -> None:
    """Raises at once what writing the result or the report would raise after the fit.

    A result that would replace one of the pictures that were given is refused, too.
    """
    check_writable(request.output)
    given = [request.picture, request.reference]
    given += [request.options.get(name) for name in (*COMPANIONS, "guide")]
    kept = {identity(path) for path in given if path}
    for path in (request.output, request.report):
        if path and identity(path) in kept:
            raise ValueError(f"{path} was given, and would be replaced: choose another name")
    if request.report:
        if Path(request.report).resolve() == Path(request.output).resolve():
            raise ValueError("the report and the picture cannot be the same file")
        check_writable(request.report, picture=False)


class _Recording:
    """The record of a run, if one is kept; after an error the fit goes on without it.

    A resumed record puts the run where it stopped.
    """

    def __init__(
        self, request: RestoreRequest, inputs: Inputs, run: Run, x_true: Tensor | None
    ) -> None:
        self.run, self.x_true = run, x_true
        self.error: RecordError | None = None  # a full disk, for example
        self.recorder: Recorder | None = None
        if request.record:
            settings = record_settings(request, inputs, run.device)
            self.recorder = Recorder(request.record, settings)
        elif request.resume:
            self.recorder = Recorder.reopen(request.resume, run)

    def add(self, snap: Snapshot) -> None:
        if self.recorder is None or self.error is not None:
            return
        columns: dict[str, float] = {}
        if self.x_true is not None:
            columns["psnr_true"] = psnr(snap.x_avg.clamp(0, 1), self.x_true)
        try:
            self.recorder.add(snap, self.run.state(), **columns)
        except RecordError as error:
            self.error = error


def _fit(
    run: Run, on_snapshot: Callable[[Snapshot], None], request: RestoreRequest, label: str
) -> Snapshot:
    """Fits to the end behind a progress bar; Ctrl-C ends it at the next step."""
    seconds, stop = request.time_limit(), not request.no_stop
    recording = bool(request.record or request.resume)
    with _progress_bar(run, seconds, request.steps, label) as bar, Interrupt() as interrupt:

        def schedule(step: int, spent: float) -> bool:
            bar.set_postfix_str(f"step {step}, energy {run.loss:.4f}", refresh=False)
            bar.update(min(bar.total, step if seconds is None else spent) - bar.n)
            return interrupt.requested or (recording and logarithmic(step, spent))

        for snap in fit(run, seconds=seconds, steps=request.steps, stop=stop, schedule=schedule):
            if interrupt.requested and not snap.stop_reason:
                snap = run.snapshot("interrupted: Ctrl-C", stop)
            on_snapshot(snap)
            if snap.rollback:
                bar.write(f"Note: {snap.rollback}.", file=sys.stderr)
            if snap.stop_reason:
                break
    return snap


def _progress_bar(run: Run, seconds: float | None, steps: int | None, label: str) -> Any:
    """A bar over the time limit, or over the steps where there is none."""
    from tqdm import tqdm

    done, total, unit = run.seconds, seconds, "s"
    if total is None:
        limit = run.task.settings.steps if steps is None else steps
        done, total, unit = run.step, limit, "steps"
    total = total or 1  # tqdm takes 0 for unknown
    shown = {"unit": unit, "bar_format": BAR, "desc": label or None}
    pace = 0.1 if sys.stderr.isatty() else LOG_EVERY
    return tqdm(total=total, initial=min(total, done), mininterval=pace, **shown)


def _read_reference(request: RestoreRequest, task: Task, x0: Tensor) -> Tensor | None:
    """The clean picture, of the result's size and channels."""
    if request.reference is None:
        return None
    x_true = load(request.reference)
    resized = task.size != tuple(x0.shape[2:])
    result = x0.new_empty(1, 1, *task.size)
    check_same_size(result, x_true, "reference", of="result" if resized else "picture")
    return match_channels(x_true, x0)
