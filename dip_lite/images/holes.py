"""Square holes of several sizes in one picture, so that one fit is a test of all of them.

    squares = square_holes((256, 256), (96, 64, 32), seed=0)     # [(top, left, 96), …]
    mask = square_mask((256, 256), squares)                       # 1 = known, 0 = missing
    rim_distance(mask)                                            # pixels to the nearest known one
    psnr_where(x, x_true, mask), error_profile(x, x_true, squares[0])

They keep a distance from each other and from the border, so that each has its own surroundings.
"""

import random
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from .metrics import psnr

Square = tuple[int, int, int]  # top, left, side, in pixels
GAP, MARGIN = 5 / 32, 3 / 32  # of the shorter side: 40 and 24 pixels of 256
BAND = 4  # pixels of distance that are averaged
TRIES = 10_000  # placements drawn before we say that there is no room


def square_holes(
    size: tuple[int, int],
    sides: Iterable[int],
    seed: int = 0,
    *,
    gap: int | None = None,
    margin: int | None = None,
) -> list[Square]:
    """Places for square holes, drawn at random.

    Args:
        size: (H, W) of the picture.
        sides: of the holes, in pixels.
        seed: decides the places.
        gap: pixels between two holes, along a row or a column, at least; None: `GAP`.
        margin: pixels from a hole to the picture's border, at least; None: `MARGIN`.

    Returns:
        (top, left, side) of each, in the order of `sides`.

    Raises:
        ValueError: no sides, one below 1, or no room for them.

    >>> square_holes((256, 256), (96, 64, 32))
    [(29, 136, 96), (45, 32, 64), (187, 114, 32)]
    """
    sides, rng = list(sides), random.Random(seed)
    if not sides or min(sides) < 1:
        raise ValueError(f"sides must be one or more numbers from 1, got {sides}")
    gap = int(GAP * min(size)) if gap is None else gap
    margin = int(MARGIN * min(size)) if margin is None else margin
    down, across = (extent - 2 * margin for extent in size)  # of the room for holes
    if max(sides) <= min(down, across):
        for _ in range(TRIES):
            places = [
                (margin + rng.randint(0, down - side), margin + rng.randint(0, across - side), side)
                for side in sides
            ]
            if _apart(places, gap):
                return places
    raise ValueError(
        f"holes of {', '.join(map(str, sides))} pixels, {gap} apart and {margin} from the border, "
        f"do not fit into {size[0]}×{size[1]}: make them fewer or smaller"
    )


def _apart(places: Sequence[Square], gap: int) -> bool:
    """Whether any two lie `gap` pixels apart along one of the axes."""
    for index, (top, left, side) in enumerate(places):
        for other_top, other_left, other in places[:index]:
            down = max(top - other_top - other, other_top - top - side)
            across = max(left - other_left - other, other_left - left - side)
            if max(down, across) < gap:
                return False
    return True


def square_mask(size: tuple[int, int], squares: Iterable[Square]) -> Tensor:
    """The mask of these squares, (1, 1, H, W): 1 = known, 0 = missing.

    >>> float(1 - square_mask((64, 64), [(8, 8, 16)]).mean())
    0.0625
    """
    mask = torch.ones(1, 1, *size)
    for top, left, side in squares:
        mask[..., top : top + side, left : left + side] = 0
    return mask


def rim_distance(mask: Tensor) -> Tensor:
    """How far every missing pixel is from the nearest known one, (1, 1, H, W) in pixels.

    0 where a pixel is known, 1 along the rim.

    >>> rim_distance(square_mask((16, 16), [(4, 4, 5)]))[0, 0, 6, 3:10].tolist()
    [0.0, 1.0, 2.0, 3.0, 2.0, 1.0, 0.0]
    """
    from scipy.ndimage import distance_transform_edt

    far = distance_transform_edt(mask[0, 0].cpu().numpy() == 0)  # (H, W)
    return torch.from_numpy(far).float()[None, None]


def psnr_where(x: Tensor, x_true: Tensor, where: Tensor) -> float:
    """PSNR in dB over the pixels where a mask is not 0.

    Args:
        x, x_true: (1, C, H, W) in [0, 1].
        where: (1, 1, H, W); a mask for the known pixels, 1 − mask for the missing ones.
    """
    chosen = where.bool().expand_as(x_true)
    return psnr(x[chosen], x_true[chosen])


def error_profile(x: Tensor, x_true: Tensor, square: Square, band: int = BAND) -> list[float]:
    """The root mean squared error in a hole, by distance to its rim.

    Args:
        x, x_true: (1, C, H, W) in [0, 1].
        square: the hole.
        band: pixels; the first value is of distances 1 to `band`, the next of as many more, …

    Returns:
        side / (2·band) values, rounded up.

    >>> x_true = torch.zeros(1, 1, 16, 16)
    >>> x = rim_distance(square_mask((16, 16), [(4, 4, 8)])) / 10
    >>> [round(value, 1) for value in error_profile(x, x_true, (4, 4, 8), band=1)]
    [0.1, 0.2, 0.3, 0.4]
    """
    far = rim_distance(square_mask((x.shape[2], x.shape[3]), [square]))
    squared = (x - x_true).square().mean(1, keepdim=True)  # (1, 1, H, W)
    bands = (far / band).ceil()  # 0 where known, then 1, 2, …
    last = int(bands.max())
    return [float(squared[bands == number].mean().sqrt()) for number in range(1, last + 1)]
