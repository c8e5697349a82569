"""What --report writes: what was asked, what happened, how good it is."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from . import __version__, hardware
from .fit import Run, Snapshot
from .job import Job
from .metrics import psnr, ssim


def report(
    job: Job, told: dict[str, Any], run: Run, last: Snapshot, x_true: Tensor | None, x0: Tensor
) -> dict[str, Any]:
    """Every number has its unit in its name or is plain.

    Args:
        job: what was asked for.
        told: the task's own options, as `verbs.make` settled them.
        run, last: the run and its last snapshot.
        x_true: the reference, of the result's size, if there is one.
        x0: the picture as it came.
    """
    task = run.task
    height, width = task.size
    return {
        "task": task.name,
        "preset": task.preset,
        "picture": job.picture,
        "output": job.output,
        "width": width,
        "height": height,
        "channels": last.best.shape[1],
        **told,
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
        **({} if x_true is None else _quality(task.guess, last.best, x_true, x0)),
    }


def _quality(
    guess: Tensor | None, best: Tensor, x_true: Tensor, x0: Tensor
) -> dict[str, float | None]:
    """PSNR in dB and SSIM of the result; PSNR of what came, and of what a classical method makes.

    What came is measured by that guess where it is of another size than the result.
    """
    best = best.clamp(0, 1)
    told = {"psnr": _number(psnr(best, x_true)), "ssim": _number(ssim(best, x_true))}
    same = x0.shape == x_true.shape
    guess = x0 if guess is None else guess.cpu()
    told["psnr_input"] = _number(psnr(x0 if same else guess, x_true))
    if not (same and torch.equal(guess, x0)):
        told["psnr_guess"] = _number(psnr(guess, x_true))
    return told


def _number(value: float) -> float | None:
    """Rounded; JSON has no infinity, the PSNR of a picture with itself."""
    return round(value, 4) if math.isfinite(value) else None
