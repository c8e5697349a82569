"""When to stop, without the clean picture.

While a network learns structure its output settles; once it begins to learn noise it wanders again.
The variance of the last outputs therefore falls, reaches a minimum near the best picture and rises.
Kept as two running averages it needs no window of pictures:

    δ = x − m,    m ← m + αδ,    v ← (1 − α)(v + α·mean δ²)

    rule = Patience(warmup=50, patience=200)
    for x in outputs:
        if rule.update(x): keep(x)        # the steadiest so far
        if rule.done: break               # no steadier one for `patience` steps

Where there is no noise that wanders, as with the blocks of JPEG, v only falls ever more slowly;
there a new minimum counts only if it is lower by a share, `gain`.

Source: Wang, Li, Zhuang, Chen, Liang and Sun, "Early Stopping for Deep Image Prior" (TMLR 2023),
whose window (100 steps) and patience (1000) suit Adam; ours are fitted to Muon's pace.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Patience:
    """The rule: the step of least variance, and an end when it has not been beaten for long.

    Attributes:
        statistic: v of the formula above, mean squared units of the picture; infinite in warm-up.
        best: the least statistic so far; `best_step` is where.
        done: whether `patience` steps have passed without a new least.

    Raises:
        ValueError: from the constructor, when a number is out of its range.
    """

    warmup: int = 60  # steps ignored at the start, where a network that has learnt nothing is calm
    patience: int = 80  # steps without a new minimum before the end
    rate: float = 0.05  # α; about the last 1/α outputs count
    gain: float = 0.0  # by what share a new minimum must be lower to count
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
        if not 0 <= self.gain < 1:
            raise ValueError(f"gain must be at least 0 and below 1, got {self.gain}")
        if not 0 < self.rate < 1:
            raise ValueError(f"rate must be between 0 and 1, got {self.rate}")

    def update(self, x: Tensor) -> bool:
        """Takes the next output, any shape; tells whether it is the steadiest so far."""
        self.steps += 1
        if self.mean is None:
            self.mean = x.clone()
            return False
        delta = x - self.mean
        self.mean.add_(delta, alpha=self.rate)
        self.variance = (1 - self.rate) * (self.variance + self.rate * float(delta.square().mean()))
        if self.steps <= self.warmup:
            return False
        self.statistic = self.variance
        if better := self.variance < (1 - self.gain) * self.best:
            self.best, self.best_step = self.variance, self.steps
        self.done = self.steps - self.best_step >= self.patience
        return better
