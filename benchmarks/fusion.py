"""Network and classical picture together, by the clock: python -m benchmarks.fusion [--help]

    python -m benchmarks.fusion --sigma 25 --folder ../shared/data/tune
    python -m benchmarks.fusion --quality 10 --folder ../shared/data/tune --only-folder
    python -m benchmarks.fusion --missing 50 --grey --marks 20,120 --folder ../shared/data/tune
    python -m benchmarks.fusion --factor 4 --folder ../shared/data/tune

Two columns for each mark: the network with its guide, and the fused result; with --plain also the
paper's plain prior, which sees only random numbers. Times are by the clock from the call of
`denoise`, `remove_jpeg`, `inpaint` or `super_resolve`, the classical picture and the fusion
included. The rivals, NLM and TV of scikit-image, have the setting that is best for the picture
(chosen with the clean one); that of inpainting is its biharmonic filling, that of super-resolution
the bicubic enlargement. There the PSNR is of the luma, 4 pixels of border cut, as in the paper.
`--folder` adds clean photographs of your own.
"""

from __future__ import annotations

import argparse
import io
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import dip_lite as dip
from dip_lite.images.io import match_channels, to_pil
from dip_lite.images.masks import random_mask
from dip_lite.images.resample import Downsample, upsample

from .common import PHOTOGRAPHS, best_nlm, best_tv, machine, markers, publish, table

MARKS = "20,60"  # seconds


@dataclass(frozen=True)
class Damage:
    """What is done to clean pictures, and undone."""

    sigma: float | None = None  # of Gaussian noise, on the [0, 1] scale
    quality: int = 0  # of JPEG, in Pillow's default subsampling, 4:2:0
    missing: float = 0.0  # fraction of all pixels
    factor: int = 0  # how many times smaller
    seed: int = 0

    def mask(self, x0: Tensor) -> Tensor:
        """1 = known, 0 = missing."""
        return random_mask((x0.shape[2], x0.shape[3]), self.missing, self.seed)

    def apply(self, x_true: Tensor) -> tuple[Tensor, bytes]:
        """The damaged picture, and its file where that matters."""
        if self.factor:
            small = Downsample((x_true.shape[2], x_true.shape[3]), self.factor)(x_true)
            return small.clamp(0, 1).mul(255).round() / 255, b""  # as a file would hold it
        if self.missing:
            return x_true * self.mask(x_true), b""
        if self.sigma is not None:
            return dip.add_noise(x_true, self.sigma, seed=self.seed), b""
        memory = io.BytesIO()
        to_pil(x_true).save(memory, "JPEG", quality=self.quality)
        return dip.load(_opened(memory)), memory.getvalue()

    def task(self, x0: Tensor, file: bytes) -> dip.Task:
        """What restores it."""
        if self.factor:
            return dip.super_resolve(x0, self.factor, seed=self.seed)
        if self.missing:
            return dip.inpaint(x0, self.mask(x0), seed=self.seed)
        if self.sigma is not None:
            return dip.denoise(x0, self.sigma, seed=self.seed)
        return dip.remove_jpeg(x0, file=file, seed=self.seed)

    def plain(self, x0: Tensor) -> dip.Task:
        """The paper's energy and input, on the same network: mean (x − x0)² from random numbers."""
        if self.factor:
            raise SystemExit("--plain is not for super-resolution")
        if self.missing:
            return dip.inpaint(x0, self.mask(x0), energy="mse", seed=self.seed)
        return dip.denoise(x0, self.sigma or 0.1, energy="mse", seed=self.seed)

    def rival(self, x_true: Tensor, x0: Tensor) -> float:
        """PSNR of NLM or TV at its best setting, or of the biharmonic filling, or bicubic."""
        if self.factor:
            return self.score(upsample(x0, self.factor), x_true)
        if self.missing:
            return dip.psnr(biharmonic(x0, self.mask(x0)), x_true)
        if self.sigma is not None:
            return best_nlm(x_true, x0, self.sigma)[0]
        return best_tv(x_true, x0)[0]

    def score(self, x: Tensor, x_true: Tensor) -> float:
        """PSNR in dB."""
        if not self.factor:
            return dip.psnr(x.clamp(0, 1), x_true)
        inner = [match_channels(t.clamp(0, 1), t[:, :1])[..., 4:-4, 4:-4] for t in (x, x_true)]
        return dip.psnr(*(t.contiguous() for t in inner))

    @property
    def rival_name(self) -> str:
        """For the table's head."""
        if self.factor:
            return "bicubic"
        if self.missing:
            return "biharmonic"
        return "TV, best" if self.quality else "NLM, best"

    def __str__(self) -> str:
        if self.factor:
            return f"enlarged {self.factor} times, luma"
        if self.missing:
            return f"{round(100 * self.missing)} % missing"
        if self.sigma is not None:
            return f"σ = {round(self.sigma * 255)}"
        return f"JPEG quality {self.quality}"


def biharmonic(x0: Tensor, mask: Tensor) -> Tensor:
    """scikit-image's biharmonic inpainting, (1, C, H, W)."""
    from skimage.restoration import inpaint_biharmonic

    hidden = mask[0, 0].numpy() == 0
    filled = inpaint_biharmonic(x0[0].permute(1, 2, 0).numpy(), hidden, channel_axis=-1)
    return torch.from_numpy(filled).permute(2, 0, 1)[None].to(x0).clamp(0, 1)


def _opened(memory: io.BytesIO):  # type: ignore[no-untyped-def]
    from PIL import Image

    memory.seek(0)
    return Image.open(memory)


def pictures(folder: str | None, only_folder: bool, grey: bool = False) -> dict[str, Tensor]:
    """The clean photographs by name."""
    if folder and not Path(folder).is_dir():
        raise SystemExit(f"{folder} is no folder: name one that holds photographs")
    found = {path.stem: dip.load(path) for path in sorted(Path(folder).iterdir())} if folder else {}
    found |= {} if only_folder else {name: dip.sample(name) for name in PHOTOGRAPHS}
    if not grey:
        return found
    return {name: match_channels(x, x[:, :1]) for name, x in found.items()}


def race(
    damage: Damage, x_true: Tensor, x0: Tensor, file: bytes, seconds: list[float]
) -> list[float]:
    """PSNR of the classical picture, then of network and fused picture at every mark."""
    start = time.perf_counter()
    task = damage.task(x0, file)
    assert task.guess is not None
    scores, marks = [damage.score(task.guess, x_true)], list(seconds)
    spare = (time.perf_counter() - start) / 2  # more than the fusion takes
    measured = 0.0
    run = dip.Run(task, seed=damage.seed)
    for snap in dip.fit(run, seconds=seconds[-1], schedule=dip.every(5)):
        now = time.perf_counter()
        clock = now - start - measured + spare
        while marks and (clock >= marks[0] or snap.stop_reason):
            marks.pop(0)
            fused = run.snapshot("a mark").best
            scores += [damage.score(x, x_true) for x in (snap.network, fused)]
            print(f"  step {snap.step} {snap.stop_reason}", flush=True)
        measured += time.perf_counter() - now
        if not marks:
            break
    return scores


def plain_prior(damage: Damage, x_true: Tensor, x0: Tensor, seconds: float) -> float:
    """PSNR of the paper's plain prior after so many seconds, or stopped by the rule."""
    *_, last = dip.fit(damage.plain(x0), seconds=seconds, seed=damage.seed)
    return dip.psnr(last.best.clamp(0, 1), x_true)


def main() -> None:
    """Parses the options, prints as it goes and the table at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="clean photographs beside scikit-image's")
    parser.add_argument("--only-folder", action="store_true", help="without scikit-image's")
    parser.add_argument("--sigma", type=int, default=25, help="grey levels")
    parser.add_argument("--quality", type=int, default=0, help="of JPEG, in place of noise")
    parser.add_argument("--missing", type=float, default=0, help="percent of the pixels, likewise")
    parser.add_argument("--factor", type=int, default=0, help="of super-resolution, likewise")
    parser.add_argument("--grey", action="store_true", help="the photographs in grey")
    parser.add_argument("--plain", action="store_true", help="the paper's plain prior too")
    parser.add_argument("--marks", default=MARKS, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--section", default="fusion", help="which markers --write looks for")
    parser.add_argument("--write", help="also put the table between the markers of this file")
    options = parser.parse_args()
    markers(options.section, options.write)
    other = options.quality or options.missing or options.factor
    sigma = None if other else options.sigma / 255
    marks = [float(mark) for mark in options.marks.split(",")]
    damage = Damage(sigma, options.quality, options.missing / 100, options.factor, options.seed)
    rows = []
    factor = options.factor or 1
    clean = pictures(options.folder, options.only_folder, options.grey)
    for name, whole in clean.items():
        height, width = (side // factor * factor for side in whole.shape[2:])
        x_true = whole[..., :height, :width]
        x0, file = damage.apply(x_true)
        scores = race(damage, x_true, x0, file, marks)
        plain = [plain_prior(damage, x_true, x0, marks[-1])] if options.plain else []
        given = float("nan") if options.factor else dip.psnr(x0, x_true)
        rows.append([given, damage.rival(x_true, x0), *plain, *scores])
        print(name, *(f"{score:.2f}" for score in rows[-1]), flush=True)
    means = [float(value) for value in np.mean(rows, axis=0)]
    head = ["picture", "input", damage.rival_name]
    head += [f"plain prior, {marks[-1]:g} s"] * options.plain + ["classical"]
    head += [f"{what}, {mark:g} s" for mark in marks for what in ("network", "fused")]
    named = zip([*clean, "**mean**"], [*rows, means], strict=True)
    cells = [[name, *(f"{value:.2f}".replace("nan", "–") for value in row)] for name, row in named]
    text = f"{machine()}. {damage}, seed {options.seed}, PSNR in dB.\n\n"
    publish(options.section, text + table(head, cells), options.write)


if __name__ == "__main__":
    main()
