"""Large pictures, fitted tile by tile by one network, in the memory of a small one.

    windows = plan_tiles(padded, divisor=64, settings=settings)    # [] if it is small enough
    task = Tiled(energy, net, z, size, padded=padded, windows=windows, tile_energy=...)

Each step fits one tile, and every tile is visited before any is again. Early stopping is off: the
outputs of two steps show different places.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from .settings import Settings
from .task import Energy, Task, Window


@dataclass(kw_only=True)
class Tiled(Task):
    """A task whose picture, when large, is fitted tile by tile.

    Attributes:
        padded: (1, C, H, W), the picture padded to the network's size divisor.
        windows: the tiles' places in `padded`; none if it is fitted whole.
        tile_energy: the energy of one tile, given its window; None: `sample_step` makes it.
    """

    tiled_fields: ClassVar[tuple[str, ...]] = ("padded",)  # tensors that a tile has a crop of

    padded: Tensor
    windows: list[Window] = field(default_factory=list)
    tile_energy: Callable[[Window], Energy] | None = None

    @property
    def stride(self) -> int:
        """Pixels of the picture per pixel of z, along each side."""
        return self.padded.shape[-1] // self.z.shape[-1]

    @property
    def num_tiles(self) -> int:
        return max(1, len(self.windows))

    def tile(self, step: int) -> tuple[Task, Window]:
        if not self.windows:
            return super().tile(step)
        rows, columns = self.windows[step % len(self.windows)]
        tile = copy.copy(self)
        for name in self.tiled_fields:
            if (whole := getattr(self, name)) is not None:
                setattr(tile, name, whole[..., rows, columns])
        tile.z = self.z[..., _divided(rows, self.stride), _divided(columns, self.stride)]
        bottom, right = min(rows.stop, self.size[0]), min(columns.stop, self.size[1])
        tile.size = (bottom - rows.start, right - columns.start)
        window = (slice(rows.start, bottom), slice(columns.start, right))
        if self.tile_energy is not None:
            tile.energy = self.tile_energy(window)
        return tile, window


def _divided(pixels: slice, stride: int) -> slice:
    return slice(pixels.start // stride, pixels.stop // stride)


def plan_tiles(padded: Tensor, divisor: int, settings: Settings, seed: int = 0) -> list[Window]:
    """The tiles of a padded picture that is too large to be fitted whole; none for others.

    Args:
        padded: (1, C, H, W), H and W multiples of `divisor`.
        divisor: the network's size divisor, to which tiles are aligned.
        settings: `tile_above` and `tile_side`.
        seed: of their random order.
    """
    height, width = padded.shape[2:]
    if height * width <= settings.tile_above:
        return []
    side = max(settings.tile_side // divisor, 2) * divisor
    return tile_windows(height, width, side, divisor, seed)


def tile_windows(height: int, width: int, side: int, divisor: int, seed: int = 0) -> list[Window]:
    """Windows that cover a padded picture, overlapping by at least `divisor`, in random order.

    Args:
        height, width: of the padded picture, multiples of `divisor`.
        side: of a window, a multiple of `divisor` and larger than it; smaller pictures have one.

    >>> sorted(rows.start for rows, columns in tile_windows(128, 64, side=64, divisor=32))
    [0, 32, 64]
    """

    def starts(length: int) -> list[int]:
        count = -(-max(0, length - side) // (side - divisor)) + 1
        last = max(0, length - side) // divisor
        return [divisor * round(last * i / max(1, count - 1)) for i in range(count)]

    windows = [
        (slice(top, min(top + side, height)), slice(left, min(left + side, width)))
        for top in starts(height)
        for left in starts(width)
    ]
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(seed))
    return [windows[i] for i in order.tolist()]


def inner_window(window: Window, size: tuple[int, int], margin: int) -> tuple[Window, Window]:
    """The part of a tile to keep: all but `margin` pixels along borders shared with other tiles.

    Args:
        window: the tile's rows and columns in the picture.
        size: (H, W) of the picture.
        margin: pixels.

    Returns:
        the part as rows and columns of the picture, and as rows and columns of the tile.

    >>> inner_window((slice(0, 64), slice(64, 128)), (128, 128), margin=8)[0]
    (slice(0, 56, None), slice(72, 128, None))
    """
    pairs = []
    for pixels, side in zip(window, size, strict=True):
        start = pixels.start + (margin if pixels.start > 0 else 0)
        stop = pixels.stop - (margin if pixels.stop < side else 0)
        pairs.append((slice(start, stop), slice(start - pixels.start, stop - pixels.start)))
    (rows, tile_rows), (columns, tile_columns) = pairs
    return (rows, columns), (tile_rows, tile_columns)


def match_low_frequencies(x: Tensor, guess: Tensor) -> Tensor:
    """A tile with the 32×32 means of the first guess, which have next to no noise.

    A batch norm forgets how bright a tile was: one whole picture can be learnt, many tiles not.

    Args:
        x, guess: (1, C, h, w), of one shape.
    """
    coarse = F.avg_pool2d(guess - x, 32, ceil_mode=True)
    return x + F.interpolate(coarse, size=x.shape[2:], mode="bilinear")
