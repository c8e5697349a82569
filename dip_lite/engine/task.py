"""What is to be fitted: a network, its fixed input, an energy.

    task = Task(energy, net, z, size=(256, 256))      # energy(x) → scalar; net() → a fresh module

`dip_lite.tasks` makes one for every restoration; any differentiable energy makes another.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .settings import Settings

Energy = Callable[[Tensor], Tensor]
Window = tuple[slice, slice]  # rows and columns


@dataclass
class Task:
    """What is to be fitted: a network, its fixed input and an energy.

    Attributes:
        energy: (1, C, H, W) output → scalar, differentiable.
        net: makes a fresh network; called once a run, with the seed set.
        z: the fixed input, (1, C_z, h, w); the network's output may be larger than `size` and is
            cropped to it.
        size: (H, W) of the output.
        settings: how to fit it.
        reg_noise_std: standard deviation of the noise added to z at every step, a number or a
            (1, C_z, 1, 1) tensor (paper, supplementary).
        x0: the degraded picture, if there is one to compare outputs with.
        name, preset: for records and reports.
        coarse: the task of the same picture at a lower resolution, with the same `net`; the first
            `Settings.coarse_steps` are of it, and then optimiser and averages begin anew.
        guess: what a classical method makes of x0, (1, C, H, W) of `size`, for comparison and for
            the low frequencies of a picture fitted in tiles. By default x0, where it fits.
    """

    energy: Energy
    net: Callable[[], nn.Module]
    z: Tensor
    size: tuple[int, int]
    settings: Settings = field(default_factory=Settings)
    reg_noise_std: float | Tensor = 0.0
    x0: Tensor | None = None
    name: str = "own"
    preset: str = "own"
    coarse: Task | None = None
    guess: Tensor | None = None

    def __post_init__(self) -> None:
        if self.guess is None and self.x0 is not None and self.x0.shape[2:] == self.size:
            self.guess = self.x0

    def sample_step(self, rng: torch.Generator) -> tuple[Tensor, Energy]:
        """The input and the energy of one step: here z with fresh noise, and always one energy."""
        if isinstance(self.reg_noise_std, float) and self.reg_noise_std == 0:
            return self.z, self.energy
        return self.z + self.reg_noise_std * randn(self.z.shape, rng), self.energy

    @property
    def num_tiles(self) -> int:
        """How many tiles the picture is fitted in, one a step; see `tiling`."""
        return 1

    def tile(self, step: int) -> tuple[Task, Window]:
        """The task of one step, and the rows and columns of the picture that it is about."""
        return self, (slice(0, self.size[0]), slice(0, self.size[1]))

    def distance(self, x: Tensor) -> Tensor:
        """Mean squared distance of an output to x0, shape (); 0 where they do not compare."""
        if self.x0 is None or self.x0.shape != x.shape:
            return x.new_zeros(())
        return F.mse_loss(x, self.x0)

    def postprocess(self, x: Tensor) -> Tensor:
        """What is done to an output before it is given away; here nothing."""
        return x

    def fuse(self, x: Tensor) -> Tensor:
        """What is done to the picture to take, once, when a run ends, before `postprocess`."""
        return x

    def to(self, device: torch.device) -> Task:
        """A shallow copy whose tensors live on `device`."""
        moved = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor | Task):
                setattr(moved, name, value.to(device))
        return moved


def randn(shape: torch.Size, rng: torch.Generator) -> Tensor:
    """Normal noise in channels_last order, drawn as one contiguous buffer, which is fast."""
    n, c, h, w = shape
    return torch.empty(n, h, w, c, device=rng.device).normal_(generator=rng).permute(0, 3, 1, 2)
