"""The engine: fit a random network to one picture under an energy, and watch.

    θ* = argmin_θ E(f_θ(z)),    x = f_θ(z)                       (paper, eq. 2)

Nothing else in this package trains a network. A `Task` says what varies: the network, its fixed
input z and the energy E. `fit` is a generator, so that the caller owns the loop:

    for snap in fit(denoise(picture), seconds=60):
        show(snap.x_avg, snap.step, snap.loss)        # stop whenever you like
    save(snap.best, "clean.png")

A run ends at a number of seconds or steps, at a loss, or by early stopping, whichever comes first;
the last snapshot says which (`stop_reason`) and holds the picture to take (`best`).
"""

import copy
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import device as hardware
from .muon import Muon
from .rollback import Guard
from .task import Energy, Task, Window
from .tiling import inner_window, match_low_frequencies

Schedule = Callable[[int, float], bool]  # (step, seconds) → whether a snapshot is taken
EMA_WARMUP = 10  # steps; x_avg weighs its past by step / (step + this) until that is ema_decay
STATE = ("step", "seconds", "loss", "x", "x_avg", "best_avg", "best_avg_step", "rollback")
_SEEDING = threading.Lock()  # layers draw their weights from PyTorch's one global generator


@dataclass(frozen=True)
class Snapshot:
    """A run as it stood after one step; the tensors are copies on the CPU."""

    step: int  # updates made; 0 is before any
    seconds: float  # of fitting, without what the caller did in between
    loss: float  # the energy of x
    x: Tensor  # (1, C, H, W), the network's output
    x_avg: Tensor  # (1, C, H, W), the moving average of the outputs, after `Task.postprocess`
    variance: float  # the early stopping statistic
    best: Tensor  # (1, C, H, W), the picture to take; in the last snapshot fused, see `Task.fuse`
    best_step: int  # the step that `best` comes from
    network: Tensor  # (1, C, H, W), `best` as the network left it; may be x_avg itself
    rollback: str = ""  # what went wrong, if weights were rolled back since the last snapshot
    stop_reason: str = ""  # in the last snapshot: why the run ended


def logarithmic(step: int, seconds: float = 0.0) -> bool:
    """The default schedule: every step at first, then each about an eighth later than the last.

    >>> [step for step in range(100) if logarithmic(step)][-6:]
    [49, 55, 62, 71, 80, 91]
    """
    return step < 2 or int(math.log(step) * 8) > int(math.log(step - 1) * 8)


def every(steps: int) -> Schedule:
    """A schedule with a snapshot every `steps` steps.

    >>> [step for step in range(100) if every(40)(step, 0.0)]
    [0, 40, 80]
    """
    if steps < 1:
        raise ValueError(f"a snapshot can be taken every 1 or more steps, got {steps}")
    return lambda step, seconds: step % steps == 0


class Run:
    """One fit in progress: network, optimiser, averages, noise, rollback and early stopping.

    Args:
        task: what to fit.
        seed: of the weights and of all noise; the same seed gives the same run to the bit, on one
            machine with one number of threads.
        device: "auto", "cpu", "cuda", "mps" or any other PyTorch knows.
        precision: "auto", "float32" or "bfloat16", see `device.autocast`.

    Raises:
        ValueError: a device or precision that is not available.
    """

    def __init__(
        self, task: Task, *, seed: int = 0, device: str = "auto", precision: str = "auto"
    ) -> None:
        self.device, self.precision, self.seed = hardware.pick_device(device), precision, seed
        hardware.autocast(self.device, precision)  # refuses a wrong one now
        hardware.keep_memory()
        self.task = task.to(self.device)
        self.rng = torch.Generator(self.device).manual_seed(seed)
        self.net = _seeded(task.net, seed).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.coarse_steps = task.settings.coarse_steps if task.coarse is not None else 0
        self._begin_anew()
        self.rule = task.settings.stopping_rule()
        self.step, self.seconds, self.loss, self.rollback = 0, 0.0, math.nan, ""
        with torch.no_grad():
            x, energy, _ = self._output(self.rng.get_state())
            self.loss, x = self._evaluate(energy, x).item(), self._enlarge(x)
        if self.task.num_tiles > 1 and self.task.guess is not None:
            x = self.task.guess.clone()  # shown where no tile has been fitted yet
        self.x, self.x_avg, self.best_avg, self.best_avg_step = x, x.clone(), x, 0

    def _begin_anew(self) -> None:
        """A fresh optimiser, and a guard that knows these weights alone; the weights stay."""
        self.optimiser = self._optimiser()
        self.guard = Guard(self.net, self.optimiser, detect_jumps=self.task.num_tiles == 1)

    def advance(self) -> None:
        """Makes one step; a step that goes wrong is rolled back, and counts."""
        start = time.perf_counter()
        x, energy, window = self._output()
        loss = self._evaluate(energy, x)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        whole, seen = self.task.num_tiles == 1 and self.step >= self.coarse_steps, x.detach()
        distance = self.task.distance(seen) if whole else seen.new_zeros(())
        deviation = self.rule.deviation(seen) if whole else seen.new_zeros(())
        values = _to_host(loss, distance, deviation, self._gradient_norm())
        self._finish_step(seen, window, *values)
        self.step += 1
        if self.step == self.coarse_steps:
            self._begin_anew()
            self.guard.keep(self.loss)
        self.seconds += time.perf_counter() - start

    def _finish_step(
        self, x: Tensor, window: Window, loss: float, distance: float, deviation: float, norm: float
    ) -> None:
        """Updates the weights and averages, or rolls back."""
        fault = self.guard.check(loss, distance)
        if not fault and not math.isfinite(norm):
            fault = f"the gradient became {norm}"
        if fault:
            self.guard.rollback(fault, self._energy_name())
            self.rollback = f"step {self.step + 1}: {fault}; rolled back to the last good weights"
            return
        self.guard.commit(loss, distance)
        self.optimiser.step()
        self.loss = loss
        self._average(x, window, deviation)

    def _average(self, x: Tensor, window: Window, deviation: float) -> None:
        """Adds an output to the average, shows it to the rule; a coarse one is only enlarged."""
        age = self.step - self.coarse_steps
        if age < 0:
            self.x = self.x_avg = self._enlarge(x)
            return
        decay = min(self.task.settings.ema_decay, age / (age + EMA_WARMUP))
        if self.task.num_tiles > 1:
            margin = self.task.settings.tile_margin
            (rows, columns), inner = inner_window(window, self.task.size, margin)
            x = x[..., inner[0], inner[1]]
            self.x[..., rows, columns] = x
            # a pixel is in one of so many tiles
            self.x_avg[..., rows, columns].lerp_(x, 1 - decay**self.task.num_tiles)
            return
        self.x = x
        self.x_avg.lerp_(x, 1 - decay)
        if self.rule.update(x, deviation):
            self.best_avg, self.best_avg_step = self.x_avg.clone(), self.step + 1

    def _output(self, rewind: Tensor | None = None) -> tuple[Tensor, Energy, Window]:
        """f_θ of this step's input, (1, C, h, w), this step's energy, and where x belongs."""
        tile, window = self.task.tile(self.step)
        if self.step < self.coarse_steps and self.task.coarse is not None:
            tile = replace(self.task.coarse, reg_noise_std=self.task.reg_noise_std)
        z, energy = tile.sample_step(self.rng)
        if rewind is not None:
            self.rng.set_state(rewind)
        with hardware.autocast(self.device, self.precision):
            x = self.net(z)
        height, width = tile.size
        x = x[..., :height, :width].float()
        if self.task.num_tiles > 1 and self.task.guess is not None:
            x = match_low_frequencies(x, self.task.guess[..., window[0], window[1]])
        return x, energy, window

    def _enlarge(self, x: Tensor) -> Tensor:
        """An output as large as the picture."""
        whole = x.shape[2:] == self.task.size or self.task.num_tiles > 1
        return x if whole else F.interpolate(x, self.task.size, mode="bilinear")

    def _evaluate(self, energy: Energy, x: Tensor) -> Tensor:
        """E(x), or one sentence about an energy that cannot be minimised."""
        loss = energy(x)
        if not isinstance(loss, Tensor):
            got = repr(loss)
        elif loss.ndim:
            got = f"shape {tuple(loss.shape)}"
        elif torch.is_grad_enabled() and not loss.requires_grad:
            got = "a constant: was it detached?"
        else:
            return loss
        raise ValueError(
            f"the energy {self._energy_name()!r} must return one number (a tensor of shape ()) "
            f"that depends on x, got {got}"
        )

    def _optimiser(self) -> torch.optim.Optimizer:
        settings = self.task.settings
        if settings.optimiser == "adam":
            return torch.optim.Adam(self.net.parameters(), lr=settings.lr)
        if settings.optimiser == "sgd":  # every step sees the whole picture: nothing is stochastic
            return torch.optim.SGD(self.net.parameters(), lr=settings.lr)
        return Muon(self.net, settings.lr, settings.lr_adam)

    def _gradient_norm(self) -> Tensor:
        """Sum of the gradients' norms, shape (); finite if and only if all of them are."""
        grads = [p.grad for p in self.net.parameters() if p.grad is not None]
        return torch.stack(torch._foreach_norm(grads)).sum()

    def _energy_name(self) -> str:
        return getattr(self.task.energy, "__name__", type(self.task.energy).__name__)

    def snapshot(self, stop_reason: str = "", stop: bool = True) -> Snapshot:
        """The run as it stands, copied to the CPU.

        With `stop` early stopping picks `best`, once warmed up; otherwise it is `x_avg`.
        """
        x_avg = _copy(self.task.postprocess(self.x_avg))
        network, best_step, taken = x_avg, self.step, self.x_avg
        if stop and self.rule.best_step > 0:
            taken, best_step = self.best_avg, self.best_avg_step
            network = _copy(self.task.postprocess(taken))
        best = network
        if stop_reason:
            fused = self.task.fuse(taken)
            best = network if fused is taken else _copy(self.task.postprocess(fused))
        rollback, self.rollback = self.rollback, ""
        return Snapshot(
            step=self.step,
            seconds=self.seconds,
            loss=self.loss,
            x=_copy(self.x),
            x_avg=x_avg,
            variance=self.rule.statistic,
            best=best,
            best_step=best_step,
            network=network,
            rollback=rollback,
            stop_reason=stop_reason,
        )

    def state(self) -> dict[str, Any]:
        """All that the run needs to go on as if it had never stopped; see `load`."""
        parts = {"net": self.net, "optimiser": self.optimiser, "rule": self.rule}
        return copy.deepcopy(
            {name: getattr(self, name) for name in STATE}
            | {name: part.state_dict() for name, part in parts.items()}  # type: ignore[attr-defined]
            | {"guard": self.guard.state(), "rng": self.rng.get_state()}
            | {"coarse_steps": self.coarse_steps}
        )

    def load(self, state: dict[str, Any]) -> None:
        """The inverse of `state`, into a run of the same task."""
        state = copy.deepcopy(state)
        for name in STATE:
            value = state[name]
            setattr(self, name, value.to(self.device) if isinstance(value, Tensor) else value)
        self.coarse_steps = state.get("coarse_steps", 0)  # runs of old versions had none
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.guard.load(state["guard"])
        self.rule.load_state_dict(state["rule"])
        if self.rule.mean is not None:
            self.rule.mean = self.rule.mean.to(self.device)
        self.rng.set_state(state["rng"])


def _seeded(make: Callable[[], torch.nn.Module], seed: int) -> torch.nn.Module:
    """A fresh network with its weights drawn from `seed`; the caller's generator is left alone."""
    with _SEEDING, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # of the CPU alone, where layers are drawn
        return make()


def _to_host(*scalars: Tensor) -> list[float]:
    """Their values by one transfer, since each makes the device wait."""
    return torch.stack([value.detach().float() for value in scalars]).tolist()


def _copy(x: Tensor) -> Tensor:
    return x.detach().cpu().clone()


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
        seconds: end after this many seconds of fitting; the caller's own time is not counted.
        steps: end at this step; with neither budget, at the task's own, `Settings.steps`.
        stop: whether early stopping may end the run, and picks `Snapshot.best`. Without it
            `best` is the last moving average.
        schedule: when to take a snapshot, (step, seconds) → bool; the first and the last are
            always taken. `logarithmic` by default, `every(n)`, or your own.
        seed, device: see `Run`.

    Yields:
        A `Snapshot` of step 0, those of the schedule, and a last one that says `stop_reason`.

    Raises:
        ValueError: a budget below zero, or an energy that returns no scalar.
        FitError: the energy is not finite however often the weights are rolled back.
    """
    if not (seconds is None or seconds >= 0) or not (steps is None or steps >= 0):
        raise ValueError(f"seconds and steps must be ≥ 0, got {seconds} and {steps}")
    run = task if isinstance(task, Run) else Run(task, seed=seed, device=device)
    last = steps if steps is not None else run.task.settings.steps if seconds is None else None
    if not (stop_reason := _end(run, seconds, last, stop)) and run.step == 0:
        yield run.snapshot(stop=stop)
    while not stop_reason:
        run.advance()
        stop_reason = _end(run, seconds, last, stop)
        if not stop_reason and schedule(run.step, run.seconds):
            yield run.snapshot(stop=stop)
    yield run.snapshot(stop_reason, stop)


def _end(run: Run, seconds: float | None, steps: int | None, stop: bool) -> str:
    """Why the run is over; empty while it is not."""
    if stop and run.rule.done:
        patience = run.rule.patience
        return f"steady: no lower variance than at step {run.best_avg_step} for {patience} steps"
    target = run.task.settings.target_loss
    if target > 0 and run.step > run.coarse_steps and run.loss <= target:
        return f"target: a loss of {run.loss:.3g} at step {run.step}"
    if steps is not None and run.step >= steps:
        return f"steps: {run.step} made"
    if seconds is not None and run.seconds >= seconds:
        return f"seconds: {seconds:g} used"
    return ""
