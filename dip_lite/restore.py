"""One restoration from file to file: what the command line asks for, done.

    result = restore(Job(picture="noisy.png", output="clean.png", seconds=60))
    print(result.sentence())

Everything that can be refused is refused before the first step, and files appear whole or not at
all. Ctrl-C, or any other reason to set `Interrupt.asked`, ends the run at its next step and keeps
the best picture so far.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from .fit import Run, Snapshot, fit, logarithmic
from .images import atomic_write, check_same_size, check_writable, load, match_channels, save
from .job import Job, Result
from .metrics import psnr
from .record import Recorder, RecordError
from .report import report
from .resume import check_inputs, continued, settings
from .task import Task
from .verbs import Inputs, make, read


class Interrupt:
    """Turns the first Ctrl-C into a wish to stop; the second is Python's own."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Interrupt:
        self.mine = threading.current_thread() is threading.main_thread()
        if self.mine:
            self.before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.mine:
            signal.signal(signal.SIGINT, self.before)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, self.before)


def restore(job: Job, label: str = "") -> Result:
    """Does the job.

    Args:
        job: what to do.
        label: what the progress bar begins with.

    Raises:
        PictureError, ValueError: wrong input, in one sentence; nothing has been written then.
        RecordError: the record could not be kept to the end; the result has been written.
        FitError: the fit cannot go on.
    """
    check_outputs(job)
    job = continued(job.complete())
    inputs = read(job)
    check_inputs(job, inputs)
    task, told = make(job, inputs)
    x_true = _reference(job, task, inputs.x0)
    run = Run(task, seed=job.seed, device=job.device)
    recorder = _recorder(job, inputs, run)
    failed: list[RecordError] = []

    def keep(snap: Snapshot) -> None:
        if recorder is None or failed:
            return
        seen = {} if x_true is None else {"psnr_true": psnr(snap.x_avg.clamp(0, 1), x_true)}
        try:
            recorder.add(snap, run, **seen)
        except RecordError as error:  # a full disk, say: the fit goes on, and its result is kept
            failed.append(error)

    last = _watch(run, keep, job, label)
    save(last.best, job.output)
    happened = report(job, told, run, last, x_true, inputs.x0)
    if job.report:
        write_report(job.report, happened)
    if failed:
        raise failed[0]
    return Result(job.output, last.why, happened)


def check_outputs(job: Job) -> None:
    """Raises now what writing the result or the report would raise after a minute of work."""
    check_writable(job.output)
    if job.report:
        if Path(job.report).resolve() == Path(job.output).resolve():
            raise ValueError("the report and the picture cannot be the same file")
        check_writable(job.report, picture=False)


def write_report(path: str, told: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Strict JSON, whole or not at all."""
    atomic_write(path, (json.dumps(told, indent=2, allow_nan=False) + "\n").encode())


def _watch(run: Run, keep: Callable[[Snapshot], None], job: Job, label: str) -> Snapshot:
    """Fits to the end behind a progress bar; a wish to stop is granted at the next step."""
    from tqdm import tqdm

    seconds = job.budget()
    limit = run.task.settings.steps if job.steps is None else job.steps
    timed = seconds is not None
    total = seconds if seconds is not None else float(limit)
    done = run.seconds if timed else run.step
    shape = "{l_bar}{bar}| {n:.0f}/{total:.0f} {unit}, {remaining} left at most{postfix}"
    unit = "s" if timed else "steps"
    bar = tqdm(
        total=total or 1, initial=min(total, done), unit=unit, bar_format=shape, desc=label or None
    )
    recording = bool(job.record or job.resume)
    with bar, Interrupt() as interrupt:

        def wanted(step: int, spent: float) -> bool:
            bar.set_postfix_str(f"step {step}, energy {run.loss:.4f}", refresh=False)
            bar.update(min(total, spent if timed else step) - bar.n)
            return interrupt.asked or (recording and logarithmic(step, spent))

        for snap in fit(
            run, seconds=seconds, steps=job.steps, stop=not job.no_stop, schedule=wanted
        ):
            if interrupt.asked and not snap.why:
                snap = run.snapshot("interrupted: Ctrl-C", not job.no_stop)
            keep(snap)
            if snap.restored:
                tqdm.write(f"Note: {snap.restored}.", file=sys.stderr)
            if snap.why:
                break
    return snap


def _reference(job: Job, task: Task, x0: Tensor) -> Tensor | None:
    """The clean picture, of the result's size and channels."""
    if job.reference is None:
        return None
    x_true = load(job.reference)
    resized = task.size != tuple(x0.shape[2:])
    result = x0.new_empty(1, 1, *task.size)
    check_same_size(result, x_true, "reference", of="result" if resized else "picture")
    return match_channels(x_true, x0)


def _recorder(job: Job, inputs: Inputs, run: Run) -> Recorder | None:
    """Where the run is kept, if anywhere; a resumed record also puts the run where it was."""
    if job.record:
        return Recorder(job.record, settings(job, inputs, run.device))
    return Recorder.reopen(job.resume, run) if job.resume else None
