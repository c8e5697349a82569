"""Denoising against the clock: python -m benchmarks.denoise [--help]

For every picture and noise level: our PSNR (moving average) at given seconds of fitting and at the
automatic stop, the authors' network and settings (`paper` preset) at the same seconds, and
scikit-image's TV, NLM and wavelets each at the setting that is best for the picture.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

import dip_lite as dip

from .common import PHOTOGRAPHS, classical, machine, markers, noisy_pair, publish, table

MARKS = (15, 30, 60, 120, 300)
# PSNR against the clean picture by iteration in the authors' own F16 run, without averaging,
# recomputed from the pictures on their project page.
AUTHORS = {
    50: 18.5, 100: 20.8, 200: 23.1, 300: 24.6, 500: 27.3,
    800: 29.0, 1000: 29.7, 1300: 30.3, 1500: 30.61,
}  # fmt: skip


@dataclass
class Timed:
    """One fit against the clock."""

    at: dict[int, float] = field(default_factory=dict)  # seconds → PSNR of x_avg
    reached: dict[int, float] = field(default_factory=dict)  # PSNR → seconds
    pace: float = math.nan  # seconds a step
    stop: tuple[int, float, float] = (0, 0.0, 0.0)  # step taken by the rule, seconds used, its PSNR
    steady: bool = False  # whether the rule ended the run, or the budget did before
    best: tuple[float, int] = (0.0, 0)  # PSNR and step of the best moving average


def timed_fit(task: dip.Task, x_true: Tensor, seconds: float, seed: int) -> Timed:
    """Fits to the end of the budget, noting on the way where the automatic stop would end it."""
    run, out = dip.Run(task, seed=seed), Timed()
    marks = [mark for mark in MARKS if mark <= seconds]

    def note(snap: dip.Snapshot) -> None:
        score = dip.psnr(snap.x_avg.clamp(0, 1), x_true)
        out.best = max(out.best, (round(score, 3), snap.step))
        for level in (28, 30):
            if score >= level:
                out.reached.setdefault(level, snap.seconds)
        while marks and snap.seconds >= marks[0]:
            out.at[marks.pop(0)] = score

    for stop in (True, False):  # first to the automatic stop, then on without it
        for snap in dip.fit(
            run, seconds=seconds, steps=10**9, stop=stop, schedule=lambda s, t: s % 5 == 0 or t < 2
        ):
            note(snap)
        if stop:
            out.stop = (snap.best_step, snap.seconds, dip.psnr(snap.best.clamp(0, 1), x_true))
            out.steady = snap.stop_reason.startswith("steady")
    out.pace = run.seconds / max(1, run.step)
    return out


def authors_iterations(level: float) -> float:
    """Iterations of the authors' F16 run to a PSNR, interpolated in RESEARCH's table."""
    return float(np.interp(level, list(AUTHORS.values()), list(AUTHORS)))


def _cells(timed: Timed) -> list[str]:
    """PSNR at every mark, a dash where the budget ended before it."""
    return [f"{timed.at[mark]:.2f}" if mark in timed.at else "–" for mark in MARKS]


def our_row(name: str, grey: int, seed: int, noisy: float, fast: Timed) -> list[str]:
    """One line of the first table."""
    row = [name, str(grey), str(seed), f"{noisy:.2f}", *_cells(fast)]
    row.append(f"{fast.best[0]:.2f} @ {fast.best[1]}")
    step, seconds, score = fast.stop
    ended = f"stopped at {seconds:.0f} s" if fast.steady else "budget"
    row += [f"{score:.2f} @ {step}, {ended}", f"{fast.best[0] - score:.2f}"]
    return [*row, f"{fast.pace * 1e3:.0f} ms"]


def ratio_rows(fast: Timed, paper: Timed) -> list[list[str]]:
    """Seconds to a PSNR on F16, ours measured and the paper's extrapolated."""
    rows = []
    for level in (28, 30):
        if level in fast.reached:
            ours, theirs = fast.reached[level], authors_iterations(level) * paper.pace
            rows.append(
                [f"{level} dB", f"{ours:.1f} s", f"{theirs:.0f} s", f"1 : {theirs / ours:.0f}"]
            )
    return rows


@dataclass
class Tables:
    """Rows as they come in."""

    ours: list[list[str]] = field(default_factory=list)
    others: list[list[str]] = field(default_factory=list)
    theirs: list[list[str]] = field(default_factory=list)
    ratios: list[list[str]] = field(default_factory=list)

    def text(self) -> str:
        """All tables, as Markdown."""
        seconds = [f"{mark} s" for mark in MARKS]
        head = ["picture", "σ", "seed", "noisy", *seconds, "best @ step"]
        parts = [
            machine() + ".",
            "Ours (`fast`), PSNR in dB of the moving average after seconds of fitting; the "
            "picture the stopping rule takes, and whether it or the budget ended its run:",
            table([*head, "the rule's @ step", "lost to best", "a step"], self.ours),
            "scikit-image, each at its best setting for the picture (chosen with the clean one):",
            table(["picture", "σ", "TV", "NLM", "wavelet"], self.others),
        ]
        if self.theirs:
            parts += [
                "The authors' network and settings (`paper`), same machine, moving average:",
                table(["picture", "σ", *seconds, "a step", "fast : paper"], self.theirs),
            ]
        if self.ratios:
            parts += [
                "Time to a PSNR on F16, σ = 25. The paper's column is **extrapolated**: iterations "
                "of the authors' published run (no averaging) × the seconds a step just measured.",
                table(["reaches", "fast", "paper, extrapolated", "ratio"], self.ratios),
            ]
        return "\n\n".join(parts)


def case(tables: Tables, options: argparse.Namespace, name: str, grey: int, seed: int) -> None:
    """One picture, noise level and seed; the rivals and the paper's network at seed 0 only."""
    sigma = grey / 255
    x_true, x0 = noisy_pair(name, sigma, seed)
    fast = timed_fit(dip.denoise(x0, sigma, seed=seed), x_true, options.seconds, seed)
    tables.ours.append(our_row(name, grey, seed, dip.psnr(x0, x_true), fast))
    print(" ".join(tables.ours[-1]), flush=True)
    if seed:
        return
    rivals = classical(x_true, x0, sigma)
    cells = [f"{score:.2f} ({how})" for score, how in rivals.values()]
    tables.others.append([name, str(grey), *cells])
    print(" ".join(tables.others[-1]), flush=True)
    if options.paper_seconds > 0:
        task = dip.denoise(x0, sigma, preset="paper")
        paper = timed_fit(task, x_true, options.paper_seconds, 0)
        pace = [f"{paper.pace:.2f} s", f"1 : {paper.pace / fast.pace:.0f}"]
        tables.theirs.append([name, str(grey), *_cells(paper), *pace])
        print(" ".join(tables.theirs[-1]), flush=True)
        if (name, grey) == ("F16", 25):
            tables.ratios = ratio_rows(fast, paper)


def main() -> None:
    """Parses the options, runs all, prints as it goes and the tables at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", default=",".join(("F16", *PHOTOGRAPHS)))
    parser.add_argument("--sigmas", default="25,50", help="grey levels, comma-separated")
    parser.add_argument("--seconds", type=float, default=300, help="budget of our fit")
    parser.add_argument("--paper-seconds", type=float, default=300, help="budget of `paper`")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--section", default="denoise", help="which markers --write looks for")
    parser.add_argument("--write", help="also put the tables between the markers of this file")
    options = parser.parse_args()
    markers(options.section, options.write)  # before an hour is spent
    tables = Tables()
    for grey in map(int, options.sigmas.split(",")):
        for name in options.pictures.split(","):
            for seed in range(options.seeds):
                case(tables, options, name, grey, seed)
    publish(options.section, tables.text(), options.write)


if __name__ == "__main__":
    main()
