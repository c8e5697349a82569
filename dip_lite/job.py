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
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from . import __version__, hardware
from .fit import Run, Snapshot, Task, fit, logarithmic
from .images import atomic_write, check_same_size, check_writable, load, match_channels, save
from .metrics import psnr, ssim
from .record import Record, Recorder
from .tasks import denoise

SHAPING = ("sigma", "preset", "energy", "seed")  # what a resumed run takes from its record


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
        quality = f", {told['psnr']:.2f} dB against the reference" if "psnr" in told else ""
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
        FitError: the fit cannot go on.
    """
    x0 = load(job.picture)
    x_true = _reference(job, x0)
    check_writable(job.output)
    if job.report:
        check_writable(job.report, picture=False)
    job = _resumed(job, x0)
    task = denoise(x0, job.sigma, preset=job.preset, energy=job.energy, seed=job.seed)
    seconds = 60.0 if (job.seconds, job.steps, job.preset) == (None, None, "fast") else job.seconds
    run = Run(task, seed=job.seed, device=job.device)
    recorder = _recorder(job, x0, run)

    def keep(snap: Snapshot) -> None:
        if recorder is not None:
            told = {} if x_true is None else {"psnr_true": psnr(snap.x_avg.clamp(0, 1), x_true)}
            recorder.add(snap, run, **told)

    last = _watch(run, keep, seconds, job)
    save(last.best, job.output)
    report = _report(job, task, run, last, x_true)
    if job.report:
        atomic_write(job.report, (json.dumps(report, indent=2) + "\n").encode())
    return Result(job.output, last.why, report)


def _watch(run: Run, keep: Callable[[Snapshot], None], seconds: float | None, job: Job) -> Snapshot:
    """Fits to the end behind a progress bar; a wish to stop is granted at the next step."""
    from tqdm import tqdm

    limit = run.task.settings.steps if job.steps is None else job.steps
    total = seconds if seconds is not None else float(limit)
    shape = "{l_bar}{bar}| {n:.0f}/{total:.0f} {unit}, {remaining} left at most{postfix}"
    bar = tqdm(total=total, unit="s" if seconds is not None else "steps", bar_format=shape)
    recording = bool(job.record or job.resume)
    with bar, Interrupt() as interrupt:

        def wanted(step: int, spent: float) -> bool:
            bar.n = min(total, spent if seconds is not None else step)
            bar.set_postfix_str(f"step {step}, energy {run.loss:.4f}", refresh=False)
            bar.refresh() if not bar.disable and step % 5 == 0 else None
            return interrupt.asked or (recording and logarithmic(step, spent))

        for snap in fit(
            run, seconds=seconds, steps=job.steps, stop=not job.no_stop, schedule=wanted
        ):
            if interrupt.asked and not snap.why:
                snap = run.snapshot("interrupted: Ctrl-C")
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


def _settings(job: Job, x0: Tensor) -> dict[str, Any]:
    """What a record must know to go on with its run."""
    told = {name: value for name, value in asdict(job).items() if name in (*SHAPING, "picture")}
    return {"task": "denoise", **told, "picture_sha256": _digest(x0)}


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
    return replace(job, **{name: kept[name] for name in SHAPING})


def _recorder(job: Job, x0: Tensor, run: Run) -> Recorder | None:
    """Where the run is kept, if anywhere; a resumed record also puts the run where it was."""
    if job.record:
        return Recorder(job.record, _settings(job, x0))
    return Recorder.reopen(job.resume, run) if job.resume else None


def _report(
    job: Job, task: Task, run: Run, last: Snapshot, x_true: Tensor | None
) -> dict[str, Any]:
    """What --report writes; every number has its unit in its name or is plain."""
    height, width = task.size
    told: dict[str, Any] = {
        "task": task.name,
        "preset": task.preset,
        "energy": job.energy or ("mse" if job.preset == "paper" else "recorrupted"),
        "picture": job.picture,
        "output": job.output,
        "width": width,
        "height": height,
        "channels": last.best.shape[1],
        "sigma": getattr(task, "sigma", job.sigma),
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
        told |= {"psnr": round(psnr(best, x_true), 4), "ssim": round(ssim(best, x_true), 4)}
        told |= {"psnr_input": round(psnr(task.x0.cpu(), x_true), 4)}
    return told
