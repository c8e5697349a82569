"""The table of the course's ablation: square holes, filled by networks that fit equally well.

    table = ablation_table()           # a line for every picture, network, seed and hole
    tiles = ablation_tiles()           # {("brick", "depth-6"): (1, 3, 160, 160), …}

It ships because the sweep takes an hour; `python -m benchmarks.ablation` makes it again. A line has

    picture, net, seed, side           which hole; the nets "blur" and "flat" are no networks
    steps                              to the target
    known                              PSNR of the known pixels there, dB; none for blur and flat
    hole                               PSNR of the hole's pixels, dB
    d4, d8, …                          root mean squared error 1 to 4 pixels from the rim, 5 to 8, …
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from ..images.holes import (
    BAND,
    Square,
    error_profile,
    psnr_where,
    square_holes,
    square_mask,
)
from ..images.io import load
from ..images.samples import sample, stripes

if TYPE_CHECKING:
    from pandas import DataFrame

SIDE = 256  # of the pictures, in pixels
HOLES = (96, 64, 32)  # sides of the holes in each of them
TILE = 160  # side of the crops around the largest
ORDER = (
    "depth-2", "depth-4", "depth-6", "skip-4", "skip-64", "resnet", "unet",
    "deep-decoder",
)  # fmt: skip
SHOWN = ("stripes-30", "brick", "face")  # rows of the sheet of tiles
FOLDER = Path(__file__).parent
TABLE, SHEET = "ablation.csv", "ablation.webp"


def ablation_pictures() -> dict[str, Tensor]:
    """The pictures by name, (1, C, 256, 256): three with structure to continue, and a face."""
    brick, face = sample("brick"), sample("astronaut")[..., :SIDE, 96 : 96 + SIDE]
    return {
        "stripes-30": stripes(SIDE, 30),
        "stripes-75": stripes(SIDE, 75),
        "brick": F.interpolate(brick, (SIDE, SIDE), mode="area").expand(-1, 3, -1, -1),
        "face": face,
    }


def ablation_table() -> DataFrame:
    """The table, see the module's description."""
    import pandas

    return pandas.read_csv(FOLDER / TABLE)


def ablation_tiles() -> dict[tuple[str, str], Tensor]:
    """What the networks made of seed 0 around its largest hole, by picture and network."""
    sheet = load(FOLDER / SHEET)  # (1, 3, rows·160, columns·160)
    table = ablation_table()
    table = table[table["seed"] == 0]
    fitted = {*zip(table["picture"], table["net"], strict=True)}
    return {
        (picture, net): sheet[..., row * TILE : (row + 1) * TILE, col * TILE : (col + 1) * TILE]
        for row, picture in enumerate(SHOWN)
        for col, net in enumerate(ORDER)
        if (picture, net) in fitted
    }


def ablation_holes(seed: int) -> list[Square]:
    """The holes of that seed, the largest first."""
    return square_holes((SIDE, SIDE), HOLES, seed)


def measure(x: Tensor, x_true: Tensor, squares: Sequence[Square]) -> list[dict[str, float]]:
    """What a line of the table says of each hole: side, known, hole, d4, d8, …

    Args:
        x: a filling, (1, C, H, W) in [0, 1].
        x_true: the clean picture, same shape.
        squares: all its holes.
    """
    size = (x.shape[2], x.shape[3])
    known = round(psnr_where(x, x_true, square_mask(size, squares)), 2)
    lines = []
    for square in squares:
        hole = psnr_where(x, x_true, 1 - square_mask(size, [square]))
        profile = error_profile(x, x_true, square)
        bands = {f"d{BAND * number}": round(value, 4) for number, value in enumerate(profile, 1)}
        lines.append({"side": square[2], "known": known, "hole": round(hole, 2), **bands})
    return lines


def crop(x: Tensor, square: Square) -> Tensor:
    """The 160² pixels around a hole of a picture of 256²."""
    top, left, side = square
    start = [min(max(0, at + side // 2 - TILE // 2), SIDE - TILE) for at in (top, left)]
    return x[..., start[0] : start[0] + TILE, start[1] : start[1] + TILE]
