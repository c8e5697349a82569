"""Every option of the restoring commands; `COMMANDS` says which task has which.

    COMMANDS["denoise"].options           # --sigma, --noise, --energy
    COMMANDS["denoise"].defaults          # {"sigma": None, "noise": "gaussian", "energy": None}
    parameters("denoise")                 # all that the command takes, for click

Options are defined here and nowhere else: requests, reports and records use their names.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from ..images.resample import KERNELS
from ..tasks.denoising import ENERGIES, NOISES
from ..tasks.inpainting import ENERGIES as INPAINTING_ENERGIES
from ..tasks.inpainting import KINDS
from ..tasks.presets import GUIDES, PRESET_NAMES
from ..tasks.super_resolution import FACTORS


class FiniteRange(click.FloatRange):
    """A float in a range, neither NaN nor infinite."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


class Sigma(click.ParamType):
    """A noise level in grey levels, 0 to 255, converted to the [0, 1] scale."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        expected = "sigma is in grey levels from 0 to 255"
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{expected}, got {value!r}: write 25, for example", param, ctx)
        if not 0 <= number <= 255:
            self.fail(f"{expected}, got {value}", param, ctx)
        if 0 < number < 1:  # most probably a fraction of full scale, as in Python
            advice = f"for {value} of full scale write {255 * number:g}"
            self.fail(f"{expected}, got {value}: {advice}", param, ctx)
        return number / 255


class Option(click.Option):
    """An option, by default None or, for a flag, False.

    Args:
        is_input: says where a mask or another input comes from; a resumed run may get it from
            elsewhere, as long as it is the same.
    """

    def __init__(self, *flags: str, is_input: bool = False, **settings: Any) -> None:
        self.is_input = is_input
        self.usual = settings.get("default", False if settings.get("is_flag") else None)
        shown = self.usual is not None and self.usual is not False
        super().__init__(flags, show_default=shown, **settings)


@dataclass(frozen=True)
class Command:
    """What is particular to the command of one task."""

    options: tuple[Option, ...] = ()
    seconds: float | None = 60.0  # time limit with the fast preset; None: a number of steps
    has_network: bool = True  # and so a preset and a seed

    @property
    def defaults(self) -> dict[str, Any]:
        """The task's own options by name, with their defaults."""
        return {str(option.name): option.usual for option in self.options}


def _path(*flags: str, help: str, **more: Any) -> Option:
    return Option(*flags, type=click.Path(), help=help, **more)


def _choice(flag: str, values: Sequence[Any], help: str, default: Any = None) -> Option:
    return Option(flag, type=click.Choice(values), default=default, help=help)


# --- the options of each task

SIGMA = "Noise level in grey levels, 0 to 255, such as 25. [default: estimated]"
NOISE = "gaussian: sensor noise. poisson: photon noise. salt-pepper: white and black dots."
GUIDE = "Classical guide: classical, nlm, none or a picture. [default: by the preset]"
ENERGY = "recorrupted: best for white noise. mse: the paper's. [default: by the preset]"
BLIND = "Use the pixels only, not what a JPEG file says about its compression."
MASK = "Picture in which WHITE IS MISSING, or a folder with one per picture."
COLOR = "Pixels of exactly this color are missing, such as '#ff00ff'."
KIND = "What is missing: scattered pixels, thin strokes or a hole. [default: found from the mask]"
REFIT = "Let the network repaint known pixels instead of keeping them."
INPAINT = "held-out: trained on hidden known pixels. mse: the paper's. [default: by the kind]"
FUSED = "Whether the result is fused with a classical method's. [default: classical where it can]"
KERNEL = "How the picture was downscaled; box averages blocks of pixels."
FLASH = "The same scene with flash, or a folder with one per picture."

_MASK = (
    _path("--mask", is_input=True, help=MASK),
    Option("--black-is-missing", is_flag=True, is_input=True, help="Black is missing in the mask."),
)
_COLOR_FLAGS = ("--missing-color", "--missing-colour", "missing_color")
COMMANDS = {
    "denoise": Command(
        (
            Option("--sigma", type=Sigma(), help=SIGMA),
            _choice("--noise", NOISES, NOISE, "gaussian"),
            _choice("--energy", ENERGIES, ENERGY),
            Option("--guide", help=GUIDE),
        )
    ),
    "jpeg": Command((Option("--blind", is_flag=True, help=BLIND),)),
    "inpaint": Command(
        (
            *_MASK,
            Option(*_COLOR_FLAGS, metavar="COLOR", is_input=True, help=COLOR),
            _choice("--kind", KINDS, KIND),
            Option("--refit-known", is_flag=True, help=REFIT),
            _choice("--energy", INPAINTING_ENERGIES, INPAINT),
            _choice("--guide", GUIDES, FUSED),
        ),
        seconds=120.0,
    ),
    "super-resolve": Command(
        (
            _choice("--factor", FACTORS, "Upscaling factor.", 4),
            _choice("--kernel", KERNELS, KERNEL, "lanczos"),
            _choice("--guide", GUIDES, FUSED),
        )
    ),
    "flash": Command((_path("--flash", required=True, is_input=True, help=FLASH),)),
    "tv": Command(
        (
            Option("--weight", type=FiniteRange(min=0.0), default=0.1, help="Smoothing strength."),
            *_MASK,
        ),
        seconds=None,
        has_network=False,
    ),
}
_ALL = [option for command in COMMANDS.values() for option in command.options]
INPUTS = frozenset(str(option.name) for option in _ALL if option.is_input)
COMPANIONS = ("mask", "flash")  # inputs that may be a folder with one file per picture


# --- those that all commands share

OUTPUT = "File for the result, or a folder for several."
PRESET = "fast: a minute on two cores. paper: the authors' network, hours. tiny: for tests."
REFERENCE = "Clean picture to measure PSNR and SSIM against, or a folder with one per picture."
RECORD = "Record the run in this new folder; several pictures get a subfolder each."
RESUME = "Continue the run recorded in this folder; of several pictures, start the rest too."
REPORT = "Write settings and results to this JSON file; a list for several pictures."


def parameters(task: str) -> list[click.Parameter]:
    """All that a task's command takes, in the order of its help."""
    command = COMMANDS[task]
    limit = "none, but 500 steps" if command.seconds is None else f"{command.seconds:g}"
    seconds = f"Time limit per picture, in seconds. Default: {limit}."
    network = [
        _choice("--preset", PRESET_NAMES, PRESET, "fast"),
        Option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, help="Random seed."),
    ]
    return [
        click.Argument(["pictures"], metavar="PICTURE...", nargs=-1, required=True),
        _path("-o", "--output", required=True, help=OUTPUT),
        *command.options,
        Option("--seconds", type=FiniteRange(min=0.0), help=seconds),
        Option("--steps", type=click.IntRange(min=0), help="Limit on steps instead of time."),
        Option("--no-stop", is_flag=True, help="Use the whole budget: no early stopping."),
        *(network if command.has_network else []),
        Option("--device", default="auto", help="auto, cpu, cuda or mps."),
        _path("--reference", help=REFERENCE),
        _path("--record", help=RECORD),
        _path("--resume", help=RESUME),
        _path("--report", help=REPORT),
    ]
