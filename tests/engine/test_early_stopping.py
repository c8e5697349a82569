"""The stopping rule against the plain recurrence, and on made-up series whose end is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dip_lite.engine.early_stopping import EarlyStopping
from dip_lite.engine.settings import Settings


def series(spreads: list[float], shape: tuple[int, ...] = (1, 3, 16, 16)) -> list[Tensor]:
    """Pictures about one mean, the t-th off by noise of standard deviation spreads[t]."""
    rng = torch.Generator().manual_seed(0)
    return [0.5 + s * torch.randn(shape, generator=rng) for s in spreads]


def valley(bottom: int, end: int) -> list[float]:
    """A spread that falls until `bottom` and rises after."""
    return [0.02 + 0.002 * abs(step - bottom) for step in range(1, end + 1)]


def run(rule: EarlyStopping, pictures: list[Tensor]) -> list[int]:
    """Feeds pictures until the rule is done; the steps it called the steadiest."""
    better = []
    for step, x in enumerate(pictures, start=1):
        if rule.update(x):
            better.append(step)
        if rule.done:
            break
    return better


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.5])
def test_the_recurrence_is_the_one_in_the_text(rate: float) -> None:
    pictures = series([0.1, 0.3, 0.05, 0.2] * 10, shape=(1, 1, 5, 7))
    rule = EarlyStopping(warmup=3, patience=100, rate=rate)
    mean, variance = pictures[0].double().numpy(), 0.0
    for step, x in enumerate(pictures, start=1):
        rule.update(x)
        if step > 1:
            delta = x.double().numpy() - mean
            mean = mean + rate * delta
            variance = (1 - rate) * (variance + rate * np.mean(delta**2))
        assert rule.statistic == (pytest.approx(variance, rel=1e-5) if step > 3 else math.inf)
    assert rule.steps == len(pictures)


def test_the_statistic_of_steady_noise_is_its_variance() -> None:
    rule = EarlyStopping(warmup=1, patience=1000, rate=0.02)
    for x in series([0.1] * 400):
        rule.update(x)
    assert rule.statistic == pytest.approx(0.1**2, rel=0.1)


def test_it_stops_patience_steps_after_the_valley_and_names_the_minimum() -> None:
    rule = EarlyStopping(warmup=20, patience=50, rate=0.1)
    better = run(rule, series(valley(bottom=80, end=400)))
    assert rule.done and rule.steps == rule.best_step + 50
    assert rule.best_step == better[-1]
    assert 80 <= rule.best_step <= 80 + 2 / rule.rate  # the window looks back about 1/α steps
    assert rule.best < rule.statistic


def test_it_goes_on_while_the_output_still_settles() -> None:
    rule = EarlyStopping(warmup=40, patience=30, rate=0.1)
    better = run(rule, series(valley(bottom=300, end=300)))
    assert not rule.done and rule.steps == 300
    assert better[-1] > 290


def test_a_calm_start_is_ignored() -> None:
    calm_start = [0.001] * 20 + valley(bottom=60, end=300)
    patient, hasty = (EarlyStopping(warmup, 60, rate=0.1) for warmup in (40, 5))
    run(patient, series(calm_start))
    run(hasty, series(calm_start))
    assert hasty.best_step <= 20
    assert 80 <= patient.best_step <= 110


def test_nothing_is_judged_in_warm_up() -> None:
    rule = EarlyStopping(warmup=10, patience=1, rate=0.05)
    assert run(rule, series([0.1] * 10)) == []
    assert (rule.statistic, rule.best_step, rule.done) == (math.inf, 0, False)
    assert rule.update(series([0.1])[0]) and rule.best_step == 11


def test_a_plateau_is_no_improvement() -> None:
    rule = EarlyStopping(warmup=0, patience=5, rate=0.05)
    run(rule, [torch.full((1, 1, 4, 4), 0.5)] * 20)
    assert rule.done and rule.best == 0 and rule.best_step == 2


def test_the_pictures_it_is_given_are_kept_as_they_are() -> None:
    first, second = series([0.1, 0.1])
    copies = first.clone(), second.clone()
    rule = Settings().stopping_rule()
    rule.update(first)
    rule.update(second)
    assert torch.equal(first, copies[0]) and torch.equal(second, copies[1])


@pytest.mark.parametrize(
    ("wrong", "given"),
    [
        ({"warmup": -1}, "-1"),
        ({"patience": 0}, "0"),
        ({"patience": -5}, "-5"),
        ({"rate": 0.0}, "0.0"),
        ({"rate": 1.0}, "1.0"),
        ({"rate": math.nan}, "nan"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any], given: str) -> None:
    with pytest.raises(ValueError) as caught:
        EarlyStopping(**{"warmup": 60, "patience": 80, "rate": 0.05} | wrong)
    message = str(caught.value)
    assert next(iter(wrong)) in message and given in message
    assert message.splitlines() == [message]


def test_a_share_is_asked_of_a_new_minimum() -> None:
    """Outputs that settle ever more slowly never end the plain rule, and do end one with a gain."""
    outputs = [torch.full((1, 1, 4, 4), 1 / (step + 10)) for step in range(600)]
    ends = {}
    for gain in (0.0, 0.5):
        rule = EarlyStopping(warmup=20, patience=40, rate=0.05, min_delta=gain)
        for x in outputs:
            rule.update(x)
            ends[gain] = ends.get(gain, False) or rule.done
    assert ends == {0.0: False, 0.5: True}
    with pytest.raises(ValueError, match="min_delta"):
        EarlyStopping(60, 80, 0.05, min_delta=1.0)


@pytest.mark.parametrize("seed", range(5))
def test_the_default_rate_averages_enough_outputs_to_see_a_minimum(seed: int) -> None:
    """Of outputs that wander equally all the time the statistic must hardly change, or its minimum
    is chance. Relative deviation, seeds 0 to 4: 0.049, 0.044, 0.054, 0.036, 0.052; with
    a rate of 0.9 in place of 0.05, 0.26 to 0.30.
    """
    rng = torch.Generator().manual_seed(seed)
    rule = Settings().stopping_rule()
    found = []
    for _ in range(400):
        rule.update(torch.randn((1, 3, 2, 4), generator=rng))
        found.append(rule.statistic)
    settled = np.array(found[100:])
    assert settled.std() / settled.mean() < 0.1
