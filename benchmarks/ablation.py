"""The table of the course's ablation, made again; about an hour on two idle cores.

    python -m benchmarks.ablation prepare outputs/ablation
    python -m dip_lite sweep outputs/ablation/grid.toml -o outputs/ablation/fits
    python -m benchmarks.ablation measure outputs/ablation

`prepare` writes the pictures and a copy of ablation.toml beside them; the sweep may be stopped and
repeated; `measure` takes what is finished, and writes the table and the sheet of tiles that
`dip_lite.sweep.ablation` reads.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL import Image
from torch import Tensor

import dip_lite as dip
from dip_lite.images.holes import square_mask
from dip_lite.images.io import atomic_write, to_uint8
from dip_lite.images.masks import fill
from dip_lite.sweep import ablation

GRID = Path(__file__).with_suffix(".toml")


def prepare(folder: Path) -> None:
    """Writes the pictures and the grid."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, x in ablation.ablation_pictures().items():
        dip.save(x, folder / f"{name}.png")
    shutil.copyfile(GRID, folder / GRID.name.replace("ablation", "grid"))


def finished(folder: Path) -> list[tuple[dict[str, Any], dict[str, Any], Tensor]]:
    """Trial, row and picture of every finished fit."""
    fits = []
    for path in sorted((folder / "fits").glob("*/result.json")):
        result = json.loads(path.read_text("utf-8"))
        fits.append((result["trial"], result["row"], dip.load(path.with_name("best.png"))))
    return fits


def measure(folder: Path) -> pd.DataFrame:
    """The table of all finished fits, and of a blur and a flat colour for the same holes."""
    clean, rows = ablation.ablation_pictures(), list[dict[str, Any]]()
    tiles: dict[tuple[str, str], Tensor] = {}
    seeds: dict[str, set[int]] = {name: set() for name in clean}
    for trial, row, x in finished(folder):
        picture, net, seed = Path(trial["picture"]).stem, trial["settings"]["net"], trial["seed"]
        squares = ablation.ablation_holes(seed)
        head: dict[str, Any] = {"picture": picture, "net": net, "seed": seed, "steps": row["steps"]}
        rows += [head | line for line in ablation.measure(x, clean[picture], squares)]
        seeds[picture].add(seed)
        if seed == 0:
            tiles[picture, net] = ablation.crop(x, squares[0])
    for picture, x_true in clean.items():
        for seed in sorted(seeds[picture]):
            squares = ablation.ablation_holes(seed)
            mask = square_mask((ablation.SIDE, ablation.SIDE), squares)
            mean = (x_true * mask).sum((2, 3), keepdim=True) / mask.sum()
            for rule, x in {"blur": fill(x_true, mask), "flat": mean.expand_as(x_true)}.items():
                head = {"picture": picture, "net": rule, "seed": seed}
                lines = ablation.measure(x, x_true, squares)
                rows += [head | line | {"known": None} for line in lines]
    write_sheet(tiles)
    return pd.DataFrame(rows).sort_values(["picture", "net", "seed", "side"])


def write_sheet(tiles: dict[tuple[str, str], Tensor]) -> None:
    """All tiles as one picture, grey where a fit is missing."""
    empty = torch.full((1, 3, ablation.TILE, ablation.TILE), 0.5)
    rows = [
        torch.cat([tiles.get((picture, net), empty) for net in ablation.ORDER], dim=3)
        for picture in ablation.SHOWN
    ]
    memory = io.BytesIO()
    Image.fromarray(to_uint8(torch.cat(rows, dim=2))).save(memory, "webp", quality=80, method=6)
    atomic_write(ablation.FOLDER / ablation.SHEET, memory.getvalue())


def main() -> None:
    """Prepares or measures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("prepare", "measure"))
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.action == "prepare":
        prepare(options.folder)
        return
    table = measure(options.folder)
    text = table.to_csv(index=False, lineterminator="\n")
    atomic_write(ablation.FOLDER / ablation.TABLE, text.encode())
    known = table.dropna(subset=["known"]).groupby("net")["known"].agg(["min", "max", "count"])
    print(known.to_string())


if __name__ == "__main__":
    main()
