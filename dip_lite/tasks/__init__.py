"""The restorations: each an energy with a network, an input and settings that suit it.

    task = denoise(picture, sigma=25 / 255)
    for snap in fit(task, seconds=60): ...

The presets are `fast` (two cores, a minute), `paper` (the authors' network and settings; hours) and
`tiny` (seconds, for tests). A result of more than 1.5 megapixels is fitted in windows of 512², one
a step, by one network: the memory is that of a small picture, and the stopping rule rests.

One file a task; what they share is in `common`. `TASKS` names them all.
"""

from collections.abc import Callable

from ..task import Task
from .artefacts import remove_jpeg
from .common import FAST, PAPER, PRESETS, SETTINGS, TINY, Guided, Tiled, guide, windows
from .denoising import ENERGIES, ENERGY, Recorrupted, denoise
from .flash import flash_no_flash
from .inpainting import KINDS, Hidden, inpaint, masked_error
from .inversion import invert
from .plain import prior
from .super_resolution import FACTORS, super_resolve
from .variation import Pixels, total_variation, tv

TASKS: dict[str, Callable[..., Task]] = {
    "denoise": denoise,
    "jpeg": remove_jpeg,
    "inpaint": inpaint,
    "super-resolve": super_resolve,
    "flash": flash_no_flash,
    "tv": tv,
    "prior": prior,
    "invert": invert,
}

__all__ = [
    "ENERGIES", "ENERGY", "FACTORS", "FAST", "KINDS", "PAPER", "PRESETS", "SETTINGS", "TASKS",
    "TINY", "Guided", "Hidden", "Pixels", "Recorrupted", "Tiled", "denoise", "flash_no_flash",
    "guide", "inpaint", "invert", "masked_error", "prior", "remove_jpeg", "super_resolve",
    "total_variation", "tv", "windows",
]  # fmt: skip
