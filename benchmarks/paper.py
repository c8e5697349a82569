"""The paper's own inputs: python -m benchmarks.paper [--help]

For each of its tasks: our PSNR (moving average) at given seconds of fitting and at the automatic
stop, the paper's number where there is one, the classical rivals, and a sheet of pictures under
outputs/paper/ to look at. The pictures are read from $DIP_LITE_PAPER (../shared/data/paper).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import dip_lite as dip
from dip_lite.images import io as images
from dip_lite.images import masks
from dip_lite.images.classical_inpainting import inpaint_classically
from dip_lite.images.degrade import drop_pixels
from dip_lite.images.resample import Downsample
from dip_lite.tasks.super_resolution import downsampled_error
from dip_lite.viz.sheets import save_figure, side_by_side

from .common import PAPER, classical, machine, markers, publish, table

MARKS = (30, 60, 120, 300)
Rivals = dict[str, Tensor]


@dataclass
class Case:
    """One input of the paper's."""

    task: dip.Task
    x_true: Tensor | None = None
    rivals: Callable[[], Rivals] = dict
    region: Tensor | None = None  # (1, 1, H, W): PSNR is taken where it is 1
    luma: bool = False  # scores too: PSNR of the luma, 4 pixels of border cut, as the paper does
    paper: str = "–"
    scores: dict[str, float] = field(default_factory=dict)  # rivals' PSNR known already

    def score(self, x: Tensor) -> float:
        """PSNR in dB of what the case is about."""
        assert self.x_true is not None
        error = (x.clamp(0, 1) - self.x_true).square()
        if self.region is None:
            return float(-10 * error.mean().log10())
        return float(-10 * ((error * self.region).sum() / (self.region.sum() * x.shape[1])).log10())

    def describe(self, x: Tensor) -> str:
        """The score as a cell of the table, with the luma's where that is usual."""
        scores = f"{self.score(x):.2f}"
        if not self.luma or self.x_true is None:
            return scores
        grey = self.x_true[:, :1]
        x, x_true = (
            images.match_channels(t.clamp(0, 1), grey)[..., 4:-4, 4:-4].contiguous()
            for t in (x, self.x_true)
        )
        return f"{scores} (luma {dip.psnr(x, x_true):.2f})"


def _known(name: str, like: Tensor) -> Tensor:
    """The authors' mask: theirs has missing in black."""
    return 1 - masks.load_mask(PAPER / f"{name}_mask.png", like)


def _fillings(x0: Tensor, mask: Tensor) -> Rivals:
    """Our iterated denoising, scikit-image's biharmonic inpainting, OpenCV's two if it is there."""
    from skimage.restoration import inpaint_biharmonic

    picture, hidden = x0[0].permute(1, 2, 0).numpy(), mask[0, 0].numpy() == 0
    out = {"biharmonic": inpaint_biharmonic(picture, hidden, channel_axis=-1)}
    try:
        import cv2
    except ImportError:
        pass
    else:
        eight = (picture * 255).round().astype(np.uint8).squeeze()
        for name, kind in (("Telea", cv2.INPAINT_TELEA), ("Navier–Stokes", cv2.INPAINT_NS)):
            filled = cv2.inpaint(eight, hidden.astype(np.uint8), 3, kind) / 255
            out[name] = filled.reshape(picture.shape)
    found = {
        name: torch.from_numpy(np.asarray(y)).float().permute(2, 0, 1)[None]
        for name, y in out.items()
    }
    return {"iterated denoising": inpaint_classically(x0, mask), **found}


def _denoise() -> Case:
    x_true, x0 = dip.load(PAPER / "F16.png"), dip.load(PAPER / "F16_noisy25.png")
    scores = {name: score for name, (score, _) in classical(x_true, x0, 25 / 255).items()}
    return Case(dip.denoise(x0, 25 / 255), x_true, paper="33.69 (authors' output)", scores=scores)


def _enlarge(factor: int) -> Case:
    x_true = dip.load(PAPER / "zebra.png")
    height, width = (side // factor * factor for side in x_true.shape[2:])
    x_true = x_true[..., :height, :width]
    x0 = Downsample((height, width), factor)(x_true).clamp(0, 1).mul(255).round() / 255  # as a file

    def rivals() -> Rivals:
        task = dip.super_resolve(x0, factor)
        assert task.guess is not None
        data = downsampled_error(x0, (height, width), factor, "lanczos")
        tv = [*dip.fit(dip.tv(x0, 3e-4, data=data, start=task.guess), steps=500)][-1].best
        return {"bicubic": task.guess, "TV": tv}

    return Case(dip.super_resolve(x0, factor), x_true, rivals, luma=True)


def _scattered() -> Case:
    x_true = dip.load(PAPER / "barbara.png")
    x0, mask = drop_pixels(x_true, 0.5)
    return Case(
        dip.inpaint(x0, mask), x_true, lambda: _fillings(x0, mask), paper="32.22 (11 000 its.)"
    )


def _text() -> Case:
    x_true = dip.load(PAPER / "kate.png")
    mask = _known("kate", x_true)
    x0 = x_true * mask
    return Case(dip.inpaint(x0, mask), x_true, lambda: _fillings(x0, mask), region=1 - mask)


def _hole(name: str) -> Case:
    x = dip.load(PAPER / f"{name}.png")
    mask = _known(name, x)
    return Case(dip.inpaint(x * mask, mask), None, lambda: _fillings(x * mask, mask))


def _flash() -> Case:
    dim, flash = (dip.load(PAPER / f"cave_{kind}.jpg") for kind in ("noflash", "flash"))
    return Case(dip.flash_no_flash(dim, flash))


CASES: dict[str, Callable[[], Case]] = {
    "F16, σ = 25": _denoise,
    "zebra ×4": lambda: _enlarge(4),
    "zebra ×8": lambda: _enlarge(8),
    "barbara, 50 % missing": _scattered,
    "kate, text": _text,
    "snail, JPEG": lambda: Case(dip.remove_jpeg(dip.load(PAPER / "snail.jpg"))),
    "vase, hole": lambda: _hole("vase"),
    "library, hole": lambda: _hole("library"),
    "cave, flash": _flash,
}


def measure(name: str, seconds: float, seed: int, folder: Path) -> list[str]:
    """One row, and one sheet of pictures."""
    case = CASES[name]()
    run, best, stopped = dip.Run(case.task, seed=seed), (0.0, 0), None
    at: dict[int, float] = {}

    def wanted(step: int, _: float) -> bool:
        return step % 10 == 0 or (run.rule.done and stopped is None)

    for snap in dip.fit(run, seconds=seconds, steps=10**9, stop=False, schedule=wanted):
        if run.rule.done and stopped is None:
            stopped = run.snapshot("the rule")
        if case.x_true is not None:
            score = case.score(snap.x_avg)
            best = max(best, (score, snap.step))
            at |= {mark: score for mark in MARKS if snap.seconds >= mark and mark not in at}
        elif stopped is not None:
            break
    last = stopped or run.snapshot("the budget")
    rivals = case.rivals()
    pictures = {"input": case.task.x0, **rivals, "result": last.best, "true": case.x_true}
    shown = {title: x.clamp(0, 1) for title, x in pictures.items() if x is not None}
    sheet = side_by_side([*shown.values()], [*shown])
    save_figure(sheet, folder / f"{name.replace(' ', '_').replace(',', '')}.png")
    when = f"{last.seconds:.0f} s" if stopped else f"budget, {last.seconds:.0f} s"
    pace = f"{1e3 * run.seconds / max(1, run.step):.0f} ms"
    if case.x_true is None:
        return [name, *["–"] * len(MARKS), "–", when, "–", "–", pace, case.paper, "by eye"]
    scores = {rival: f"{score:.2f}" for rival, score in case.scores.items()}
    scores |= {rival: case.describe(x) for rival, x in rivals.items()}
    theirs = ", ".join(f"{rival} {score}" for rival, score in scores.items())
    cells = [f"{at[mark]:.2f}" if mark in at else "–" for mark in MARKS]
    took = case.score(last.network)
    rule = f"{case.describe(last.network)} @ {last.best_step}, {when}"
    lost, result = f"{best[0] - took:.2f}", case.describe(last.best)
    row = [name, *cells, f"{best[0]:.2f} @ {best[1]}", rule, lost, result]
    return [*row, pace, case.paper, theirs]


def main() -> None:
    """Parses the options, runs all, prints as it goes and the table at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", help="comma-separated beginnings of names, as zebra,kate")
    parser.add_argument("--seconds", type=float, default=300, help="budget of a fit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="outputs/paper", help="folder for the sheets")
    parser.add_argument("--section", default="paper", help="which markers --write looks for")
    parser.add_argument("--write", help="also put the table between the markers of this file")
    options = parser.parse_args()
    markers(options.section, options.write)  # before an hour is spent
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = tuple((options.cases or "").split(","))
    rows = []
    for name in CASES:
        if name.startswith(wanted):
            rows.append(measure(name, options.seconds, options.seed, folder))
            print(" | ".join(rows[-1]), flush=True)
    head = ["input", *[f"{mark} s" for mark in MARKS], "best @ step", "the rule's @ step"]
    head += ["lost to best", "result", "a step", "paper", "rivals"]
    what = "PSNR in dB of the moving average; the result may be fused."
    text = f"{machine()}.\n\n{what}\n\n{table(head, rows)}"
    publish(options.section, text, options.write)


if __name__ == "__main__":
    main()
