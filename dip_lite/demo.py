"""The first thing a newcomer runs: noise on a bundled photograph, and off again.

python -m dip_lite demo
"""

from __future__ import annotations

import shutil
from pathlib import Path

from torch import Tensor

from . import viz
from .degrade import add_noise
from .images import save
from .job import Job
from .metrics import psnr
from .record import Record
from .restore import restore

SIGMA = 25 / 255  # the noise of the paper's own denoising examples


def run_demo(
    x_true: Tensor, name: str, seconds: float, folder: Path, preset: str
) -> tuple[str, str]:
    """Spoils and restores one photograph into `folder`; returns what to tell and why it ended.

    Raises:
        PictureError, ValueError: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder} cannot be made a folder ({error.strerror})") from error
    noisy, clean, run = folder / "noisy.png", folder / "clean.png", folder / "run"
    x0 = add_noise(x_true, SIGMA)
    save(x0, noisy)
    save(x_true, folder / "original.png")
    if (run / "settings.json").is_file():
        shutil.rmtree(run)  # of an earlier demo
    result = restore(
        Job(
            picture=str(noisy),
            output=str(clean),
            options={"sigma": SIGMA},
            seconds=seconds,
            preset=preset,
            reference=str(folder / "original.png"),
            record=str(run),
            report=str(folder / "report.json"),
        )
    )
    record = Record(run)
    best = record.frame(-1, which="best")
    titles = [f"noisy, {psnr(x0, x_true):.1f} dB", f"restored, {psnr(best, x_true):.1f} dB"]
    sheet = viz.side_by_side([x0, best, x_true], [*titles, f"original: {name}"])
    viz.save_figure(sheet, folder / "side_by_side.png")
    stop = int(result.report["step_returned"])
    viz.save_figure(viz.curve(record.curve, stop=stop), folder / "curve.png")
    record.contact_sheet(folder / "snapshots.png")
    for suffix in ("webp", "gif"):
        record.animate(folder / f"learning.{suffix}")
    text = (
        f"{result.sentence()}\nLook into {folder}/: side_by_side.png first, then learning.webp "
        "(the fit, snapshot by snapshot), curve.png and snapshots.png."
    )
    return text, result.why
