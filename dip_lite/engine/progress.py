"""A fit behind a progress bar, and all its snapshots afterwards.

    snaps = watch(prior(x0), steps=800, label="plain prior")
    column(snaps, "loss"), psnrs(snaps, x_true)

What the notebooks use instead of a loop over `fit`, when there is nothing to do in between.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..images.metrics import psnr
from .loop import Run, Schedule, Snapshot, fit, logarithmic
from .task import Task


def watch(
    task: Task | Run,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    stop: bool = False,
    schedule: Schedule = logarithmic,
    seed: int = 0,
    device: str = "auto",
    label: str = "",
) -> list[Snapshot]:
    """Fits to the end and returns all snapshots; the arguments are those of `fit`.

    Early stopping is off by default, since what happens too late is worth a look too. The bar
    disappears when the fit ends.

    >>> from dip_lite import prior, sample
    >>> [snap.step for snap in watch(prior(sample("camera")[..., :32, :32]), steps=3)]
    [0, 1, 2, 3]
    """
    from tqdm.auto import tqdm

    run = task if isinstance(task, Run) else Run(task, seed=seed, device=device)
    total = steps if steps is not None else None if seconds else run.task.settings.steps
    with tqdm(total=total, desc=label or run.task.name, unit="step", leave=False) as bar:

        def update(step: int, spent: float) -> bool:
            bar.update(step - bar.n)
            return schedule(step, spent)

        snaps = list(fit(run, seconds=seconds, steps=steps, stop=stop, schedule=update))
        bar.total = snaps[-1].step  # only a full bar disappears in a notebook
        bar.update(snaps[-1].step - bar.n)
        return snaps


def column(snaps: Sequence[Snapshot], name: str) -> list[Any]:
    """One attribute of every snapshot, such as "step" or "loss"."""
    return [getattr(snap, name) for snap in snaps]


def psnrs(snaps: Sequence[Snapshot], x_true: Tensor, which: str = "x") -> list[float]:
    """PSNR in dB of every snapshot's "x", "x_avg" or "best", clamped to [0, 1], to a picture."""
    return [psnr(getattr(snap, which).clamp(0, 1), x_true) for snap in snaps]
