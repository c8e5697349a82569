"""Back to the last good weights when a step goes wrong.

Now and then a fit spikes: the loss jumps, or an energy gives NaN. The guard checks every loss and
keeps a copy of weights and optimiser taken while all was well:

    guard = Guard(net, optimiser)
    if fault := guard.check(loss):          # a phrase, or "" when the loss is sound
        guard.rollback(fault, "my_energy")  # weights, moments and all; the learning rate is halved
    else:
        guard.commit(loss)                  # copies the state now and then
        optimiser.step()

A jump is a value above 10^½ times its running mean: for a squared error, 5 dB (the authors' own
limit). `Run` also passes the squared distance to the degraded picture, in which a jump shows even
if a constant in the energy hides it.
"""

import copy
import math
from typing import Any

import torch
from torch import nn

from ..errors import FitError

JUMP = 10**0.5  # 5 dB in a squared error
EVERY = 20  # steps between copies
WARMUP = 20  # steps at the start in which only NaN is a fault, since the loss still jumps about
TRIES = 5  # rollbacks in a row before giving up


class Guard:
    """Remembers the last good weights and optimiser state of one run; see the module.

    Without `detect_jumps` only NaN and infinity are faults: one tile of a picture may well be
    harder than the next.
    """

    def __init__(
        self, net: nn.Module, optimiser: torch.optim.Optimizer, detect_jumps: bool = True
    ) -> None:
        self.net, self.optimiser, self.detect_jumps = net, optimiser, detect_jumps
        self.good: dict[str, Any] = {}
        self.mean = math.nan  # running mean of the losses
        self.distance = 0.0  # and of the distances
        self.seen = 0
        self.rollbacks = 0  # in a row

    def check(self, loss: float, distance: float = 0.0) -> str:
        """What is wrong with this loss, as a phrase; empty when nothing is.

        Args:
            loss: the energy of this step.
            distance: mean squared distance to the degraded picture, 0 where there is none.
        """
        if not math.isfinite(loss):
            return f"the loss became {loss}"
        if self.seen < WARMUP or not self.detect_jumps:
            return ""
        if loss > self.mean + (JUMP - 1) * abs(self.mean):
            return f"the loss jumped from {self.mean:.3g} to {loss:.3g}"
        if distance > JUMP * self.distance:
            return f"the distance to x0 jumped from {self.distance:.3g} to {distance:.3g}"
        return ""

    def keep(self, loss: float) -> None:
        """Takes the state as it is for a good one, before the first loss is known."""
        self.good = self._copy() | {"means": (loss, 0.0)}

    def commit(self, loss: float, distance: float = 0.0) -> None:
        """Accepts a sound loss; every 20 steps, copies the state it was computed with."""
        if self.seen % EVERY == 0:
            self.good = self._copy()
        if self.seen == 0:
            self.mean, self.distance = loss, distance
        self.mean += 0.1 * (loss - self.mean)
        self.distance += 0.1 * (distance - self.distance)
        # by these means the copy's own loss is no jump
        self.good.setdefault("means", (self.mean, self.distance))
        self.seen += 1
        self.rollbacks = 0

    def rollback(self, fault: str, energy: str) -> None:
        """Restores the last good weights and optimiser state, and halves the learning rate.

        Raises:
            FitError: after five rollbacks in a row, or when there is nothing to go back to.
        """
        self.rollbacks += 1
        if not self.good or self.rollbacks > TRIES:
            again = f" {self.rollbacks} times in a row" if self.rollbacks > 1 else ""
            raise FitError(
                f"The fit cannot go on: {fault} in the energy {energy!r}{again}; "
                "look for a division by zero, a logarithm or a root in it."
            )
        self.mean, self.distance = self.good["means"]
        self.net.load_state_dict(self.good["net"])
        # load_state_dict keeps the tensors it is given, so it gets copies of its own
        self.optimiser.load_state_dict(copy.deepcopy(self.good["optimiser"]))
        for group in self.optimiser.param_groups:
            group["lr"] *= 0.5**self.rollbacks

    def state(self) -> dict[str, Any]:
        """All of it, for a run record."""
        names = ("good", "mean", "distance", "seen", "rollbacks")
        return {name: copy.deepcopy(getattr(self, name)) for name in names}

    def load(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        for name, value in state.items():
            setattr(self, name, copy.deepcopy(value))

    def _copy(self) -> dict[str, Any]:
        return {
            "net": {k: v.detach().clone() for k, v in self.net.state_dict().items()},
            "optimiser": copy.deepcopy(self.optimiser.state_dict()),
        }
