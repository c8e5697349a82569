"""The engine: fit a random network to one picture under an energy, and watch.

    θ* = argmin_θ E(f_θ(z)),    x = f_θ(z)                       (paper, eq. 2)

Nothing else in this package trains a network. A `Task` says what varies: the network, its fixed
input z and the energy E. `fit` is a generator, so that the caller owns the loop:

    for snap in fit(denoise(picture), seconds=60):
        show(snap.x_avg, snap.step, snap.loss)        # stop whenever you like
    save(snap.best, "clean.png")

It ends at a number of seconds or steps, or by the rule of `stopping`, whichever comes first; the
last snapshot says which (`why`) and holds the picture to take (`best`).
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import hardware
from .guard import Guard
from .optim import Muon
from .stopping import Patience
from .task import Energy, Place, Settings, Task

__all__ = ["Run", "Settings", "Snapshot", "Task", "every", "fit", "logarithmic"]

Schedule = Callable[[int, float], bool]  # (step, seconds) → whether a snapshot is taken


@dataclass(frozen=True)
class Snapshot:
    """A run as it stood after one step; the tensors are copies on the CPU."""

    step: int  # updates made; 0 is before any
    seconds: float  # of fitting, without what the caller did in between
    loss: float  # the energy of x
    x: Tensor  # (1, C, H, W), the network's output
    x_avg: Tensor  # (1, C, H, W), the moving average of the outputs, finished (`Task.finish`)
    variance: float  # the stopping statistic, see `stopping`
    best: Tensor  # (1, C, H, W), the picture to take if the run ended here
    best_step: int  # where `best` comes from
    restored: str = ""  # the guard's words, when it put the run back since the last snapshot
    why: str = ""  # in the last snapshot: why the run ended


def logarithmic(step: int, seconds: float = 0.0) -> bool:
    """The default schedule: every step at first, then each about an eighth later than the last.

    >>> [step for step in range(100) if logarithmic(step)][-6:]
    [49, 55, 62, 71, 80, 91]
    """
    return step < 2 or int(math.log(step) * 8) > int(math.log(step - 1) * 8)


def every(steps: int) -> Schedule:
    """A schedule with a snapshot at every so many steps.

    >>> [step for step in range(100) if every(40)(step, 0.0)]
    [0, 40, 80]
    """
    if steps < 1:
        raise ValueError(f"a snapshot can be taken every 1 or more steps, got {steps}")
    return lambda step, seconds: step % steps == 0


class Run:
    """One fit in progress: network, optimiser, averages, noise, guard and stopping rule.

    Args:
        task: what to fit.
        seed: of the weights and of all noise; the same seed gives the same run to the bit, on one
            machine with one number of threads.
        device: "auto", "cpu", "cuda", "mps" or any other PyTorch knows.
        precision: "auto", "float32" or "bfloat16", see `hardware.autocast`.

    Raises:
        ValueError: a device or precision that is not to be had.
    """

    def __init__(
        self, task: Task, *, seed: int = 0, device: str = "auto", precision: str = "auto"
    ) -> None:
        self.device, self.precision, self.seed = hardware.pick_device(device), precision, seed
        hardware.autocast(self.device, precision)  # refuses a wrong one now
        hardware.keep_memory()
        self.task = task.to(self.device)
        self.rng = torch.Generator(self.device).manual_seed(seed)
        with torch.random.fork_rng(devices=[]):  # the caller's own random numbers stay as they are
            torch.default_generator.manual_seed(seed)  # of the CPU alone, where layers are drawn
            net = task.net()
        self.net = net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = self._optimiser()
        self.guard = Guard(self.net, self.optimiser, jumps=task.parts == 1)
        self.rule = Patience(task.settings.warmup, task.settings.patience, gain=task.settings.gain)
        self.step, self.seconds, self.loss = 0, 0.0, math.nan
        self.restored = ""
        with torch.no_grad():
            x, energy, _ = self._output(self.rng.get_state())
            self.loss = self._judge(energy, x).item()
        if self.task.parts > 1 and self.task.guess is not None:
            x = self.task.guess.clone()  # what has not been fitted yet is shown as it came
        self.x, self.x_avg, self.calm, self.calm_step = x, x.clone(), x, 0

    def _optimiser(self) -> torch.optim.Optimizer:
        settings = self.task.settings
        if settings.optimiser == "adam":
            return torch.optim.Adam(self.net.parameters(), lr=settings.lr)
        return Muon(self.net, settings.lr, settings.lr_adam)

    def _output(self, rewind: Tensor | None = None) -> tuple[Tensor, Energy, Place]:
        """f_θ of this step's input, (1, C, h, w), this step's energy, and where x belongs."""
        part, place = self.task.part(self.step)
        z, energy = part.draw(self.rng)
        if rewind is not None:
            self.rng.set_state(rewind)
        with hardware.autocast(self.device, self.precision):
            x = self.net(z)
        height, width = part.size
        x = x[..., :height, :width].float()
        if self.task.parts > 1 and self.task.guess is not None:
            x = _level(x, self.task.guess[..., place[0], place[1]])
        return x, energy, place

    def _judge(self, energy: Energy, x: Tensor) -> Tensor:
        """E(x), or one sentence about an energy that cannot be minimised."""
        loss = energy(x)
        if not isinstance(loss, Tensor):
            came = repr(loss)
        elif loss.ndim:
            came = f"shape {tuple(loss.shape)}"
        elif torch.is_grad_enabled() and not loss.requires_grad:
            came = "a constant: was it detached?"
        else:
            return loss
        raise ValueError(
            f"the energy {self._energy_name()!r} must return one number (a tensor of shape ()) "
            f"that depends on x, got {came}"
        )

    def advance(self) -> None:
        """Makes one step; a step the guard refuses is taken back, and counts."""
        start = time.perf_counter()
        x, energy, place = self._output()
        loss = self._judge(energy, x)
        value, distance = loss.item(), self._distance(x.detach())
        fault = self.guard.fault(value, distance)
        if not fault:
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            fault = self._gradient_fault()
        if fault:
            self.guard.go_back(fault, self._energy_name())
            self.restored = f"step {self.step + 1}: {fault}; put back to the last good copy"
        else:
            self.guard.keep(value, distance)
            self.optimiser.step()
            self.loss = value
            self._observe(x.detach(), place)
        self.step += 1
        self.seconds += time.perf_counter() - start

    def _distance(self, x: Tensor) -> float:
        """Mean squared distance to the degraded picture, 0 where there is no telling."""
        return self.task.distance(x) if self.task.parts == 1 else 0.0

    def _gradient_fault(self) -> str:
        grads = [p.grad for p in self.net.parameters() if p.grad is not None]
        norm = torch.stack(torch._foreach_norm(grads)).sum().item()
        return "" if math.isfinite(norm) else f"the gradient became {norm}"

    def _observe(self, x: Tensor, place: Place) -> None:
        """Takes an output into the averages, and lets the stopping rule see it."""
        keep = min(self.task.settings.average, self.step / (self.step + 10))  # warmed up
        if self.task.parts > 1:
            self._patch(x, place, keep**self.task.parts)  # a place is seen so much less often
            return
        self.x = x
        self.x_avg.lerp_(x, 1 - keep)
        if self.rule.update(x):
            self.calm, self.calm_step = self.x_avg.clone(), self.step + 1

    def _patch(self, x: Tensor, place: Place, keep: float) -> None:
        """Puts one part's output where it belongs, but for a rim at the borders it shares."""
        inner: list[slice] = []
        for where, side in zip(place, self.task.size, strict=True):
            start = where.start + (RIM if where.start > 0 else 0)
            inner.append(slice(start, where.stop - (RIM if where.stop < side else 0)))
        rows, columns = inner
        top, left = place[0].start, place[1].start
        cut = x[..., rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        self.x[..., rows, columns] = cut
        self.x_avg[..., rows, columns].lerp_(cut, 1 - keep)

    def _energy_name(self) -> str:
        return getattr(self.task.energy, "__name__", type(self.task.energy).__name__)

    def snapshot(self, why: str = "", stop: bool = True) -> Snapshot:
        """The run as it stands, copied to the CPU.

        With `stop` the stopping rule picks `best`, once it has judged; otherwise it is `x_avg`.
        """
        judged = stop and self.rule.best_step > 0
        x_avg = _copy(self.task.finish(self.x_avg))
        best, best_step = x_avg.clone(), self.step
        if judged:
            best, best_step = _copy(self.task.finish(self.calm)), self.calm_step
        restored, self.restored = self.restored, ""
        return Snapshot(
            step=self.step,
            seconds=self.seconds,
            loss=self.loss,
            x=_copy(self.x),
            x_avg=x_avg,
            variance=self.rule.statistic,
            best=best,
            best_step=best_step,
            restored=restored,
            why=why,
        )

    def state(self) -> dict[str, Any]:
        """All that the run needs to go on as if it had never stopped; see `load`."""
        plain = {name: getattr(self, name) for name in _KEPT}
        held = {"net": self.net, "optimiser": self.optimiser}
        return copy.deepcopy(
            plain
            | {name: part.state_dict() for name, part in held.items()}
            | {"guard": self.guard.state(), "rule": vars(self.rule), "rng": self.rng.get_state()}
        )

    def load(self, state: dict[str, Any]) -> None:
        """The inverse of `state`, into a run of the same task."""
        state = copy.deepcopy(state)
        for name in _KEPT:
            value = state[name]
            setattr(self, name, value.to(self.device) if isinstance(value, Tensor) else value)
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.guard.load(state["guard"])
        vars(self.rule).update(state["rule"])
        if self.rule.mean is not None:
            self.rule.mean = self.rule.mean.to(self.device)
        self.rng.set_state(state["rng"])


RIM = 24  # pixels at a part's border that know too little of the other side
_KEPT = ("step", "seconds", "loss", "x", "x_avg", "calm", "calm_step", "restored")


def _copy(x: Tensor) -> Tensor:
    return x.detach().cpu().clone()


def _level(x: Tensor, guess: Tensor) -> Tensor:
    """Gives a part the coarse levels of the first guess, in which there is next to no noise.

    A norm forgets how bright a part was, which one whole picture can learn and many parts cannot.
    """
    coarse = F.avg_pool2d(guess - x, 32, ceil_mode=True)
    return x + F.interpolate(coarse, size=x.shape[2:], mode="bilinear")


def fit(
    task: Task | Run,
    *,
    seconds: float | None = None,
    steps: int | None = None,
    stop: bool = True,
    schedule: Schedule = logarithmic,
    seed: int = 0,
    device: str = "auto",
) -> Iterator[Snapshot]:
    """Fits and yields snapshots; nothing happens between two of them unless the caller asks.

    Args:
        task: what to fit, or a `Run` (to go on with one; then seed and device are its own).
        seconds: end after so many seconds of fitting (the caller's own time is not counted).
        steps: end at this step; with neither budget, at the task's own, `Settings.steps`.
        stop: whether the stopping rule may end the run, and picks `Snapshot.best`. Without it
            `best` is the last moving average.
        schedule: when to take a snapshot, (step, seconds) → bool; the first and the last are
            always taken. `logarithmic` by default, `every(n)`, or your own.
        seed, device: see `Run`.

    Yields:
        A `Snapshot` of step 0, those of the schedule, and a last one that says `why`.

    Raises:
        ValueError: a budget below zero, or an energy that returns no scalar.
        FitError: the energy is not finite however often the guard puts the run back.
    """
    if not (seconds is None or seconds >= 0) or not (steps is None or steps >= 0):
        raise ValueError(f"seconds and steps must be ≥ 0, got {seconds} and {steps}")
    run = task if isinstance(task, Run) else Run(task, seed=seed, device=device)
    last = steps if steps is not None else run.task.settings.steps if seconds is None else None
    if not (why := _end(run, seconds, last, stop)) and run.step == 0:
        yield run.snapshot(stop=stop)
    while not why:
        run.advance()
        why = _end(run, seconds, last, stop)
        if not why and schedule(run.step, run.seconds):
            yield run.snapshot(stop=stop)
    yield run.snapshot(why, stop)


def _end(run: Run, seconds: float | None, steps: int | None, stop: bool) -> str:
    """Why the run is over, empty while it is not."""
    if stop and run.rule.done:
        return f"steady: nothing calmer than step {run.calm_step} for {run.rule.patience} steps"
    if steps is not None and run.step >= steps:
        return f"steps: {run.step} made"
    if seconds is not None and run.seconds >= seconds:
        return f"seconds: {seconds:g} used"
    return ""
