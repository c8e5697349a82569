from .engine.early_stopping import EarlyStopping
from .engine.loop import Run, Snapshot, every, fit, logarithmic
from .engine.progress import column, psnrs, watch
from .engine.settings import Settings
from .engine.task import Task
from .errors import FitError, PictureError, PictureWarning, RecordError
from .images.io import load, save
from .images.metrics import psnr, ssim
from .images.noise import add_noise, estimate_sigma
from .images.samples import sample
from .nets.hourglass import Hourglass, build
from .records import Record, Recorder
from .records.long_runs import long_run
from .records.published import paper_run
from .tasks.deep_prior import prior
from .tasks.denoising import denoise
from .tasks.flash import flash_no_flash
from .tasks.inpainting import inpaint
from .tasks.inversion import invert
from .tasks.jpeg import remove_jpeg
from .tasks.super_resolution import super_resolve
from .tasks.tv_prior import tv

__version__: str

__all__ = [
    "EarlyStopping", "FitError", "Hourglass", "PictureError", "PictureWarning", "Record",
    "RecordError", "Recorder", "Run", "Settings", "Snapshot", "Task", "add_noise", "build",
    "column", "denoise", "estimate_sigma", "every", "fit", "flash_no_flash", "inpaint", "invert",
    "load", "logarithmic", "long_run", "paper_run", "prior", "psnr", "psnrs", "remove_jpeg",
    "sample", "save", "ssim", "super_resolve", "tv", "watch",
]  # fmt: skip
