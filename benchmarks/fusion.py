"""Denoising in 20 and 60 seconds, network and classical picture together:
python -m benchmarks.fusion [--help]

All times are by the clock from the call of `denoise`, the classical picture and the fusion
included. NLM is scikit-image's at the setting that is best for the picture (chosen with the clean
one). `--folder` adds clean photographs of your own to scikit-image's.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from torch import Tensor

import dip_lite as dip
from dip_lite.tasks.denoising import fuse_with_guide

from .common import PHOTOGRAPHS, classical, machine, markers, publish, table

MARKS = (20, 60)  # seconds


def pictures(folder: str | None) -> dict[str, Tensor]:
    """The clean photographs by name."""
    found = {path.stem: dip.load(path) for path in sorted(Path(folder).iterdir())} if folder else {}
    return found | {name: dip.sample(name) for name in PHOTOGRAPHS}


def race(x_true: Tensor, x0: Tensor, sigma: float, seed: int) -> list[float]:
    """PSNR of the classical picture, then of network and fused picture at every mark."""
    start = time.perf_counter()
    task = dip.denoise(x0, sigma, seed=seed)
    guide = task.guess
    assert guide is not None
    scores, marks = [dip.psnr(guide, x_true)], list(MARKS)
    spare = 2 * (time.perf_counter() - start)  # the fusion costs less than the classical picture
    measured = 0.0
    for snap in dip.fit(task, seconds=MARKS[-1], seed=seed, schedule=dip.every(5)):
        now = time.perf_counter()
        clock = now - start - measured + spare / 2
        while marks and (clock >= marks[0] or snap.stop_reason):
            marks.pop(0)
            fused = fuse_with_guide(snap.network, guide, x0, sigma)
            scores += [dip.psnr(snap.network.clamp(0, 1), x_true), dip.psnr(fused, x_true)]
        measured += time.perf_counter() - now
        if not marks:
            break
    return scores


def main() -> None:
    """Parses the options, prints as it goes and the table at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="clean photographs beside scikit-image's")
    parser.add_argument("--sigma", type=int, default=25, help="grey levels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--section", default="fusion", help="which markers --write looks for")
    parser.add_argument("--write", help="also put the table between the markers of this file")
    options = parser.parse_args()
    markers(options.section, options.write)
    sigma, rows = options.sigma / 255, []
    for name, x_true in pictures(options.folder).items():
        x0 = dip.add_noise(x_true, sigma, seed=options.seed)
        scores = race(x_true, x0, sigma, options.seed)
        nlm = classical(x_true, x0, sigma)["NLM"][0]
        rows.append([dip.psnr(x0, x_true), nlm, *scores])
        print(name, *(f"{score:.2f}" for score in rows[-1]), flush=True)
    names = [*pictures(options.folder), "**mean**"]
    means = [float(value) for value in np.mean(rows, axis=0)]
    head = ["picture", "noisy", "NLM, best", "classical"]
    head += [f"{what}, {mark} s" for mark in MARKS for what in ("network", "fused")]
    cells = [[n, *(f"{v:.2f}" for v in row)] for n, row in zip(names, [*rows, means], strict=True)]
    text = f"{machine()}. σ = {options.sigma}, seed {options.seed}, PSNR in dB.\n\n"
    publish(options.section, text + table(head, cells), options.write)


if __name__ == "__main__":
    main()
