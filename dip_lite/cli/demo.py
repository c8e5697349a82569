"""The demo for newcomers: adds noise to a sample photograph and removes it again.

python -m dip_lite demo
"""

import shutil
from pathlib import Path

from torch import Tensor

from ..images.io import load, save
from ..images.metrics import psnr
from ..images.noise import add_noise
from ..images.samples import sample
from ..records import Record
from ..viz.plots import plot_run
from ..viz.sheets import save_figure, side_by_side
from .report import Result
from .request import RestoreRequest
from .restoration import restore

SIGMA = 25 / 255  # noise level of the paper's denoising examples, on the [0, 1] scale


def run_demo(name: str, seconds: float, folder: Path, preset: str) -> Result:
    """Restores a noisy copy of the sample `name`; pictures and animations go into `folder`.

    Raises:
        PictureError, ValueError: an unknown sample, or a folder that cannot be made or written.
    """
    x_true = sample(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"the folder {folder} cannot be made ({error.strerror})") from error
    x0, run = add_noise(x_true, SIGMA), folder / "run"
    save(x0, folder / "noisy.png")
    save(x_true, folder / "original.png")
    if (run / "settings.json").is_file():
        shutil.rmtree(run)  # of an earlier demo
    request = RestoreRequest(
        picture=str(folder / "noisy.png"),
        output=str(folder / "clean.png"),
        options={"sigma": SIGMA},
        seconds=seconds,
        preset=preset,
        reference=str(folder / "original.png"),
        record=str(run),
        report=str(folder / "report.json"),
    )
    result = restore(request)
    _draw(folder, Record(run), x0, x_true, f"original: {name}", result.report["step_returned"])
    return result


def _draw(folder: Path, record: Record, x0: Tensor, x_true: Tensor, title: str, stop: int) -> None:
    """Writes the sheets, the curve and the animations of the run."""
    best = load(folder / "clean.png")
    titles = [f"noisy, {psnr(x0, x_true):.1f} dB", f"restored, {psnr(best, x_true):.1f} dB", title]
    save_figure(side_by_side([x0, best, x_true], titles), folder / "side_by_side.png")
    save_figure(plot_run(record.curve, stop=stop), folder / "curve.png")
    record.contact_sheet(folder / "snapshots.png")
    for suffix in ("webp", "gif"):
        record.animate(folder / f"learning.{suffix}")
