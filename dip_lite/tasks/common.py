"""What the tasks share: presets, networks, settings, inputs, checks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ..images import pad_reflect
from ..nets import Hourglass, Shape, build
from ..task import Energy, Place, Settings, Task, randn

PRESETS = ("fast", "paper", "tiny")

FAST = Hourglass((16, 32, 32, 32, 32), skip=4, upsample="nearest", padding="zeros", finish=16)
PAPER = Hourglass((128,) * 5, skip=4, upsample="bilinear", padding="reflect")
TINY = Hourglass((8, 8), skip=2, upsample="nearest", padding="zeros", finish=8)
LARGE = 1_500_000  # pixels; a larger picture is fitted in windows, in the memory of a small one
WINDOW = 512  # pixels, the side of one
SHAPES = {"fast": FAST, "paper": PAPER, "tiny": TINY}

Z_CHANNELS = {"fast": 8, "paper": 32, "tiny": 4}  # of the random input
SETTINGS = {
    "fast": Settings(steps=2000),
    "paper": Settings(optimiser="adam", lr=0.01, steps=3000, warmup=200, patience=1000),
    "tiny": Settings(steps=150, patience=40),
}


def squared_error(x0: Tensor) -> Energy:
    """E(x) = mean (x − x0)², the paper's data term for denoising (eq. 4)."""

    def energy(x: Tensor) -> Tensor:
        nonlocal x0
        x0 = x0.to(x.device)  # moved once, not at every step
        return F.mse_loss(x, x0)

    return energy


def total_variation(x: Tensor) -> Tensor:
    """Mean over the pixels of |∇x|, the length of the gradient over both axes and all channels.

    Source: Rudin, Osher and Fatemi, Physica D 60 (1992), colour as one vector.

    >>> ramp = torch.linspace(0, 1, 11).expand(1, 1, 11, 11)
    >>> round(float(total_variation(ramp)), 2)  # a tenth at each of ten pixels out of eleven
    0.09
    """
    down = F.pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))
    right = F.pad(x[..., 1:] - x[..., :-1], (0, 1))
    return (down.square() + right.square()).sum(1).add(1e-8).sqrt().mean()


@dataclass
class Tiled(Task):
    """A task whose picture, when large, is fitted window by window, one a step, by one network.

    All windows are visited before any is again; the memory is that of a small picture.
    """

    cut: ClassVar[tuple[str, ...]] = ("padded",)  # the tensors of which a window has its part

    padded: Tensor = field(default_factory=lambda: torch.empty(0))  # (1, C, H, W), H and W padded
    places: list[Place] = field(default_factory=list)  # windows of `padded`; none: all of it
    local: Callable[[Place], Energy] | None = None  # the energy of one window

    @property
    def stride(self) -> int:
        """Pixels of the picture to one of z, along each side."""
        return self.padded.shape[-1] // self.z.shape[-1]

    @property
    def parts(self) -> int:
        return max(1, len(self.places))

    def part(self, step: int) -> tuple[Task, Place]:
        if not self.places:
            return super().part(step)
        rows, columns = self.places[step % len(self.places)]
        part = copy.copy(self)
        for name in self.cut:
            whole = getattr(self, name)
            setattr(part, name, None if whole is None else whole[..., rows, columns])
        part.z = self.z[
            ...,
            rows.start // self.stride : rows.stop // self.stride,
            columns.start // self.stride : columns.stop // self.stride,
        ]
        ends = min(rows.stop, self.size[0]), min(columns.stop, self.size[1])
        part.size = (ends[0] - rows.start, ends[1] - columns.start)
        place = (slice(rows.start, ends[0]), slice(columns.start, ends[1]))
        if self.local is not None:
            part.energy = self.local(place)
        return part, place


@dataclass
class Guided(Tiled):
    """The paper's energy, with the network shown a first guess beside its random input.

    The guess (a picture enlarged, say) tells where the structure is, so that the network has not to
    find it from noise. Fresh noise on it keeps it from being handed through as it is.
    """

    haze: float = 0.025  # standard deviation of that noise, on the [0, 1] scale
    finest: int = 0  # side of the smallest cells whose means are shown; 0: the pixels are, too

    def draw(self, rng: torch.Generator) -> tuple[Tensor, Energy]:
        hazy = self.padded + self.haze * randn(self.padded.shape, rng)
        if self.finest:
            seen = averages(hazy, self.stride, self.finest)
        else:
            seen = guide(hazy, self.stride)
        z = torch.cat([super().draw(rng)[0], seen], dim=1)
        return z.contiguous(memory_format=torch.channels_last), self.energy


def guided(x0: Tensor, shown: Tensor, preset: str, seed: int, **more: Any) -> Guided:
    """The fast task of fitting x0, E(x) = mean (x − x0)², with a picture shown beside z.

    Args:
        x0, shown: (1, C, H, W), of one shape.
        more: whatever else the task is to have, as name and haze.
    """
    shape, colours = SHAPES[preset], x0.shape[1]
    padded, size = pad_reflect(shown, shape.multiple, least=2)
    z = random_input(padded, shape, Z_CHANNELS[preset], seed)

    def local(place: Place) -> Energy:
        return squared_error(x0[..., place[0], place[1]])

    return Guided(
        squared_error(x0),
        net=partial(build, shape, z.shape[1] + guide_channels(shape, colours), colours),
        z=z,
        size=size,
        x0=x0,
        preset=preset,
        reg=0.3,
        padded=padded,
        places=tiles(padded, shape.multiple, seed),
        local=local,
        **more,
    )


def tiles(padded: Tensor, multiple: int, seed: int = 0) -> list[Place]:
    """The windows of a padded picture that is too large to be fitted whole; none for others."""
    height, width = padded.shape[2:]
    side = max(WINDOW // multiple, 2) * multiple
    return windows(height, width, side, multiple, seed) if height * width > LARGE else []


def windows(height: int, width: int, side: int, multiple: int, seed: int = 0) -> list[Place]:
    """Windows that cover a padded picture, overlapping by at least `multiple`, in random order.

    Args:
        height, width: of the padded picture, multiples of `multiple`.
        side: of a window, a multiple of `multiple` and larger than it; smaller pictures have one.

    >>> sorted(rows.start for rows, columns in windows(128, 64, side=64, multiple=32))
    [0, 32, 64]
    """

    def starts(length: int) -> list[int]:
        count = -(-max(0, length - side) // (side - multiple)) + 1
        last = max(0, length - side) // multiple  # counted in multiples
        return [multiple * round(last * i / max(1, count - 1)) for i in range(count)]

    places = [
        (slice(top, min(top + side, height)), slice(left, min(left + side, width)))
        for top in starts(height)
        for left in starts(width)
    ]
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))
    return [places[i] for i in order.tolist()]


def guide(x: Tensor, stride: int = 2) -> Tensor:
    """A picture as an input `stride` times smaller, about unit variance.

    (1, C, H, W) → (1, (stride² + 2)·C, H/stride, W/stride)
    """
    return torch.cat([F.pixel_unshuffle(4 * (x - 0.5), stride), averages(x, stride)], dim=1)


def averages(x: Tensor, stride: int = 2, finest: int = 4) -> Tensor:
    """A picture's means over cells of finest² and (2·finest)² pixels, about unit variance.

    (1, C, H, W) → (1, 2·C, H/stride, W/stride)
    """
    cells = F.avg_pool2d(4 * (x - 0.5), finest)
    means = (cells, F.avg_pool2d(cells, 2))
    size = x.shape[2] // stride, x.shape[3] // stride
    return torch.cat([F.interpolate(y, size, mode="bilinear") for y in means], dim=1)


def guide_channels(shape: Hourglass, colours: int) -> int:
    """How many channels `guide` makes."""
    return (shape.stride**2 + 2) * colours


def random_input(
    padded: Tensor, shape: Shape, channels: int, seed: int, *, uniform: bool = False
) -> Tensor:
    """z for a padded picture: (1, channels, H/stride, W/stride).

    Normal of unit variance, from which the light network learns faster than from the authors'
    U(0, 1)·0.1 (`uniform`).
    """
    rng = torch.Generator().manual_seed(seed)
    height, width = (side // shape.stride for side in padded.shape[2:])
    if uniform:
        return 0.1 * torch.rand((1, channels, height, width), generator=rng)
    return randn(torch.Size((1, channels, height, width)), rng)


def check_picture(x0: Tensor, preset: str, name: str = "x0") -> None:
    """Refuses what no task can take, in one sentence."""
    if x0.ndim != 4 or x0.shape[0] != 1 or x0.shape[1] not in (1, 3) or min(x0.shape[2:]) < 16:
        raise ValueError(
            f"{name} must be one picture (1, 1 or 3, H, W) of at least 16 pixels a side, got "
            f"{tuple(x0.shape)}: dip_lite.load makes one from a file or an array"
        )
    if not (torch.isfinite(x0).all() and x0.min() >= -1e-3 and x0.max() <= 1 + 1e-3):
        raise ValueError(
            f"{name} must lie in [0, 1] without NaN, got {float(x0.min()):g} to {float(x0.max()):g}"
        )
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
