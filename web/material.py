"""A picture and a choice → a task to fit.

    material = make(choice, Inputs(picture))     # Material(task, before, truth)

Damage that the visitor asks for is done here, to a picture that is then the clean one, and the task
sees only what is left of it. Where the picture is damaged as it came, there is no truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dip_lite import Task, add_noise, denoise, flash_no_flash, inpaint, remove_jpeg, super_resolve
from dip_lite.degrade import jpeg
from dip_lite.images import match_channels
from dip_lite.inversion import Probe, cached
from dip_lite.masks import hole, random_mask, scratches, text_mask
from dip_lite.resample import Downsample, upsample
from dip_lite.tasks.inversion import invert

from .choices import Choice, Limits, SorryError, has_gpu
from .uploads import Picture, check_mask

Makers = dict[str, Callable[["Choice", "Inputs", "Limits"], "Material"]]
DIM = (0.62, 0.47, 0.33)  # of red, green and blue, that a lamp in the evening leaves
LEAST = 16  # pixels of a side


@dataclass(frozen=True)
class Inputs:
    """The pictures a visitor brought."""

    picture: Picture
    second: Picture | None = None  # taken with flash
    mask: Tensor | None = None  # (1, 1, H, W), 1 = known, drawn or uploaded


@dataclass(frozen=True)
class Material:
    """What is fitted, what it is compared with, and what is told about it."""

    task: Task
    before: Tensor  # the picture as the network gets it, of the result's size
    truth: Tensor | None = None  # the clean picture, where it is known
    note: str = ""


def make(choice: Choice, inputs: Inputs, limits: Limits) -> Material:
    """The material of a run.

    Raises:
        SorryError: the choice cannot be had with these pictures.
    """
    if choice.network == "paper" and not has_gpu():
        raise SorryError(
            "The authors' network needs a GPU, as one of its steps takes ten seconds here: "
            "take the light one."
        )
    try:
        material = MAKERS[choice.task](choice, inputs, limits)
    except SorryError:
        raise
    except ValueError as error:  # the package's own sentences
        raise SorryError(str(error)) from error
    return replace(material, task=_tuned(material.task, choice))


def _tuned(task: Task, choice: Choice) -> Task:
    """The task with what the advanced panel says."""
    changes: dict[str, Any] = {}
    if choice.lr > 0:
        changes["settings"] = replace(task.settings, lr=choice.lr)
    if choice.reg >= 0:
        changes["reg"] = float(choice.reg)
    return replace(task, **changes)


def _preset(choice: Choice) -> dict[str, Any]:
    return {"preset": "fast" if choice.network == "light" else choice.network, "seed": choice.seed}


def _denoise(choice: Choice, inputs: Inputs, limits: Limits) -> Material:
    x = inputs.picture.x
    energy = "mse" if choice.plain else None
    if not choice.noise:
        return Material(denoise(x, energy=energy, **_preset(choice)), x)
    sigma = choice.noise / 255
    x0 = add_noise(x, sigma, seed=choice.seed)
    return Material(denoise(x0, sigma, energy=energy, **_preset(choice)), x0, x)


def _jpeg(choice: Choice, inputs: Inputs, limits: Limits) -> Material:
    x = inputs.picture.x
    x0 = jpeg(x, choice.quality) if choice.quality else x
    return Material(remove_jpeg(x0, **_preset(choice)), x0, x if choice.quality else None)


def _inpaint(choice: Choice, inputs: Inputs, limits: Limits) -> Material:
    x = inputs.picture.x
    size, own = (x.shape[2], x.shape[3]), choice.mask in ("draw", "upload")
    if own and inputs.mask is None:
        raise SorryError(
            "Draw over what is to be filled in first, below the choice of mask."
            if choice.mask == "draw"
            else "Upload a mask first: a picture that is white where yours is to be filled in."
        )
    made = {
        "text": lambda: text_mask(size, choice.seed),
        "scratches": lambda: scratches(size, choice.seed),
        "hole": lambda: hole(size, choice.seed),
        "random": lambda: random_mask(size, choice.fraction, choice.seed),
    }
    mask = inputs.mask if own else made[choice.mask]()
    assert mask is not None
    check_mask(mask)
    before = x * mask + (1 - mask)  # white is missing, as in the mask's file
    energy = "mse" if choice.plain else None
    task = inpaint(x, mask, energy=energy, **_preset(choice))
    return Material(task, before, None if own else x)


def _super_resolve(choice: Choice, inputs: Inputs, limits: Limits) -> Material:
    x, factor, note = inputs.picture.x, choice.factor, ""
    times = 1 if choice.shrink else factor
    small = _middle(x, limits.pixels // times**2, factor if choice.shrink else 1)
    if small.shape != x.shape:
        height, width = small.shape[2:]
        note = f"Only the middle of your picture, {width}×{height} pixels, was taken."
    if min(small.shape[2:]) < LEAST * (factor if choice.shrink else 1):
        raise SorryError(f"The picture is too small for that: take a factor below {factor}.")
    truth = small if choice.shrink else None
    size = (small.shape[2], small.shape[3])
    x0 = Downsample(size, factor, "lanczos")(small).clamp(0, 1) if choice.shrink else small
    task = super_resolve(x0, factor, **_preset(choice))
    return Material(task, upsample(x0, factor).clamp(0, 1), truth, note)


def _middle(x: Tensor, pixels: int, multiple: int) -> Tensor:
    """The middle of a picture, of at most so many pixels and sides that divide by `multiple`."""
    height, width = x.shape[2:]
    scale = min(1.0, (pixels / (height * width)) ** 0.5)
    high, wide = (int(side * scale) // multiple * multiple for side in (height, width))
    top, left = (height - high) // 2, (width - wide) // 2
    return x[..., top : top + high, left : left + wide]


def _flash(choice: Choice, inputs: Inputs, limits: Limits) -> Material:
    x = inputs.picture.x
    if inputs.second is not None:
        flash = F.interpolate(inputs.second.x, x.shape[2:], mode="bilinear", antialias=True)
        return Material(flash_no_flash(x, flash.clamp(0, 1), **_preset(choice)), x)
    colours = x.new_tensor(DIM).view(1, 3, 1, 1)
    dim = match_channels(x, like=torch.zeros(1, 3, 1, 1)) * colours
    x0 = add_noise(dim, max(choice.noise, 1) / 255, seed=choice.seed)
    note = "With one picture only, it was taken for the flash picture and made dim and noisy."
    return Material(flash_no_flash(x0, x, **_preset(choice)), x0, dim, note)


def _invert(choice: Choice, inputs: Inputs, limits: Limits) -> Material:
    x = inputs.picture.x
    weights = "imagenet" if cached() else "random"  # the former only where an operator put them
    probe = Probe(weights)
    task = invert(x, choice.layer, probe=probe, **_preset(choice))
    note = f"The network was told only what {choice.layer} of an {probe.name} says of the picture."
    return Material(task, x, None, note)


MAKERS: Makers = {
    "denoise": _denoise,
    "jpeg": _jpeg,
    "inpaint": _inpaint,
    "super-resolve": _super_resolve,
    "flash": _flash,
    "invert": _invert,
}
