"""Deep Image Prior in a minute, on a laptop.

from dip_lite import denoise, fit, load, save

for snap in fit(denoise(load("noisy.png")), seconds=60):
    print(snap.step, snap.loss)
save(snap.best, "clean.png")
"""

import os
import sys

if "torch" not in sys.modules:
    # OpenMP reads this once, when PyTorch loads it. By default a thread that waits for the others
    # keeps its core busy for milliseconds, so on a machine it shares with another program each
    # stalls the other. This long is enough between the layers of a network, see RESULTS.md.
    # Whoever has set it keeps what they set.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")

from .degrade import add_noise, estimate_sigma
from .fit import Run, Snapshot, every, fit, logarithmic
from .guard import FitError
from .images import PictureError, PictureWarning, load, sample, save
from .metrics import psnr, ssim
from .nets import Hourglass, build
from .record import Record, Recorder, RecordError
from .stopping import Patience
from .task import Settings, Task
from .tasks import (
    denoise,
    flash_no_flash,
    inpaint,
    invert,
    prior,
    remove_jpeg,
    super_resolve,
    tv,
)
from .watch import column, psnrs, watch

__version__ = "0.1.0"

__all__ = [
    "FitError",
    "Hourglass",
    "Patience",
    "PictureError",
    "PictureWarning",
    "Record",
    "RecordError",
    "Recorder",
    "Run",
    "Settings",
    "Snapshot",
    "Task",
    "add_noise",
    "build",
    "column",
    "denoise",
    "estimate_sigma",
    "every",
    "fit",
    "flash_no_flash",
    "inpaint",
    "invert",
    "load",
    "logarithmic",
    "prior",
    "psnr",
    "psnrs",
    "remove_jpeg",
    "sample",
    "save",
    "ssim",
    "super_resolve",
    "tv",
    "watch",
]
