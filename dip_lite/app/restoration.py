"""A request and its pictures → a task to fit.

    restoration = build_restoration(request, Inputs(picture), limits)   # task, before, truth, note

If the visitor wants damage added first, it is added here: the picture is then the clean one, and
the task sees only the damaged copy. A picture that is damaged already has no truth.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..engine.task import Task
from ..errors import UserError, WeightsError
from ..images.degrade import jpeg
from ..images.io import match_channels
from ..images.jpeg import JpegConstraint
from ..images.masks import hole, random_mask, scratches, text_mask
from ..images.noise import add_noise
from ..images.resample import Downsample, upsample
from ..nets.alexnet import Probe, cached
from ..tasks import denoise, flash_no_flash, inpaint, invert, remove_jpeg, super_resolve
from ..tasks.jpeg import Deblocked
from .gpu import has_gpu
from .limits import Limits
from .request import RunRequest
from .uploads import Picture, check_mask

BLIND = "Artifacts are removed blindly: these pixels do not tell how they were compressed."
EVENING = (0.62, 0.47, 0.33)  # red, green and blue under a lamp, as shares of daylight
MIN_SIDE = 16  # pixels
Options = dict[str, Any]  # that all tasks take
MaskMaker = Callable[[tuple[int, int], int], Tensor]
MASK_MAKERS: dict[str, MaskMaker] = {"text": text_mask, "scratches": scratches, "hole": hole}


@dataclass(frozen=True)
class Inputs:
    """The pictures that a visitor provided."""

    picture: Picture
    flash: Picture | None = None
    mask: Tensor | None = None  # (1, 1, H, W), 1 = known, drawn or uploaded
    constraint: JpegConstraint | None = None  # of the picture's own JPEG file
    source: str = ""  # of the picture, see `SessionPictures.sources`


@dataclass(frozen=True)
class Restoration:
    """What is fitted, and what it is compared with."""

    task: Task
    before: Tensor  # (1, C, H, W), the degraded picture, at the size of the result
    truth: Tensor | None = None  # the clean picture, same shape, where it is known
    note: str = ""  # one sentence for the visitor


def build_restoration(request: RunRequest, inputs: Inputs, limits: Limits) -> Restoration:
    """What a run fits.

    Raises:
        UserError: the request does not suit these pictures or this machine.
    """
    if request.network == "paper" and not has_gpu():
        raise UserError("The paper's network takes ten seconds a step without a GPU: choose Light.")
    preset = "fast" if request.network == "light" else request.network
    options = {"preset": preset, "seed": request.seed}
    try:
        restoration = BUILDERS[request.task](request, inputs, limits, options)
    except UserError:
        raise
    except ValueError as error:  # the package's own messages
        raise UserError(str(error)) from error
    task = restoration.task
    if request.lr > 0:
        task = replace(task, settings=replace(task.settings, lr=request.lr))
    if request.reg_noise_std >= 0:
        task = replace(task, reg_noise_std=request.reg_noise_std)
    return replace(restoration, task=task)


def _energy(request: RunRequest) -> str | None:
    return "mse" if request.plain_prior else None


def _denoise(request: RunRequest, inputs: Inputs, _: Limits, options: Options) -> Restoration:
    x = inputs.picture.x
    if not request.noise:
        return Restoration(denoise(x, energy=_energy(request), **options), x)
    sigma = request.noise / 255
    x0 = add_noise(x, sigma, seed=request.seed)
    return Restoration(denoise(x0, sigma, energy=_energy(request), **options), x0, x)


def _jpeg(request: RunRequest, inputs: Inputs, _: Limits, options: Options) -> Restoration:
    x = inputs.picture.x
    x0 = jpeg(x, request.quality) if request.quality else x
    file = None if request.quality else inputs.constraint
    task = remove_jpeg(x0, file=file, blind=request.plain_prior, **options)
    asked = request.plain_prior or request.network == "paper"
    note = "" if isinstance(task, Deblocked) or asked else BLIND
    return Restoration(task, x0, x if request.quality else None, note)


def _inpaint(request: RunRequest, inputs: Inputs, _: Limits, options: Options) -> Restoration:
    x = inputs.picture.x
    size, own = (x.shape[2], x.shape[3]), request.mask in ("draw", "upload")
    if request.mask == "random":
        mask: Tensor | None = random_mask(size, request.fraction, request.seed)
    else:
        mask = inputs.mask if own else MASK_MAKERS[request.mask](size, request.seed)
    if mask is None:
        raise UserError(
            "Paint over the area to fill in first."
            if request.mask == "draw"
            else "Upload a mask first: a picture that is white where yours should be filled in."
        )
    check_mask(mask)
    before = x * mask + (1 - mask)  # white is missing, as in the mask's file
    task = inpaint(x, mask, energy=_energy(request), **options)
    return Restoration(task, before, None if own else x)


def _super_resolve(
    request: RunRequest, inputs: Inputs, limits: Limits, options: Options
) -> Restoration:
    x, factor, note = inputs.picture.x, request.factor, ""
    times = 1 if request.downscale else factor
    crop = _center_crop(x, limits.max_pixels // times**2, factor if request.downscale else 1)
    if crop.shape != x.shape:
        height, width = crop.shape[2:]
        note = f"Only the centre of your picture is used, {width}×{height} pixels."
    if min(crop.shape[2:]) < MIN_SIDE * (factor if request.downscale else 1):
        raise UserError(f"The picture is too small: choose a scale factor below {factor}.")
    truth = crop if request.downscale else None
    size = (crop.shape[2], crop.shape[3])
    x0 = Downsample(size, factor, "lanczos")(crop).clamp(0, 1) if request.downscale else crop
    task = super_resolve(x0, factor, **options)
    return Restoration(task, upsample(x0, factor).clamp(0, 1), truth, note)


def _center_crop(x: Tensor, pixels: int, multiple: int) -> Tensor:
    """The center of a picture: at most `pixels` pixels, sides divisible by `multiple`."""
    height, width = x.shape[2:]
    scale = min(1.0, (pixels / (height * width)) ** 0.5)
    high, wide = (int(side * scale) // multiple * multiple for side in (height, width))
    top, left = (height - high) // 2, (width - wide) // 2
    return x[..., top : top + high, left : left + wide]


def _flash(request: RunRequest, inputs: Inputs, _: Limits, options: Options) -> Restoration:
    x = inputs.picture.x
    if inputs.flash is not None:
        flash = F.interpolate(inputs.flash.x, x.shape[2:], mode="bilinear", antialias=True)
        return Restoration(flash_no_flash(x, flash.clamp(0, 1), **options), x)
    colors = x.new_tensor(EVENING).view(1, 3, 1, 1)
    dim = match_channels(x, like=torch.zeros(1, 3, 1, 1)) * colors
    x0 = add_noise(dim, max(request.noise, 1) / 255, seed=request.seed)
    note = "Without a flash picture, yours stands in for it; a dim, noisy copy is restored."
    return Restoration(flash_no_flash(x0, x, **options), x0, dim, note)


def _probe() -> Probe:
    """AlexNet with the weights that the operator has; nothing is downloaded for a visitor."""
    if path := cached():
        with contextlib.suppress(WeightsError):  # a damaged copy
            return Probe(path)
    return Probe("random")


def _invert(request: RunRequest, inputs: Inputs, _: Limits, options: Options) -> Restoration:
    x = inputs.picture.x
    probe = _probe()
    task = invert(x, request.layer, probe=probe, **options)
    note = f"The network sees only the features of {request.layer} in {probe.name}."
    return Restoration(task, x, None, note)


BUILDERS: dict[str, Callable[[RunRequest, Inputs, Limits, Options], Restoration]] = {
    "denoise": _denoise,
    "jpeg": _jpeg,
    "inpaint": _inpaint,
    "super-resolve": _super_resolve,
    "flash": _flash,
    "invert": _invert,
}
