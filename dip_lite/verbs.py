"""How each verb makes a task of a job: which pictures it reads, which options it settles.

inputs = read(job)                        # the picture, and a mask or a flash picture
task, told = make(job, inputs)            # what to fit, and what the report says about it
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .degrade import estimate_photons, estimate_sigma
from .images import PictureWarning, load
from .job import Job
from .masks import alpha_mask, check_mask, colour_mask, kind_of, load_mask
from .task import Task
from .tasks import ENERGY, TASKS
from .tasks.inpainting import default_energy

# options that say where an input comes from; what it holds is compared when a run is resumed
SOURCES = ("mask", "missing_colour", "black_is_missing", "flash")
MOSTLY = 0.7  # of the pixels; who hides more, in one piece, may have meant the other polarity


@dataclass(frozen=True)
class Inputs:
    """The pictures of a job, read and checked."""

    x0: Tensor  # (1, C, H, W) in [0, 1]
    mask: Tensor | None = None  # (1, 1, H, W), 1 = known
    flash: Tensor | None = None  # (1, C', H, W) in [0, 1]

    def digests(self) -> dict[str, str]:
        """By name of the record's settings, what tells these pictures from others."""
        named = {"picture": self.x0, "mask": self.mask, "flash": self.flash}
        return {f"{name}_sha256": _digest(x) for name, x in named.items() if x is not None}


def read(job: Job) -> Inputs:
    """The pictures of a complete job.

    Raises:
        PictureError, ValueError: one that cannot be used, in one sentence.
    """
    x0, options = load(job.picture), job.options
    wanted = job.task == "inpaint" or options.get("mask")
    flash = None if options.get("flash") is None else load(options["flash"])
    return Inputs(x0, mask=_mask(job, x0) if wanted else None, flash=flash)


def make(job: Job, inputs: Inputs) -> tuple[Task, dict[str, Any]]:
    """The task of a complete job, and its options as settled, for the report.

    Raises:
        PictureError, ValueError: options that make no sense, or not together with the pictures.
    """
    chosen = {name: value for name, value in job.options.items() if name not in SOURCES}
    told = {name: job.options[name] for name in SOURCES if name in job.options}
    arguments: dict[str, Any] = {}
    if job.task == "denoise":
        _settle_noise(chosen, job, inputs.x0)
    if job.task == "flash":
        arguments["flash"] = inputs.flash
    if inputs.mask is not None:
        arguments["mask"] = inputs.mask
        told["missing"] = round(1 - float(inputs.mask.mean()), 4)
    if job.task == "inpaint" and inputs.mask is not None:
        chosen["kind"] = chosen["kind"] or kind_of(inputs.mask)
        chosen["energy"] = chosen["energy"] or default_energy(chosen["kind"], job.preset)
        arguments["keep_known"] = not chosen["refit_known"]
    if job.task != "tv":
        arguments |= {"preset": job.preset, "seed": job.seed}
    told = chosen | told
    arguments |= {name: value for name, value in chosen.items() if name != "refit_known"}
    return TASKS[job.task](inputs.x0, **arguments), told


def _settle_noise(chosen: dict[str, Any], job: Job, x0: Tensor) -> None:
    """Estimates σ here, so that the report can tell it."""
    if chosen["noise"] == "salt-pepper":
        if chosen["sigma"] is not None:
            raise ValueError("salt and pepper has no sigma: leave --sigma out")
    elif chosen["sigma"] is None:
        estimate = estimate_photons if chosen["noise"] == "poisson" else estimate_sigma
        chosen["sigma"] = estimate(x0)
    chosen["energy"] = chosen["energy"] or ENERGY.get(job.preset)


def _mask(job: Job, x0: Tensor) -> Tensor:
    """What is known, (1, 1, H, W), from a file, a colour or the picture's own transparency."""
    path, colour = job.options["mask"], job.options.get("missing_colour")
    if path and colour:
        raise ValueError("give --mask or --missing-color, not both")
    if path:
        return _painted(path, job.options["black_is_missing"], x0)
    if colour:
        mask = colour_mask(x0, colour)
        if mask.all():
            raise ValueError(
                f"no pixel of {job.picture} is exactly {colour}: paint what is missing in that "
                f"colour, and save it as PNG, which keeps colours as they are"
            )
    else:
        clear = alpha_mask(job.picture)
        if clear is None or clear.all():
            raise ValueError(
                f"nothing says what is missing in {job.picture}: give --mask with a picture in "
                f"which it is white, or --missing-color, or a picture that is transparent there"
            )
        mask = clear
    check_mask(mask, x0)
    return mask


def _painted(path: str, black_is_missing: bool, x0: Tensor) -> Tensor:
    """The mask in a file; whoever may have meant the other polarity is asked."""
    mask = load_mask(path, x0)
    if black_is_missing:
        mask = 1 - mask
        if mask.all() or not mask.any():
            what, other = ("nothing", "black") if mask.all() else ("everything", "white")
            raise ValueError(
                f"the mask hides {what}: with --black-is-missing some of {path} must be {other}"
            )
    check_mask(mask, x0)
    missing = 1 - float(mask.mean())
    if missing > MOSTLY and kind_of(mask) == "hole":
        colour = "black" if black_is_missing else "white"
        advice = "leave --black-is-missing out" if black_is_missing else "add --black-is-missing"
        warnings.warn(
            f"{path} hides {missing:.0%} of the picture: is {colour} really what is missing? "
            f"If not, {advice}.",
            PictureWarning,
            stacklevel=2,
        )
    return mask


def _digest(x: Tensor) -> str:
    return hashlib.sha256(x.contiguous().numpy().tobytes()).hexdigest()
