"""What is to be fitted: a network, its fixed input, an energy, and how.

    task = Task(energy, net, z, size=(256, 256))      # energy(x) → scalar; net() → a fresh module

`tasks` makes one for every restoration; any differentiable energy makes another.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .stopping import Patience

Energy = Callable[[Tensor], Tensor]
Place = tuple[slice, slice]  # rows and columns


@dataclass(frozen=True)
class Settings:
    """How a task is fitted; every task comes with its own.

    Raises:
        ValueError: from the constructor, with what came and what was expected.
    """

    optimiser: str = "muon"  # or "adam", the paper's
    lr: float = 0.02  # of Muon, or of Adam where it is alone
    lr_adam: float = 0.01  # of Adam beside Muon
    average: float = 0.99  # weight of the past in x_avg (authors' code)
    steps: int = 3000  # at most (authors' code, denoising)
    warmup: int = 60  # steps the stopping rule ignores
    patience: int = 80  # steps without a steadier output before the end
    gain: float = 0.0  # by what share an output must be steadier to count, see `stopping`

    def __post_init__(self) -> None:
        if self.optimiser not in ("muon", "adam"):
            raise ValueError(f"optimiser must be muon or adam, got {self.optimiser!r}")
        if not (self.lr >= 0 and self.lr_adam >= 0):
            raise ValueError(f"lr must be ≥ 0, got {self.lr} and {self.lr_adam}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be in [0, 1), got {self.average}")
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        Patience(self.warmup, self.patience, gain=self.gain)  # refuses wrong ones now


@dataclass
class Task:
    """What is to be fitted: a network, its fixed input and an energy.

    Attributes:
        energy: (1, C, H, W) output → scalar, differentiable.
        net: makes a fresh network; it is called once a run, with the seed set.
        z: the fixed input, (1, C_z, h, w); the network's output may be larger than `size` and is
            cut to it.
        size: (H, W) of the output.
        reg: standard deviation of the noise added to z at every step, a number or a (1, C_z, 1, 1)
            tensor (paper, supplementary; the authors' reg_noise_std).
        x0: the degraded picture, for those who look on.
        guess: what a classical method makes of x0, (1, C, H, W) of `size`: to compare with, and
            for the coarse levels of a picture that is fitted in windows. x0 where it fits.
        name, preset: for records and reports.
    """

    energy: Energy
    net: Callable[[], nn.Module]
    z: Tensor
    size: tuple[int, int]
    settings: Settings = field(default_factory=Settings)
    reg: float | Tensor = 0.0
    x0: Tensor | None = None
    name: str = "own"
    preset: str = "own"
    guess: Tensor | None = None

    def __post_init__(self) -> None:
        if self.guess is None and self.x0 is not None and self.x0.shape[2:] == self.size:
            self.guess = self.x0

    def draw(self, rng: torch.Generator) -> tuple[Tensor, Energy]:
        """The input and the energy of one step; here z with fresh noise, and always one energy."""
        if isinstance(self.reg, float) and self.reg == 0:
            return self.z, self.energy
        return self.z + self.reg * randn(self.z.shape, rng), self.energy

    @property
    def parts(self) -> int:
        """In how many parts the picture is fitted, one a step; here it is one whole."""
        return 1

    def part(self, step: int) -> tuple[Task, Place]:
        """The task of one step, and the rows and columns of the picture that it is about."""
        return self, (slice(0, self.size[0]), slice(0, self.size[1]))

    def distance(self, x: Tensor) -> float:
        """Mean squared distance of an output to x0, 0 where they do not compare: for the guard."""
        if self.x0 is None or self.x0.shape != x.shape:
            return 0.0
        return F.mse_loss(x, self.x0).item()

    def finish(self, x: Tensor) -> Tensor:
        """What is made of an output before anybody is given it; here nothing."""
        return x

    def to(self, device: torch.device) -> Task:
        """A shallow copy whose tensors live on `device`."""
        moved = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(moved, name, value.to(device))
        return moved


def randn(shape: torch.Size, rng: torch.Generator) -> Tensor:
    """Normal noise in channels_last order, drawn as one contiguous buffer, which is fast."""
    n, c, h, w = shape
    return torch.empty(n, h, w, c, device=rng.device).normal_(generator=rng).permute(0, 3, 1, 2)
