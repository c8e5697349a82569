"""A bad step is caught before it is kept, whatever made it bad, and the run goes on from there."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dip_lite import add_noise, denoise, psnr, sample
from dip_lite.engine.loop import Run, every, fit
from dip_lite.engine.muon import Muon
from dip_lite.engine.rollback import EVERY, JUMP, TRIES, WARMUP, Guard
from dip_lite.engine.settings import Settings
from dip_lite.engine.task import Task
from dip_lite.errors import FitError
from dip_lite.nets.hourglass import Hourglass, build

SHAPE = Hourglass((6, 6), skip=2, upsample="nearest", padding="zeros")
ROWS = torch.linspace(0.1, 0.9, 32).view(1, 1, 32, 1).expand(1, 1, 32, 32)
PICTURE = ROWS + 0.1 * torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(3))


def closeness(x: Tensor) -> Tensor:
    return F.mse_loss(x, PICTURE)


def task(energy: Callable[[Tensor], Tensor] = closeness, **settings: Any) -> Task:
    z = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    settings = {"steps": 200} | settings
    return Task(energy, partial(build, SHAPE, 4, 1), z, (32, 32), Settings(**settings))


def failing(*steps: int, fault: float = math.nan) -> Callable[[Tensor], Tensor]:
    """An energy that gives NaN at these steps, its gradient too."""
    calls = iter(range(10**6))  # call 0 is the look before the first step

    def sometimes_nan(x: Tensor) -> Tensor:
        return closeness(x) * (fault if next(calls) in steps else 1)

    return sometimes_nan


def held(run: Run) -> dict[str, Tensor]:
    """Every number that steers the run: weights, and the optimiser's moments."""
    found = {name: p.detach().clone() for name, p in run.net.named_parameters()}
    for index, entry in run.optimiser.state_dict()["state"].items():
        for key, value in entry.items():
            found[f"{index}.{key}"] = torch.as_tensor(value).clone()
    return found


def learning_rates(run: Run) -> list[float]:
    return [group["lr"] for group in run.optimiser.param_groups]


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def advance(run: Run, steps: int) -> None:
    for _ in range(steps):
        run.advance()


# --- in a run


@pytest.mark.parametrize("optimiser", ["muon", "adam"])
@pytest.mark.parametrize("fault", [math.nan, math.inf, -math.inf])
def test_a_nan_puts_back_the_last_good_copy_to_the_bit(optimiser: str, fault: float) -> None:
    bad = 2 * EVERY + 7
    run = Run(task(failing(bad, fault=fault), optimiser=optimiser, lr=0.01), device="cpu")
    advance(run, 2 * EVERY)
    good, rates = held(run), learning_rates(run)  # as the copy taken at the next step's start
    advance(run, 6)
    assert not same(held(run), good)
    before = run.snapshot()
    run.advance()
    assert run.step == bad
    assert same(held(run), good)
    assert learning_rates(run) == [lr / 2 for lr in rates]
    after = run.snapshot()
    assert after.rollback.startswith(f"step {bad}: the loss became {fault}")
    assert torch.equal(after.x, before.x) and torch.equal(after.x_avg, before.x_avg)
    assert after.loss == before.loss and after.variance == before.variance
    assert run.snapshot().rollback == ""  # said once


def test_the_copy_is_no_view_of_the_live_weights() -> None:
    run = Run(task(), device="cpu")
    advance(run, EVERY)
    good = held(run)
    advance(run, EVERY - 1)  # the copy must outlive these in-place updates, twice
    for _ in range(2):
        run.guard.rollback("a drill", "closeness")
        assert same(held(run), good)
        run.optimiser.step()
        with torch.no_grad():
            for p in run.net.parameters():
                p.add_(1)
        for entry in run.optimiser.state.values():
            for value in entry.values():
                if isinstance(value, Tensor):
                    value.zero_()


def test_a_run_with_a_nan_comes_to_a_sound_end() -> None:
    snaps = list(fit(task(failing(43)), steps=80, stop=False, schedule=every(1), device="cpu"))
    said = [s.step for s in snaps if s.rollback]
    assert said == [43]
    assert all(math.isfinite(s.loss) and torch.isfinite(s.x_avg).all() for s in snaps)
    assert snaps[-1].stop_reason == "steps: 80 made"
    assert snaps[-1].loss < 0.5 * snaps[20].loss
    clean = list(fit(task(), steps=80, stop=False, device="cpu"))[-1]
    assert snaps[-1].loss < 2 * clean.loss


def test_the_snapshot_after_the_fault_tells_even_if_it_comes_late() -> None:
    snaps = list(fit(task(failing(33)), steps=60, stop=False, schedule=every(20), device="cpu"))
    assert [s.step for s in snaps if s.rollback] == [40]
    assert "step 33" in snaps[2].rollback


def test_a_spike_of_the_weights_is_caught_before_it_is_kept() -> None:
    run = Run(task(), device="cpu")
    advance(run, 70)
    before, average = run.loss, run.x_avg.clone()
    with torch.no_grad():
        for p in run.net.parameters():
            p.mul_(50)
    run.advance()
    assert "the loss jumped from" in run.rollback and "step 71" in run.rollback
    assert run.loss == before and torch.equal(run.x_avg, average)
    advance(run, 1)
    assert run.loss < JUMP * before
    assert max(float(p.detach().abs().max()) for p in run.net.parameters()) < 20


def test_a_nan_weight_is_cured() -> None:
    run = Run(task(), device="cpu")
    advance(run, 50)
    with torch.no_grad():
        next(run.net.parameters()).fill_(math.nan)
    advance(run, 5)
    assert math.isfinite(run.loss)
    assert all(torch.isfinite(p).all() for p in run.net.parameters())


def always_nan(x: Tensor) -> Tensor:
    return (x - x).sum() / 0


def test_an_energy_that_is_always_nan_is_named() -> None:
    with pytest.raises(FitError, match="'always_nan'") as caught:
        list(fit(task(always_nan), steps=50, device="cpu"))
    assert str(caught.value).splitlines() == [str(caught.value)]


def test_an_energy_that_stays_nan_ends_the_run_after_a_few_tries() -> None:
    run = Run(task(failing(*range(30, 1000))), device="cpu")
    advance(run, 29 + TRIES)
    with pytest.raises(FitError, match=f"'sometimes_nan' {TRIES + 1} times in a row"):
        run.advance()
    assert all(torch.isfinite(p).all() for p in run.net.parameters())


def test_faults_in_a_row_slow_the_run_further_and_a_sound_step_ends_the_row() -> None:
    run = Run(task(failing(30, 31, 32)), device="cpu")
    advance(run, 29)
    before = learning_rates(run)
    for rollbacks in (1, 2, 3):
        run.advance()
        assert run.guard.rollbacks == rollbacks
        assert learning_rates(run)[0] < 0.6**rollbacks * before[0]
    run.advance()
    assert run.guard.rollbacks == 0


def test_a_run_without_faults_is_never_touched() -> None:
    snaps = list(fit(task(), steps=120, stop=False, schedule=every(1), device="cpu"))
    assert not any(s.rollback for s in snaps)


# --- alone


def guard_of(lr: float = 0.02) -> Guard:
    net = build(SHAPE, 4, 1)
    return Guard(net, Muon(net, lr))


def test_a_jump_is_judged_by_its_factor_and_only_after_the_start() -> None:
    guard = guard_of()
    for _ in range(WARMUP):
        assert not guard.check(100 * JUMP)  # a young loss may leap about
        guard.commit(1.0)
    assert not guard.check(0.99 * JUMP)
    assert "jumped from 1 to 3.2" in guard.check(3.2)
    assert guard.check(math.nan) and guard.check(math.inf)


def test_losses_below_zero_have_jumps_too() -> None:
    guard = guard_of()
    for _ in range(WARMUP):
        guard.commit(-1.0)
    assert not guard.check(-0.5) and not guard.check(-5.0)
    assert guard.check(JUMP)


def test_the_copys_own_loss_is_no_jump_when_it_comes_again() -> None:
    guard = guard_of()
    for _ in range(EVERY + 1):
        guard.commit(1.0)  # the last of them with a copy
    for _ in range(EVERY - 2):
        guard.commit(0.01)  # then a steep fall
    assert guard.check(1.0)
    guard.rollback("the loss became nan", "E")
    assert not guard.check(1.0)


def test_with_nothing_to_go_back_to_it_says_so() -> None:
    with pytest.raises(FitError, match="'E'"):
        guard_of().rollback("the loss became nan", "E")


def test_its_state_survives_a_record() -> None:
    run = Run(task(), device="cpu")
    advance(run, 30)
    kept = copy.deepcopy(run.guard.state())
    other = Run(task(), device="cpu")
    other.guard.load(kept)
    assert other.guard.check(100.0) == run.guard.check(100.0) != ""
    other.guard.rollback("a drill", "closeness")
    run.guard.rollback("a drill", "closeness")
    assert same(held(run), held(other))


# --- faults that the loss alone would hide


def test_a_recorrupted_run_is_caught_at_5_db_to_the_noisy_picture() -> None:
    """The energy has a floor of about σ²/α²; the guard looks at the distance to x0 as well."""
    x0 = add_noise(sample("chelsea")[..., 100:148, 150:198], 25 / 255)
    run = Run(denoise(x0, 25 / 255, preset="tiny"), device="cpu")
    advance(run, 60)
    good, before = held(run), run.snapshot()
    with torch.no_grad():
        for p in run.net[-2].parameters():  # type: ignore[index,union-attr]
            p.mul_(0.45)
    jumped = run._output()[0].detach()
    drop = psnr(before.x, x0) - psnr(jumped, x0)
    assert 5 < drop < 12  # a spike that would still be small in the loss
    run.advance()
    assert "distance to x0 jumped" in run.snapshot().rollback
    assert not same(held(run), good) or run.step % EVERY == 1
    advance(run, 5)
    assert psnr(run.snapshot().x, x0) > psnr(before.x, x0) - 2


def test_a_nan_gradient_is_caught_before_the_step_and_ends_in_a_sentence() -> None:
    """√0 has a finite value and no finite slope."""

    def rooted(x: torch.Tensor) -> torch.Tensor:
        return (x - x.detach()).square().sum().sqrt()

    run = Run(task(rooted), device="cpu")
    with pytest.raises(FitError, match="gradient became nan in the energy 'rooted'"):
        advance(run, TRIES + 1)
    assert all(bool(torch.isfinite(p).all()) for p in run.net.parameters())
