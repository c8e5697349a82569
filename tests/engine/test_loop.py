"""The engine: seeds, budgets, snapshots, resuming, and what it refuses."""

from __future__ import annotations

import io
import itertools
import math
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dip_lite import denoise, prior, psnr, sample, watch
from dip_lite import fit as _exported
from dip_lite.engine import loop
from dip_lite.engine.loop import Run, Snapshot, every, logarithmic
from dip_lite.engine.settings import Settings
from dip_lite.engine.task import Task
from dip_lite.nets.hourglass import Hourglass, build
from dip_lite.tasks.presets import PRESET_NAMES

fit = partial(_exported, device="cpu")
SHAPE = Hourglass((8, 8), skip=2, upsample="nearest", padding="zeros", head_channels=8)


def picture(height: int = 32, width: int = 32, channels: int = 3) -> Tensor:
    rows = torch.linspace(0, 1, height).view(1, 1, height, 1)
    columns = torch.linspace(0, 1, width).view(1, 1, 1, width)
    planes = [0.2 + 0.6 * rows * columns, 0.8 - 0.5 * rows + 0 * columns, 0 * rows + columns]
    clean = torch.cat(planes, dim=1)[:, :channels]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    return (clean + 0.1 * noise).clamp(0, 1)


def tiny(energy: str = "recorrupted", **size: int) -> Task:
    return denoise(picture(**size), 0.1, preset="tiny", energy=energy)


def own(energy: Callable[[Tensor], Any] | None = None, **settings: Any) -> Task:
    """A task that somebody wrote, of 32 × 32 grey pixels."""
    target = picture(channels=1)
    z = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    return Task(
        energy or (lambda x: F.mse_loss(x, target)),
        partial(build, SHAPE, 4, 1),
        z,
        (32, 32),
        Settings(**settings),
    )


def end(snaps: Iterator[Snapshot]) -> Snapshot:
    return [*snaps][-1]


def alike(a: Snapshot, b: Snapshot) -> bool:
    """The same to the bit, but for the time it took."""
    numbers = ("step", "loss", "variance", "best_step", "rollback", "stop_reason")
    pictures = ("x", "x_avg", "best")
    return all(getattr(a, name) == getattr(b, name) for name in numbers) and all(
        torch.equal(getattr(a, name), getattr(b, name)) for name in pictures
    )


# --- seeds


@pytest.mark.parametrize("energy", ["recorrupted", "mse"])
def test_one_seed_is_one_run_to_the_bit(energy: str) -> None:
    first, again, other = (
        [*fit(tiny(energy), steps=15, seed=seed, schedule=every(1))] for seed in (5, 5, 6)
    )
    assert len(first) == 16
    assert all(map(alike, first, again))
    assert all(a.loss != b.loss for a, b in zip(first, other, strict=True))


def test_the_callers_random_numbers_and_settings_stay_as_they_are() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    end(fit(tiny(), steps=3))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]  # type: ignore[index]
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, dtype)
    assert torch.is_grad_enabled()


def test_the_callers_own_draws_in_the_loop_change_nothing() -> None:
    quiet = [*fit(tiny(), steps=8, schedule=every(1))]
    busy = []
    for snap in fit(tiny(), steps=8, schedule=every(1)):
        torch.rand(10)
        torch.manual_seed(snap.step)
        busy.append(snap)
    assert all(map(alike, quiet, busy))


def test_a_task_can_be_fitted_again_and_is_left_as_it_was() -> None:
    task = tiny()
    z, x0 = task.z.clone(), task.x0.clone()  # type: ignore[union-attr]
    first, again = end(fit(task, steps=5)), end(fit(task, steps=5))
    assert alike(first, again)
    assert torch.equal(task.z, z) and torch.equal(task.x0, x0)  # type: ignore[arg-type]


def test_the_look_before_the_first_step_uses_up_no_noise() -> None:
    start, first = fit(tiny(), steps=1, stop=False)
    assert torch.equal(start.x, first.x)  # the output that step 1 then improves on
    assert start.loss == first.loss


# --- budgets and ends


def test_no_steps_give_one_snapshot_of_the_start() -> None:
    [only] = fit(tiny(), steps=0)
    assert (only.step, only.seconds, only.best_step) == (0, 0.0, 0)
    assert only.stop_reason == "steps: 0 made"
    assert torch.equal(only.x, only.best) and torch.equal(only.x, only.x_avg)
    [only] = fit(tiny(), seconds=0)
    assert only.step == 0 and only.stop_reason == "seconds: 0 used"


class Clock:
    """A clock that moves on by half a second whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.5
        return self.now


def test_seconds_are_those_of_fitting_without_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=clock))
    snaps = []
    for snap in fit(tiny(), seconds=5, schedule=every(1)):
        clock.now += 1000  # the caller shows a picture
        snaps.append(snap)
    seconds_a_step = snaps[1].seconds
    assert [s.seconds for s in snaps] == [seconds_a_step * s.step for s in snaps]
    assert snaps[-1].stop_reason == "seconds: 5 used"
    assert snaps[-1].seconds >= 5 > snaps[-2].seconds


def test_the_tasks_own_number_of_steps_is_the_default() -> None:
    assert end(fit(own(steps=7))).stop_reason == "steps: 7 made"
    assert end(fit(own(steps=7), steps=9)).step == 9


def test_the_rule_ends_a_run_and_picks_the_picture() -> None:
    task = own(steps=500, warmup=5, patience=10, lr=0.0, lr_adam=0.0)
    task.reg_noise_std = 0.3  # the weights rest and the output trembles
    snaps = [*fit(task, schedule=every(1))]
    last = snaps[-1]
    assert last.step < 500
    assert last.stop_reason == (
        f"steady: no lower variance than at step {last.best_step} for 10 steps"
    )
    assert last.step == last.best_step + 10
    assert torch.equal(last.best, snaps[last.best_step].x_avg)
    assert not torch.equal(last.best, last.x_avg)
    assert all(s.stop_reason == "" for s in snaps[:-1])


def test_without_the_rule_best_is_the_last_average() -> None:
    task = own(steps=40, warmup=5, patience=10, lr=0.0, lr_adam=0.0)
    last = end(fit(task, stop=False))
    assert last.step == last.best_step == 40
    assert torch.equal(last.best, last.x_avg)


def test_the_caller_may_stop_early_and_go_on_later() -> None:
    straight = end(fit(tiny(), steps=12))
    run = Run(tiny(), device="cpu")
    snaps = fit(run, steps=12, schedule=every(1))
    for snap in snaps:
        if snap.step == 5:
            break
    snaps.close()  # type: ignore[attr-defined]
    assert run.step == 5
    assert alike(end(fit(run, steps=12)), straight)
    [after] = fit(run, steps=12)  # over already: says so at once
    assert alike(after, straight)


# --- schedules


def test_schedules_first_and_last_included() -> None:
    def steps(schedule: Callable[[int, float], bool]) -> list[int]:
        return [s.step for s in fit(own(), steps=23, stop=False, schedule=schedule)]

    assert steps(every(10)) == [0, 10, 20, 23]
    assert steps(every(1)) == [*range(24)]
    assert steps(lambda step, seconds: step in (3, 4)) == [0, 3, 4, 23]
    assert steps(lambda step, seconds: False) == [0, 23]
    assert steps(logarithmic) == sorted({0, 23} | {s for s in range(1, 24) if logarithmic(s)})


def test_logarithmic_snapshots_come_ever_later() -> None:
    steps = [step for step in range(5000) if logarithmic(step)]
    assert steps[:9] == [*range(9)]
    late = [s for s in steps if s > 50]
    ratios = [b / a for a, b in itertools.pairwise(late)]
    assert 1.1 < min(ratios) and max(ratios) < 1.17
    assert len(steps) < 70


def test_a_schedule_sees_the_seconds() -> None:
    seen: list[tuple[int, float]] = []
    end(fit(own(), steps=4, schedule=lambda step, seconds: bool(seen.append((step, seconds)))))
    assert [step for step, _ in seen] == [1, 2, 3]
    assert 0 < seen[0][1] < seen[1][1] < seen[2][1]


# --- snapshots


def test_snapshots_are_copies_and_no_views() -> None:
    plain = [*fit(tiny(), steps=10, schedule=every(1))]
    kept, copies = [], []
    for snap in fit(tiny(), steps=10, schedule=every(1)):
        kept.append(snap)
        copies.append([t.clone() for t in (snap.x, snap.x_avg, snap.best)])
        if snap.step == 4:
            for t in (snap.x, snap.x_avg, snap.best):
                t.fill_(7)  # a rude caller
    for snap, (x, x_avg, best) in zip(kept, copies, strict=True):
        if snap.step != 4:
            assert torch.equal(snap.x, x) and torch.equal(snap.x_avg, x_avg)
            assert torch.equal(snap.best, best)
    assert all(alike(a, b) for a, b in zip(plain, kept, strict=True) if a.step != 4)
    for t in (plain[3].x, plain[3].x_avg, plain[3].best):
        assert t.device.type == "cpu" and t.dtype == torch.float32 and not t.requires_grad


@pytest.mark.parametrize("average", [0.0, 0.5, 0.9, 0.99])
def test_the_average_follows_its_recurrence(average: float) -> None:
    snaps = [*fit(own(ema_decay=average), steps=40, stop=False, schedule=every(1))]
    expected = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    for step, snap in enumerate(snaps[1:], start=1):
        past = min(average, (step - 1) / (step + 9))  # a short past weighs less
        expected = past * expected + (1 - past) * snap.x.double()
        assert (snap.x_avg - expected).abs().max() < 1e-5


def test_the_loss_is_the_energy_of_x() -> None:
    target = picture(channels=1)
    for snap in fit(own(), steps=5, schedule=every(1)):
        assert snap.loss == pytest.approx(float(F.mse_loss(snap.x, target)), rel=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(17, 31), (16, 16), (33, 100)])
@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_every_size_comes_back_as_it_went(
    preset: str, size: tuple[int, int], channels: int
) -> None:
    x0 = picture(*size, channels)
    last = end(fit(denoise(x0, 0.1, preset=preset), steps=1))
    for x in (last.x, last.x_avg, last.best):
        assert x.shape == x0.shape
        assert torch.isfinite(x).all() and 0 <= float(x.min()) <= float(x.max()) <= 1


@pytest.mark.parametrize("height", [16, 20])
def test_a_strip_is_a_picture_too(height: int) -> None:
    for preset in PRESET_NAMES:
        assert end(fit(denoise(picture(height, 150), 0.1, preset=preset), steps=1)).step == 1


# --- going on


@pytest.mark.parametrize("optimiser", ["muon", "adam"])
@pytest.mark.parametrize("at", [0, 1, 27])
def test_a_saved_state_goes_on_to_the_same_bits(optimiser: str, at: int) -> None:
    task = own(optimiser=optimiser, lr=0.01, warmup=10)
    task.reg_noise_std = 0.1
    straight = Run(task, seed=2, device="cpu")
    expected = [*fit(straight, steps=45, schedule=every(1))][at + 1 :]
    before = Run(task, seed=2, device="cpu")
    end(fit(before, steps=at))
    disk = io.BytesIO()
    torch.save(before.state(), disk)
    disk.seek(0)
    after = Run(task, seed=99, device="cpu")  # the seed is in the state
    after.load(torch.load(disk, weights_only=False))
    assert after.seconds == before.seconds
    resumed = [*fit(after, steps=45, schedule=every(1))]
    resumed = resumed if at else resumed[1:]
    assert len(resumed) == len(expected) and all(map(alike, resumed, expected))


def test_a_state_is_a_copy() -> None:
    run = Run(tiny(), device="cpu")
    run.advance()
    state = run.state()
    step, weight = state["step"], next(iter(state["net"].values())).clone()
    run.advance()
    assert state["step"] == step
    assert torch.equal(next(iter(state["net"].values())), weight)
    run.load(state)
    run.advance()
    assert torch.equal(next(iter(state["net"].values())), weight)


# --- own tasks


def test_an_own_energy_sharpens_a_blurred_photograph() -> None:
    x_true = sample("camera")[:, :, 150:198, 220:268]
    kernel = torch.full((1, 1, 1, 5), 1 / 5)

    def blur(x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (2, 2, 0, 0), mode="reflect"), kernel)

    def deblurring(x: Tensor) -> Tensor:
        return F.mse_loss(blur(x), x0)

    x0 = blur(x_true)
    z = torch.randn(1, 8, 24, 24, generator=torch.Generator().manual_seed(0))
    task = Task(deblurring, partial(build, SHAPE, 8, 1), z, (48, 48), Settings(steps=250))
    last = end(fit(task, stop=False))
    # measured gain in dB, seeds 0 to 4 of z and weights: 2.35, 3.09, 5.07, 4.05, 5.28
    assert psnr(last.x_avg, x_true) > psnr(x0, x_true) + 1.5


@pytest.mark.parametrize(
    ("energy", "got"),
    [
        (lambda x: x, "shape (1, 1, 32, 32)"),
        (lambda x: x.mean((1, 2, 3)), "shape (1,)"),
        (lambda x: x.mean().item(), "0."),
        (lambda x: None, "None"),
        (lambda x: x.detach().mean(), "detached"),
    ],
)
def test_an_energy_of_the_wrong_kind_gets_one_sentence(
    energy: Callable[[Tensor], Any], got: str
) -> None:
    with pytest.raises(ValueError, match="the energy '<lambda>' must return one number") as caught:
        end(fit(own(energy), steps=1))
    assert got in str(caught.value) and "\n" not in str(caught.value)


def test_what_an_energy_raises_reaches_its_owner() -> None:
    def broken(x: Tensor) -> Tensor:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        end(fit(own(broken)))


# --- where and how exactly


def test_bfloat16_on_a_cpu_ends_near_float32() -> None:
    ends = []
    for precision in ("float32", "bfloat16"):
        run = Run(tiny("mse"), device="cpu", precision=precision)
        ends.append(end(fit(run, steps=40, stop=False)))
    exact, rough = ends
    assert rough.x.dtype == torch.float32 and torch.isfinite(rough.x).all()
    assert not torch.equal(exact.x, rough.x)
    assert rough.loss == pytest.approx(exact.loss, rel=0.2)
    assert psnr(rough.x_avg, exact.x_avg) > 25


@pytest.mark.parametrize("device", ["nonsense", "meta", "cuda:99", ""])
def test_a_device_that_is_not_to_be_had_is_refused(device: str) -> None:
    with pytest.raises(ValueError, match=f"device '{device}' cannot be used here") as caught:
        next(_exported(own(), device=device))
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_is_refused_where_there_is_none() -> None:
    with pytest.raises(ValueError, match="device 'cuda' cannot be used here") as caught:
        next(_exported(own(), device="cuda"))
    assert "\n" not in str(caught.value)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="'float8'"):
        Run(own(), device="cpu", precision="float8")


@pytest.mark.parametrize("budget", [{"seconds": -1.0}, {"steps": -5}, {"seconds": math.nan}])
def test_a_budget_below_zero_is_refused(budget: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be ≥ 0"):
        next(fit(own(), **budget))


@pytest.mark.parametrize("steps", [0, -3])
def test_a_schedule_of_every_no_steps_is_refused(steps: int) -> None:
    with pytest.raises(ValueError, match=f"got {steps}"):
        every(steps)


@pytest.mark.parametrize(
    "wrong",
    [
        {"optimiser": "rmsprop"},
        {"lr": -0.1},
        {"lr_adam": math.nan},
        {"ema_decay": 1.0},
        {"target_loss": -0.1},
        {"steps": 0},
        {"coarse_steps": -1},
        {"warmup": -1},
        {"patience": 0},
    ],
)
def test_settings_are_checked_when_made(wrong: dict[str, Any]) -> None:
    [(name, value)] = wrong.items()
    with pytest.raises(ValueError) as caught:
        Settings(**wrong)
    assert name.removesuffix("_adam") in str(caught.value) and str(value) in str(caught.value)


def test_a_run_may_go_on_with_the_stopping_rule_after_without_it() -> None:
    """`best` is the moving average without the rule, and the steadiest output with it."""
    run = Run(tiny())
    plain = end(fit(run, steps=90, stop=False))
    assert torch.equal(plain.best, plain.x_avg) and plain.best_step == plain.step
    best_avg, best_avg_step = run.best_avg.clone(), run.best_avg_step
    run.rule.update = lambda x, deviation: False  # type: ignore[method-assign]  # no steadier output follows
    judged = end(fit(run, steps=95, stop=True))
    assert judged.best_step == best_avg_step and torch.equal(judged.best, best_avg)
    assert not torch.equal(judged.best, judged.x_avg)


# --- what a task may add


class Lifted(Task):
    """Its outputs end one above where a network's can be."""

    def postprocess(self, x: Tensor) -> Tensor:
        return x + 1


def test_postprocessing_changes_average_and_best_and_is_never_fed_back() -> None:
    plain = own(steps=60, warmup=5, patience=200)
    finished = Lifted(**vars(plain))
    pairs = zip(*(fit(task, schedule=every(10)) for task in (plain, finished)), strict=True)
    for without, with_it in pairs:
        assert (without.loss, without.best_step) == (with_it.loss, with_it.best_step)
        assert torch.equal(without.x, with_it.x)
        assert torch.equal(without.x_avg + 1, with_it.x_avg)
        assert torch.equal(without.best + 1, with_it.best)
    assert with_it.best_step > 0


def test_the_guess_is_x0_where_it_fits_unless_there_is_a_better() -> None:
    x0, better = picture(), torch.rand(1, 3, 32, 32)
    task = own()
    assert task.guess is None  # nobody said what there was

    def guess(x0: Tensor, guess: Tensor | None = None) -> Tensor | None:
        return Task(task.energy, task.net, task.z, (32, 32), x0=x0, guess=guess).guess

    assert guess(x0) is x0
    assert guess(x0, better) is better
    assert guess(x0[..., ::2, ::2]) is None  # a small picture to be enlarged


# --- several runs, refused steps, devices


def test_runs_built_in_two_threads_have_the_weights_of_their_seed() -> None:
    """Layers draw from PyTorch's one global generator, which two runs must not share."""

    def weights(seed: int) -> Tensor:
        net = Hourglass((16,) * 5, skip=4)
        task = Task(
            lambda x: x.mean(), lambda: build(net, 8, 3), torch.zeros(1, 8, 64, 64), (64, 64)
        )
        run = Run(task, seed=seed, device="cpu")
        return torch.cat([p.detach().flatten() for p in run.net.parameters()])

    seeds = [0, 1] * 10
    alone = [weights(seed) for seed in seeds[:2]] * 10
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(weights, seeds))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_the_step_of_the_best_average_counts_refused_steps_too() -> None:
    """The stopping rule sees accepted outputs only; the run's own step is the one with a frame."""
    run = Run(own(warmup=20, patience=500), device="cpu")
    energy, calls = run.task.energy, itertools.count(1)
    run.task.energy = lambda x: energy(x) * (math.nan if next(calls) in (10, 11, 12) else 1)
    seen = {}
    for _ in range(60):
        run.advance()
        seen[run.step] = run.x_avg.clone()
    assert run.rule.best_step > 12 and run.best_avg_step == run.rule.best_step + 3
    assert torch.equal(run.best_avg, seen[run.best_avg_step])


def test_a_snapshot_holds_two_pictures_unless_the_rule_has_a_third() -> None:
    for snap in watch(own(), steps=30):
        assert snap.best.data_ptr() == snap.x_avg.data_ptr()
        assert snap.x.data_ptr() != snap.x_avg.data_ptr()


def test_a_step_waits_for_the_device_once() -> None:
    """Reading a number from a GPU waits for all its work: `_to_host` reads them together."""
    run = Run(own(), device="cpu")
    reads: list[str] = []

    class Reads(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if "_local_scalar_dense" in str(func):
                reads.append(str(func))
            return func(*args, **(kwargs or {}))

    with Reads():
        for _ in range(70):  # past the warm-up of guard and rule
            run.advance()
    assert not reads  # `tolist` of one tensor is the only transfer


def test_an_energy_below_zero_is_no_target() -> None:
    def darkness(x: Tensor) -> Tensor:
        return x.mean() - 1

    last = [*fit(replace(prior(torch.full((1, 1, 16, 16), 0.5)), energy=darkness), steps=3)]
    assert last[-1].step == 3 and last[-1].stop_reason.startswith("steps")
