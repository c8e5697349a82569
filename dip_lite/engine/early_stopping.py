"""When to stop, without the clean picture.

While a network learns structure its output settles; once it begins to learn noise it wanders again.
The variance of the latest outputs therefore falls, reaches a minimum near the best picture and
rises. Kept as two moving averages it needs no window of pictures:

    δ = x − m,    m ← m + αδ,    v ← (1 − α)(v + α·mean δ²)

    rule = EarlyStopping(warmup=60, patience=80, rate=0.05)
    for x in outputs:
        if rule.update(x): best = x       # the lowest variance so far
        if rule.done: break               # no new minimum for `patience` steps

Where no noise makes the output wander, as with JPEG blocks, v only falls ever more slowly; there a
new minimum counts only if it is lower by a fraction, `min_delta`.

Source: Wang, Li, Zhuang, Chen, Liang and Sun, "Early Stopping for Deep Image Prior" (TMLR 2023),
whose window (100 steps) and patience (1000) suit Adam; `Settings` has ours, which suit Muon.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

STATE = ("statistic", "best", "best_step", "steps", "done", "mean", "variance")


@dataclass
class EarlyStopping:
    """Remembers the step of least variance, and ends a run when that has not changed for long.

    Attributes:
        warmup: steps ignored at the start, where the output of an untrained network is steady.
        patience: steps without a new minimum before the end.
        rate: α of the formula; about the last 1/α outputs count.
        min_delta: fraction by which a new minimum must be lower to count.
        statistic: v, mean squared units of the picture; infinite during warm-up.
        best, best_step: the least statistic so far, and its step.
        done: whether `patience` steps have passed without a new minimum.

    Raises:
        ValueError: from the constructor, when a number is out of range.
    """

    warmup: int
    patience: int
    rate: float
    min_delta: float = 0.0
    statistic: float = math.inf
    best: float = math.inf
    best_step: int = 0
    steps: int = 0
    done: bool = False
    mean: Tensor | None = field(default=None, repr=False)
    variance: float = 0.0

    def __post_init__(self) -> None:
        if self.warmup < 0 or self.patience < 1:
            raise ValueError(
                f"warmup must be ≥ 0 and patience ≥ 1, got {self.warmup} and {self.patience}"
            )
        if not 0 <= self.min_delta < 1:
            raise ValueError(f"min_delta must be at least 0 and below 1, got {self.min_delta}")
        if not 0 < self.rate < 1:
            raise ValueError(f"rate must be between 0 and 1, got {self.rate}")

    def deviation(self, x: Tensor) -> Tensor:
        """mean δ² of an output as a tensor of shape (), still on its device; changes nothing."""
        return (x - (x if self.mean is None else self.mean)).square().mean()

    def update(self, x: Tensor, deviation: float | None = None) -> bool:
        """Adds the next output; returns whether its variance is the lowest so far.

        Args:
            x: any shape, the same at every call.
            deviation: `self.deviation(x)`, if it is known.
        """
        self.steps += 1
        if self.mean is None:
            self.mean = x.clone()
            return False
        if deviation is None:
            deviation = self.deviation(x).item()
        self.mean.add_(x - self.mean, alpha=self.rate)
        self.variance = (1 - self.rate) * (self.variance + self.rate * deviation)
        if self.steps <= self.warmup:
            return False
        self.statistic = self.variance
        if lowest := self.variance < (1 - self.min_delta) * self.best:
            self.best, self.best_step = self.variance, self.steps
        self.done = self.steps - self.best_step >= self.patience
        return lowest

    def state_dict(self) -> dict[str, Any]:
        """All that changes, for a record; the tensor is the live one."""
        return {name: getattr(self, name) for name in STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        for name in STATE:
            setattr(self, name, state[name])
