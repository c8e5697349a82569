"""From a request to a task: which pictures it needs, and which settings they suggest.

inputs = read_inputs(request)                      # the picture, and a mask or a flash picture
task, settings = build_task(request, inputs)       # what to fit, and its options for the report
"""

import hashlib
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..engine.task import Task
from ..errors import PictureWarning
from ..images.io import load
from ..images.jpeg import JpegConstraint
from ..images.masks import alpha_mask, check_mask, colour_mask, kind_of, load_mask
from ..images.noise import estimate_photons, estimate_sigma
from ..tasks import TASKS
from ..tasks.denoising import GUIDES, PRESETS
from ..tasks.inpainting import default_energy
from ..tasks.jpeg import find_constraint
from .options import COMMANDS, INPUTS
from .request import RestoreRequest

MOSTLY = 0.7  # share of pixels; a hole larger than this may be a mask of the other polarity


@dataclass(frozen=True)
class Inputs:
    """The pictures of a request, read and checked."""

    x0: Tensor  # (1, C, H, W) in [0, 1]
    mask: Tensor | None = None  # (1, 1, H, W), 1 = known
    guide: Tensor | None = None  # (1, C, H, W) in [0, 1], where it is a file
    flash: Tensor | None = None  # (1, C', H, W) in [0, 1]
    constraint: JpegConstraint | None = None  # what is known of the picture's JPEG file

    def digests(self) -> dict[str, str]:
        """SHA-256 of each picture's values, by its name in a record's settings."""
        named = {
            "picture": self.x0, "mask": self.mask, "flash": self.flash, "guide": self.guide
        }  # fmt: skip
        if self.constraint is not None:
            planes = [plane.center.flatten() for plane in self.constraint.planes]
            named["compression"] = torch.cat(planes)
        return {f"{name}_sha256": _digest(x) for name, x in named.items() if x is not None}


def read_inputs(request: RestoreRequest) -> Inputs:
    """The pictures of a request.

    Raises:
        PictureError, ValueError: one cannot be used.
    """
    x0, options = load(request.picture), request.options
    masked = request.task == "inpaint" or options.get("mask")
    flash = None if options.get("flash") is None else load(options["flash"])
    guide = options.get("guide") or "none"
    by_file = request.task == "jpeg" and not options["blind"] and request.preset != "paper"
    return Inputs(
        x0,
        constraint=find_constraint(x0, request.picture) if by_file else None,
        mask=_read_mask(request, x0) if masked else None,
        flash=flash,
        guide=None if guide in (*GUIDES, "none") else load(guide),
    )


def build_task(request: RestoreRequest, inputs: Inputs) -> tuple[Task, dict[str, Any]]:
    """The task of a request, and its options with all that was estimated, for the report.

    Raises:
        PictureError, ValueError: the options make no sense, or not with these pictures.
    """
    settings = dict(request.options)
    if request.task == "denoise":
        settings |= _noise_settings(settings, request.preset, inputs.x0)
    if request.task == "inpaint" and inputs.mask is not None:
        settings["kind"] = settings["kind"] or kind_of(inputs.mask)
        settings["energy"] = settings["energy"] or default_energy(settings["kind"], request.preset)
    arguments = {name: value for name, value in settings.items() if name not in INPUTS}
    if "refit_known" in arguments:
        arguments["keep_known"] = not arguments.pop("refit_known")
    if request.task == "jpeg":
        arguments |= {"file": inputs.constraint, "blind": inputs.constraint is None}
        known = inputs.constraint
        settings["compression"] = "unknown" if known is None else known.subsampling
    if inputs.flash is not None:
        arguments["flash"] = inputs.flash
    if inputs.guide is not None:
        arguments["guide"] = inputs.guide
    if inputs.mask is not None:
        arguments["mask"] = inputs.mask
        settings["missing"] = round(1 - float(inputs.mask.mean()), 4)
    if COMMANDS[request.task].has_network:
        arguments |= {"preset": request.preset, "seed": request.seed}
    return TASKS[request.task](inputs.x0, **arguments), settings


def _noise_settings(options: dict[str, Any], preset: str, x0: Tensor) -> dict[str, Any]:
    """σ, estimated here so that the report has it, and the energy."""
    noise, sigma = options["noise"], options["sigma"]
    if noise == "salt-pepper" and sigma is not None:
        raise ValueError("salt-and-pepper noise has no sigma: leave --sigma out")
    if noise != "salt-pepper" and sigma is None:
        sigma = (estimate_photons if noise == "poisson" else estimate_sigma)(x0)
    return {"sigma": sigma, "energy": options["energy"] or PRESETS[preset].energy}


def _read_mask(request: RestoreRequest, x0: Tensor) -> Tensor:
    """What is known, (1, 1, H, W), from a file, a color or the picture's own transparency."""
    path, color = request.options["mask"], request.options.get("missing_color")
    if path:
        return _load_mask(path, request.options["black_is_missing"], x0)
    mask = colour_mask(x0, color) if color else alpha_mask(request.picture)
    if color and mask is not None and mask.all():
        raise ValueError(
            f"no pixel of {request.picture} is exactly {color}: paint what is missing in that "
            f"color and save as PNG, since JPEG changes colors"
        )
    if mask is None or mask.all():
        raise ValueError(
            f"Nothing marks what is missing in {request.picture}: add --mask FILE (white is "
            f"missing) or --missing-color, or make the missing part transparent"
        )
    check_mask(mask, x0)
    return mask


def _load_mask(path: str, black_is_missing: bool, x0: Tensor) -> Tensor:
    """The mask in a file; a warning where the other polarity may have been meant."""
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
        color = "black" if black_is_missing else "white"
        advice = "leave --black-is-missing out" if black_is_missing else "add --black-is-missing"
        warnings.warn(
            f"{path} hides {missing:.0%} of the picture: is {color} really what is missing? "
            f"If not, {advice}.",
            PictureWarning,
            stacklevel=2,
        )
    return mask


def _digest(x: Tensor) -> str:
    return hashlib.sha256(x.contiguous().numpy().tobytes()).hexdigest()
