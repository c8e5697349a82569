"""The verbs of the command line; `options` has what they share, `__main__` runs them."""

from __future__ import annotations

import math
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from . import __version__
from .batch import one_job, restore_all
from .files import find_pictures, is_many
from .images import SAVED, sample
from .job import Job
from .options import MASK, Sigma, restoration
from .record import Record
from .resample import KERNELS
from .restore import restore
from .tasks import ENERGIES, FACTORS, KINDS, PRESETS
from .tasks.denoising import NOISES
from .tasks.inpainting import ENERGIES as INPAINTING_ENERGIES

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Verbs(click.Group):
    """A group that lists its verbs as they stand here: the first things first."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.commands]


@click.group(cls=Verbs, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="dip_lite")
def cli() -> None:
    """Restores pictures with a deep image prior: a network that has seen no other picture.

    Begin with `python -m dip_lite demo`.
    """


@cli.command(context_settings=CONTEXT)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 86400),
    default=60.0,
    show_default=True,
    help="Fit for so long at most.",
)
@click.option("--sample", "name", default="chelsea", show_default=True, help="Which photograph.")
@click.option("--output", default="outputs", show_default=True, help="Folder for the results.")
@click.option("--preset", type=click.Choice(PRESETS), default="fast", show_default=True)
@click.pass_context
def demo(context: click.Context, seconds: float, name: str, output: str, preset: str) -> None:
    """Adds noise to a photograph, removes it, and shows how.

    Writes noisy.png, clean.png, side_by_side.png, curve.png, snapshots.png, learning.webp and
    learning.gif.
    """
    from .demo import run_demo

    text, why = run_demo(sample(name), name, seconds, Path(output), preset)
    click.echo(text)
    if why.startswith("interrupted"):
        context.exit(130)


@cli.command(context_settings=CONTEXT)
@restoration(
    click.option(
        "--sigma",
        type=Sigma(),
        help="Strength of the noise in grey levels, as 25. [default: estimated]",
    ),
    click.option(
        "--noise",
        type=click.Choice(NOISES),
        default="gaussian",
        show_default=True,
        help="gaussian: of a sensor. poisson: of few photons. salt-pepper: white and black dots.",
    ),
    click.option(
        "--energy",
        type=click.Choice(ENERGIES),
        help="recorrupted: best for white noise. mse: the paper's own. [default: the preset's]",
    ),
)
@click.pass_context
def denoise(context: click.Context, **options: Any) -> None:
    """Removes noise from PICTUREs.

    \b
    python -m dip_lite denoise noisy.png -o clean.png
    python -m dip_lite denoise holiday "scans/*.jpg" -o restored

    A PICTURE is a file, a folder with pictures, or a pattern in quotes. A run ends by itself when
    the result no longer gets calmer, or after --seconds or --steps. Ctrl-C ends it at once and
    keeps the best picture so far.
    """
    run(context, "denoise", options)


@cli.command(context_settings=CONTEXT)
@restoration()
@click.pass_context
def jpeg(context: click.Context, **options: Any) -> None:
    """Removes the blocks and ripples of JPEG from PICTUREs.

    \b
    python -m dip_lite jpeg blocky.jpg -o smooth.png
    """
    run(context, "jpeg", options)


@cli.command(context_settings=CONTEXT)
@restoration(
    MASK,
    click.option(
        "--missing-color",
        "--missing-colour",
        "missing_colour",
        metavar="COLOUR",
        help="What is missing is painted in exactly this colour, as '#ff00ff'.",
    ),
    click.option(
        "--kind",
        type=click.Choice(KINDS),
        help="What is missing: scattered pixels, thin strokes, a hole. [default: by the mask]",
    ),
    click.option(
        "--refit-known", is_flag=True, help="Known pixels are the network's, too; not as given."
    ),
    click.option(
        "--energy",
        type=click.Choice(INPAINTING_ENERGIES),
        help="hidden: practises on known pixels. mse: the paper's own. [default: by the kind]",
    ),
    seconds="120",
)
@click.pass_context
def inpaint(context: click.Context, **options: Any) -> None:
    """Fills in what is missing under text, scratches, in holes.

    \b
    python -m dip_lite inpaint old.png --mask scratches.png -o whole.png
    python -m dip_lite inpaint painted.png --missing-color '#ff00ff' -o whole.png
    python -m dip_lite inpaint cut_out.png -o whole.png

    A mask is a picture of the same size in which white is missing. With neither --mask nor
    --missing-color, what is transparent in the picture is missing.
    """
    run(context, "inpaint", options)


@cli.command("super-resolve", context_settings=CONTEXT)
@restoration(
    click.option(
        "--factor",
        type=click.Choice([str(factor) for factor in FACTORS]),
        default="4",
        show_default=True,
        callback=lambda context, option, value: int(value),
        help="How many times wider and higher.",
    ),
    click.option(
        "--kernel",
        type=click.Choice(KERNELS),
        default="lanczos",
        show_default=True,
        help="How the picture was made small; box: by averaging blocks of pixels.",
    ),
)
@click.pass_context
def super_resolve(context: click.Context, **options: Any) -> None:
    """Enlarges PICTUREs 2, 3, 4 or 8 times.

    \b
    python -m dip_lite super-resolve small.png --factor 4 -o large.png
    """
    run(context, "super-resolve", options)


@cli.command(context_settings=CONTEXT)
@restoration(
    click.option(
        "--flash",
        required=True,
        type=click.Path(),
        help="The same scene with flash; or a folder with one of each picture's name.",
    ),
)
@click.pass_context
def flash(context: click.Context, **options: Any) -> None:
    """Cleans PICTUREs taken in dim light by one taken with flash.

    The result has the light of the one and the detail of the other.

    \b
    python -m dip_lite flash dim.jpg --flash flash.jpg -o clean.png
    """
    run(context, "flash", options)


@cli.command(context_settings=CONTEXT)
@restoration(
    click.option(
        "--weight",
        type=click.FloatRange(min=0.0),
        default=0.1,
        show_default=True,
        help="Of the smoothness; more is smoother.",
    ),
    MASK,
    seconds="as long as 500 steps take",
    network=False,
)
@click.pass_context
def tv(context: click.Context, **options: Any) -> None:
    """Smooths PICTUREs by a classical method, to compare with.

    It is total variation, without a network. With --mask it fills in what is missing.

    \b
    python -m dip_lite tv noisy.png --weight 0.1 -o smooth.png
    """
    run(context, "tv", options)


@cli.command(
    add_help_option=False,  # --help is the real verb's, too
    context_settings={"ignore_unknown_options": True},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def sweep(context: click.Context, words: tuple[str, ...]) -> int:
    """Runs all combinations of a GRID, a TOML file, many at once."""
    from .sweep_cli import sweep_verb  # here, since Dask and pandas take a second to import

    name = context.command_path
    return sweep_verb.main([*words], prog_name=name, standalone_mode=False) or 0


@cli.command(context_settings=CONTEXT)
@click.argument("record", type=click.Path())
@click.option("--animation", type=click.Path(), help="A .gif or .webp of the snapshots.")
@click.option("--sheet", type=click.Path(), help="A .png with the snapshots side by side.")
@click.option(
    "--show",
    type=click.Choice(["x_avg", "x"]),
    default="x_avg",
    show_default=True,
    help="The moving average or the network's own output.",
)
def export(record: str, animation: str | None, sheet: str | None, show: str) -> None:
    """Makes an animation or a contact sheet of a RECORD folder.

    \b
    python -m dip_lite export run1 --animation run1.webp --sheet run1.png
    """
    if not (animation or sheet):
        raise click.UsageError("say what to make: --animation FILE.webp or --sheet FILE.png")
    kept = Record(record)
    if animation:
        kept.animate(animation, which=show)
    if sheet:
        kept.contact_sheet(sheet, which=show)
    click.echo(f"Wrote {' and '.join(name for name in (animation, sheet) if name)}.")


def run(context: click.Context, task: str, options: dict[str, Any]) -> None:
    """Restores what the options of a verb say, one picture or many, and sets the exit status."""
    _check(options)
    words, output = [*options.pop("pictures")], options.pop("output")
    shared = {field.name for field in fields(Job)}
    given = frozenset(
        name
        for name in options
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    )
    job = Job(
        picture=words[0],
        output=output,
        task=task,
        options={name: value for name, value in options.items() if name not in shared},
        given=given,
        **{name: value for name, value in options.items() if name in shared},
    )
    if is_many(words) or os.path.isdir(output) or output.endswith(("/", os.sep)):
        _check_folder(words, output)
        context.exit(restore_all(job, words, output))
    result = restore(one_job(job, words[0], output))
    click.echo(result.sentence())
    if result.interrupted:
        context.exit(130)


def _check(options: dict[str, Any]) -> None:
    """Refuses options that do not go together."""
    if options["seconds"] is not None and options["steps"] is not None:
        raise click.UsageError("give --seconds or --steps, not both")
    if options["seconds"] is not None and not math.isfinite(options["seconds"]):
        raise click.UsageError(f"--seconds must be a number, got {options['seconds']}")
    if options["record"] and options["resume"]:
        raise click.UsageError("give --record for a new run or --resume for an old one, not both")
    if options.get("mask") and options.get("missing_colour"):
        raise click.UsageError("give --mask or --missing-color, not both")
    if options.get("black_is_missing") and not options["mask"]:
        raise click.UsageError("--black-is-missing is about a mask file: give --mask too")
    if not math.isfinite(options.get("weight", 0.0)):
        raise click.UsageError(f"--weight must be a number, got {options['weight']}")


def _check_folder(words: list[str], output: str) -> None:
    """Refuses to make a folder that is called like a picture."""
    find_pictures(words)  # first: whatever is wrong with them matters more
    if not os.path.isdir(output) and Path(output).suffix.lower() in SAVED:
        raise click.UsageError(
            f"{output} would be one picture: with several pictures or a folder, give -o a folder"
        )
