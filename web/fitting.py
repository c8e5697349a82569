"""The fit behind a run, as a stream of what it makes.

    for news in fitting(choice, inputs, limits, folder):
        ...                                       # Begun, Seen, Frame …, Ended

A generator of plain values that can be sent from one process to another, because hosts that lend a
GPU run it in a process of its own. To stop it, put a file called `stop` into the folder; it ends
after the step it is at, with what there is; with a file `gone` beside it, with nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from dip_lite import Recorder, Run, Snapshot, fit, psnr, ssim

from .choices import Choice, Limits
from .material import Inputs, Material, make
from .uploads import data_uri, encode, png

LIVE = 0.4  # seconds from one live picture to the next
NEVER = 2**40  # steps
BENT = 15.0  # how much denser the first snapshots are than the last


@dataclass(frozen=True)
class Begun:
    """The material is there."""

    size: tuple[int, int]  # (W, H)
    before: bytes
    truth: bytes | None
    note: str


@dataclass(frozen=True)
class Seen:
    """What the eye is shown until the next one."""

    numbers: dict[str, float | int | None]
    eye: str  # a data URI


@dataclass(frozen=True)
class Frame:
    """One snapshot that stays, as the page needs it."""

    step: int
    seconds: float
    loss: float
    average: bytes
    raw: bytes
    psnr: float | None = None  # of the moving average, to the clean picture
    psnr_raw: float | None = None

    def row(self) -> list[float | int | None]:
        """The numbers, and the lengths of the two pictures."""
        numbers = (self.seconds, self.loss, self.psnr, self.psnr_raw)
        plain = [None if n is None or not math.isfinite(n) else round(n, 6) for n in numbers]
        return [self.step, *plain, len(self.average), len(self.raw)]


@dataclass(frozen=True)
class Ended:
    """The result, and why there is no more."""

    result: bytes  # PNG
    why: str
    numbers: dict[str, float | int | None]


News = Begun | Seen | Frame | Ended


@dataclass(frozen=True)
class Lean:
    """Stands for a run whose state need not be kept: a snapshot that is not the last."""

    step: int

    def state(self) -> dict[str, Any]:
        return {"step": self.step}


@dataclass
class Pace:
    """When to take a snapshot: about `count` of them, dense at first; and one for the eye between.

    A schedule of `fit`. `kept` says whether the last one belongs to those that stay. Where they
    are slow there are fewer, so that they take a third of the time at most.
    """

    count: int
    seconds: float
    steps: int = 0
    flag: Path | None = None
    kept: bool = True
    taken: int = 0
    cost: float = 0.0  # seconds that a snapshot takes, of late
    last: float = field(default_factory=time.perf_counter)

    @property
    def stopped(self) -> bool:
        """Whether somebody asked for the end."""
        return self.flag is not None and self.flag.exists()

    def __call__(self, step: int, seconds: float) -> bool:
        share = max(seconds / self.seconds, step / self.steps if self.steps else 0.0)
        due = int(self.count * math.log1p(BENT * min(share, 1.0)) / math.log1p(BENT))
        now = time.perf_counter()
        few = self.cost * self.count <= self.seconds / 3
        rested = few or now - self.last >= 2 * self.cost
        self.kept = due > self.taken and rested
        over = seconds >= self.seconds
        if self.kept or over or self.stopped or (rested and now - self.last >= LIVE):
            self.taken = max(due, self.taken)
            self.last = now
            return True
        return False

    def done(self) -> None:
        """Says that the snapshot was taken and told."""
        now = time.perf_counter()
        self.cost, self.last = (self.cost + now - self.last) / (2 if self.cost else 1), now


def fitting(choice: Choice, inputs: Inputs, limits: Limits, folder: Path) -> Iterator[News]:
    """Fits what was chosen, records it in `folder`, and tells.

    Raises:
        SorryError, RecordError, FitError: it cannot be done; one sentence for the visitor.
    """
    begun, seconds = time.perf_counter(), choice.seconds(limits)
    material = make(choice, inputs, limits)
    yield _begun(material)
    run = Run(material.task, seed=choice.seed)
    pace = Pace(choice.snapshots, seconds, choice.steps, folder / "stop")
    diary = _Diary(run, folder, choice, material.truth, begun)

    def schedule(step: int, spent: float) -> bool:
        diary.remember()
        return pace(step, diary.seconds)

    steps = choice.steps or NEVER  # the seconds are those of the clock, snapshots and all
    for snap in fit(run, steps=steps, stop=not choice.past, schedule=schedule):
        if pace.stopped and (folder / "gone").exists():
            return
        why = "stopped by you" if pace.stopped else ""
        if not why and snap.step and diary.seconds >= seconds:
            why = f"seconds: {seconds:g} used"
        if why and not snap.why:
            snap = replace(run.snapshot(why, stop=not choice.past), restored=snap.restored)
        yield diary.seen(snap)
        if pace.kept or snap.why:
            yield diary.frame(snap)
        if snap.why:
            yield from diary.end(snap)
            return
        pace.done()


class _Diary:
    """What a run leaves behind: a record on disk, and news."""

    def __init__(
        self, run: Run, folder: Path, choice: Choice, truth: Tensor | None, begun: float
    ) -> None:
        self.run, self.truth, self.begun = run, truth, begun
        self.steps: list[int] = []
        self.calm: tuple[int, Tensor] = (0, run.x)
        self.recorder = Recorder(folder / "record", vars(choice))

    @property
    def seconds(self) -> float:
        """By the clock, since the run began."""
        return time.perf_counter() - self.begun

    def remember(self) -> None:
        """Holds on to the raw output of the step that the stopping rule would take."""
        if self.run.rule.best_step == self.run.step > 0:
            self.calm = (self.run.step, self.run.x)

    def seen(self, snap: Snapshot) -> Seen:
        loss = snap.loss if math.isfinite(snap.loss) else None
        told = {"step": snap.step, "seconds": round(self.seconds, 1), "loss": loss}
        if (level := self._psnr(snap.x_avg)) is not None:
            told["psnr"] = round(level, 2)
        return Seen(told, data_uri(snap.x_avg))

    def frame(self, snap: Snapshot) -> Frame:
        frame = self._frame(snap.step, snap, snap.x_avg, snap.x)
        levels = {"psnr_true": frame.psnr, "psnr_out": frame.psnr_raw}
        more = {name: level for name, level in levels.items() if level is not None}
        keeper = self.run if snap.why else Lean(snap.step)
        self.recorder.add(snap, keeper, **more)  # type: ignore[arg-type]
        return frame

    def end(self, snap: Snapshot) -> Iterator[News]:
        """The frame that the rule takes, if it is none of the others, and the result."""
        best = self.run.rule.best_step
        if best and best == self.calm[0] and best not in self.steps:
            picture = self.run.task.finish(self.run.calm).detach().cpu()
            yield self._frame(best, snap, picture, self.calm[1].detach().cpu(), between=True)
        judged = best if self.run.rule.done else None  # else the time was up before it could tell
        told: dict[str, Any] = {"taken": snap.best_step, "auto": judged}
        if self.truth is not None:
            result = snap.best.clamp(0, 1)
            told |= {"psnr": self._psnr(result), "ssim": round(ssim(result, self.truth), 3)}
        yield Ended(png(snap.best), snap.why, told)

    def _frame(
        self, step: int, snap: Snapshot, average: Tensor, raw: Tensor, between: bool = False
    ) -> Frame:
        self.steps.append(step)
        share = step / max(snap.step, 1) if between else 1.0  # of the seconds, near enough
        loss = math.nan if between else snap.loss
        pictures = encode(average), encode(raw, quality=76)
        return Frame(
            step, self.seconds * share, loss, *pictures, self._psnr(average), self._psnr(raw)
        )

    def _psnr(self, x: Tensor) -> float | None:
        if self.truth is None:
            return None
        level = psnr(x.clamp(0, 1), self.truth)
        return level if math.isfinite(level) else None


def _begun(material: Material) -> Begun:
    height, width = material.before.shape[2:]
    truth = None if material.truth is None else encode(material.truth, quality=88)
    return Begun((width, height), encode(material.before, quality=88), truth, material.note)
