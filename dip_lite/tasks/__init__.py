"""The restorations: each an energy with a network, an input and settings that suit it.

    task = denoise(picture, sigma=25 / 255)
    for snap in fit(task, seconds=60): ...

The presets are `fast` (two cores, a minute), `paper` (the authors' network and settings; hours) and
`tiny` (seconds, for tests). A result of more than 1.5 megapixels is fitted in tiles of 512², one a
step, by one network: the memory is that of a small picture, and early stopping is off.
"""

from collections.abc import Callable

from ..engine.task import Task
from .deep_prior import prior
from .denoising import denoise
from .flash import flash_no_flash
from .inpainting import inpaint
from .inversion import invert
from .jpeg import remove_jpeg
from .super_resolution import super_resolve
from .tv_prior import tv

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
    "TASKS", "denoise", "flash_no_flash", "inpaint", "invert", "prior", "remove_jpeg",
    "super_resolve", "tv",
]  # fmt: skip
