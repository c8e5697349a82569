"""What early stopping loses to the best step: python -m benchmarks.stopping [--help]

    python -m benchmarks.stopping --folder ../shared/data/tune

Every picture's middle 256² pixels are denoised until the rule ends the run. Two columns: the PSNR
of the average that the rule takes, and that of the best average of the whole run, which only
somebody with the clean picture can choose; the run goes on for `patience` steps after the rule's.
By step, so the machine's speed does not matter.
"""

from __future__ import annotations

import argparse
from statistics import mean

from torch import Tensor

import dip_lite as dip

from .common import machine, table
from .fusion import pictures

SIDE = 256


def middle(x: Tensor) -> Tensor:
    """The middle SIDE² pixels, or what there is of them."""
    top, left = (max(0, (side - SIDE) // 2) for side in x.shape[2:])
    return x[..., top : top + SIDE, left : left + SIDE]


def race(x_true: Tensor, sigma: float, seed: int) -> tuple[float, int, float, int, str]:
    """PSNR and step of the rule's average, those of the best one, and why the run ended."""
    task = dip.denoise(dip.add_noise(x_true, sigma, seed=seed), sigma, guide="none", seed=seed)
    best = (0.0, 0)
    for snap in dip.fit(task, schedule=dip.every(5), seed=seed):
        best = max(best, (dip.psnr(snap.x_avg.clamp(0, 1), x_true), snap.step))
    taken = dip.psnr(snap.best.clamp(0, 1), x_true)
    return taken, snap.best_step, *best, snap.stop_reason.split(":")[0]


def main() -> None:
    """Parses the options, runs all, prints as it goes and the table at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="clean photographs beside scikit-image's")
    parser.add_argument("--sigmas", default="15,25,50", help="grey levels, comma-separated")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    rows, means = [], []
    for grey in map(int, options.sigmas.split(",")):
        losses = []
        for name, x in pictures(options.folder, only_folder=False).items():
            for seed in range(options.seeds):
                taken, step, best, at, why = race(middle(x), grey / 255, seed)
                losses.append(max(0.0, best - taken))
                rows.append([name, str(grey), str(seed), f"{taken:.2f} @ {step}, {why}"])
                rows[-1] += [f"{best:.2f} @ {at}", f"{losses[-1]:.2f}"]
                print(" ".join(rows[-1]), flush=True)
        means.append([str(grey), f"{mean(losses):.3f}", f"{max(losses):.2f}", str(len(losses))])
    print(machine() + ".\n")
    print(table(["picture", "σ", "seed", "the rule's", "best", "lost, dB"], rows), "\n")
    print(table(["σ", "lost in the mean, dB", "at most", "runs"], means))


if __name__ == "__main__":
    main()
