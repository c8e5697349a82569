"""One restoration from file to file: what the command line asks for, done.

    result = restore(Job(picture="noisy.png", output="clean.png", seconds=60))
    print(result.sentence())

Everything that can be refused is refused before the first step, and files appear whole or not at
all. Ctrl-C, or any other reason to set `Interrupt.asked`, ends the run at its next step and keeps
the best picture so far.
"""

from __future__ import annotations

import hashlib
import json
import math
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import __version__, hardware
from .degrade import estimate_sigma
from .fit import Run, Snapshot, fit, logarithmic
from .images import atomic_write, check_same_size, check_writable, load, match_channels, save
from .metrics import psnr, ssim
from .record import Record, Recorder, RecordError
from .tasks import ENERGY, denoise

SHAPING = ("sigma", "preset", "energy", "seed")  # what a resumed run takes from its record
BUDGET = ("seconds", "steps", "no_stop")  # and what it takes unless told anew


@dataclass(frozen=True)
class Job:
    """What to restore and how; the options of `python -m dip_lite denoise`."""

    picture: str
    output: str
    sigma: float | None = None  # on the [0, 1] scale; None: estimated
    seconds: float | None = None  # None with no steps either: 60 for the fast preset
    steps: int | None = None
    preset: str = "fast"
    energy: str | None = None
    no_stop: bool = False
    seed: int = 0
    device: str = "auto"
    reference: str | None = None
    record: str | None = None
    resume: str | None = None
    report: str | None = None
    given: frozenset[str] = frozenset()  # options the user spelt out, for --resume to check


@dataclass(frozen=True)
class Result:
    """What happened; `report` is what --report writes."""

    output: str
    why: str
    report: dict[str, Any] = field(default_factory=dict)

    def sentence(self) -> str:
        """The last line a user reads."""
        told = self.report
        known = told.get("psnr") is not None
        quality = f", {told['psnr']:.2f} dB against the reference" if known else ""
        return (
            f"Wrote {self.output}: step {told['step_returned']} of {told['steps']}, "
            f"{told['seconds']:.1f} s{quality} (ended by {self.why})."
        )


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


def restore(job: Job) -> Result:
    """Does the job.

    Raises:
        PictureError, ValueError: wrong input, in one sentence; nothing has been written then.
        RecordError: the record could not be kept to the end; the result has been written.
        FitError: the fit cannot go on.
    """
    x0 = load(job.picture)
    x_true = _reference(job, x0)
    check_writable(job.output)
    if job.report:
        if Path(job.report).resolve() == Path(job.output).resolve():
            raise ValueError("the report and the picture cannot be the same file")
        check_writable(job.report, picture=False)
    job = _resumed(job, x0)
    sigma = estimate_sigma(x0) if job.sigma is None else job.sigma
    task = denoise(x0, sigma, preset=job.preset, energy=job.energy, seed=job.seed)
    seconds = 60.0 if (job.seconds, job.steps, job.preset) == (None, None, "fast") else job.seconds
    run = Run(task, seed=job.seed, device=job.device)
    recorder = _recorder(job, x0, run)
    failed: list[RecordError] = []

    def keep(snap: Snapshot) -> None:
        if recorder is None or failed:
            return
        told = {} if x_true is None else {"psnr_true": psnr(snap.x_avg.clamp(0, 1), x_true)}
        try:
            recorder.add(snap, run, **told)
        except RecordError as error:  # a full disk, say: the fit goes on, and its result is kept
            failed.append(error)

    last = _watch(run, keep, seconds, job)
    save(last.best, job.output)
    report = _report(job, sigma, run, last, x_true)
    if job.report:
        atomic_write(job.report, (json.dumps(report, indent=2, allow_nan=False) + "\n").encode())
    if failed:
        raise failed[0]
    return Result(job.output, last.why, report)


def _watch(run: Run, keep: Callable[[Snapshot], None], seconds: float | None, job: Job) -> Snapshot:
    """Fits to the end behind a progress bar; a wish to stop is granted at the next step."""
    from tqdm import tqdm

    limit = run.task.settings.steps if job.steps is None else job.steps
    timed = seconds is not None
    total = seconds if seconds is not None else float(limit)
    done = run.seconds if timed else run.step
    shape = "{l_bar}{bar}| {n:.0f}/{total:.0f} {unit}, {remaining} left at most{postfix}"
    unit = "s" if timed else "steps"
    bar = tqdm(total=total or 1, initial=min(total, done), unit=unit, bar_format=shape)
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


def _reference(job: Job, x0: Tensor) -> Tensor | None:
    if job.reference is None:
        return None
    x_true = load(job.reference)
    check_same_size(x0, x_true, "reference")
    return match_channels(x_true, x0)


def _digest(x0: Tensor) -> str:
    return hashlib.sha256(x0.contiguous().numpy().tobytes()).hexdigest()


def _settings(job: Job, x0: Tensor, device: torch.device) -> dict[str, Any]:
    """What a record must know to go on with its run."""
    told = {name: getattr(job, name) for name in ("picture", *SHAPING, *BUDGET)}
    machine = {"device": str(device), "threads": torch.get_num_threads()}
    return {"task": "denoise", **told, **machine, "picture_sha256": _digest(x0)}


def _resumed(job: Job, x0: Tensor) -> Job:
    """The job with what its record says, when it resumes one."""
    if job.resume is None:
        return job
    kept = Record(job.resume).settings
    if kept.get("picture_sha256") != _digest(x0):
        raise ValueError(
            f"{job.resume} is the record of another picture ({kept.get('picture')}): "
            f"give that one, or start anew with --record"
        )
    for name in SHAPING:
        if name in job.given and getattr(job, name) != kept[name]:
            raise ValueError(
                f"the run in {job.resume} was made with {name} {kept[name]}, not "
                f"{getattr(job, name)}: leave --{name} out, or start anew with --record"
            )
    device = str(hardware.pick_device(job.device))
    if device != kept.get("device"):
        raise ValueError(
            f"the run in {job.resume} was made on {kept.get('device')} and can only go on there, "
            f"not on {device}: say --device {kept.get('device')}, or start anew with --record"
        )
    anew = () if {"seconds", "steps"} & job.given else ("seconds", "steps")
    names = {*SHAPING, *anew, *({"no_stop"} - job.given)}
    return replace(job, **{name: kept[name] for name in names})


def _recorder(job: Job, x0: Tensor, run: Run) -> Recorder | None:
    """Where the run is kept, if anywhere; a resumed record also puts the run where it was."""
    if job.record:
        return Recorder(job.record, _settings(job, x0, run.device))
    return Recorder.reopen(job.resume, run) if job.resume else None


def _report(
    job: Job, sigma: float, run: Run, last: Snapshot, x_true: Tensor | None
) -> dict[str, Any]:
    """What --report writes; every number has its unit in its name or is plain."""
    task = run.task
    height, width = task.size
    told: dict[str, Any] = {
        "task": task.name,
        "preset": task.preset,
        "energy": job.energy or ENERGY[job.preset],
        "picture": job.picture,
        "output": job.output,
        "width": width,
        "height": height,
        "channels": last.best.shape[1],
        "sigma": sigma,
        "seed": job.seed,
        "device": str(run.device),
        "threads": torch.get_num_threads(),
        "steps": last.step,
        "seconds": round(last.seconds, 3),
        "why": last.why,
        "step_returned": last.best_step,
        "peak_memory_mb": round(hardware.peak_memory() / 2**20, 1),
        "dip_lite": __version__,
        "torch": torch.__version__,
    }
    if x_true is not None and task.x0 is not None:
        best = last.best.clamp(0, 1)
        told |= {"psnr": _number(psnr(best, x_true)), "ssim": _number(ssim(best, x_true))}
        told |= {"psnr_input": _number(psnr(task.x0.cpu(), x_true))}
    return told


def _number(value: float) -> float | None:
    """Rounded; JSON has no infinity, the PSNR of a picture with itself."""
    return round(value, 4) if math.isfinite(value) else None
