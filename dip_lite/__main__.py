"""The command line: `python -m dip_lite --help`.

Wrong input ends with status 2 and one sentence on stderr, a fit that failed with 1, Ctrl-C with 130
once the best picture so far is written.
"""

from __future__ import annotations

import math
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from . import __version__
from .guard import FitError
from .images import PictureError, PictureWarning, sample
from .job import Job, restore
from .record import Record
from .tasks import ENERGIES, PRESETS

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Sigma(click.ParamType):
    """A noise level: grey levels of 255, or the [0, 1] scale where it is below 1."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(
                f"{value!r} is not a number: write 25 for noise of 25 grey levels", param, ctx
            )
        if not 0 <= number <= 255:
            self.fail(f"sigma must be from 0 to 255 grey levels, got {value}", param, ctx)
        return number if number < 1 else number / 255


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="dip_lite")
def cli() -> None:
    """Restores a picture with a deep image prior: a network that has seen no other picture.

    Begin with `python -m dip_lite demo`.
    """


@cli.command(context_settings=CONTEXT)
@click.argument("picture", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="Where the result goes.")
@click.option(
    "--sigma",
    type=Sigma(),
    help="Strength of the noise in grey levels, as 25. [default: estimated]",
)
@click.option(
    "--seconds", type=click.FloatRange(min=0.0), help="Fit for so long at most. [default: 60]"
)
@click.option("--steps", type=click.IntRange(min=0), help="Or make at most so many steps.")
@click.option(
    "--preset",
    type=click.Choice(PRESETS),
    default="fast",
    show_default=True,
    help="fast: a minute on two cores. paper: the authors' network, hours. tiny: for tests.",
)
@click.option(
    "--energy",
    type=click.Choice(ENERGIES),
    help="recorrupted: best for white noise. mse: the paper's own. [default: the preset's]",
)
@click.option("--no-stop", is_flag=True, help="Do not stop by itself; use the whole budget.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Another seed is another run.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--reference", type=click.Path(), help="The clean picture, to measure against.")
@click.option("--record", type=click.Path(), help="Keep the run in this new folder.")
@click.option("--resume", type=click.Path(), help="Go on with the run kept in this folder.")
@click.option("--report", type=click.Path(), help="Write what happened to this file, as JSON.")
@click.pass_context
def denoise(context: click.Context, picture: str, output: str, **options: Any) -> None:
    """Removes noise from PICTURE.

    The run ends by itself when the result no longer gets calmer, or after --seconds or --steps.
    Ctrl-C ends it at once and keeps the best picture so far.
    """
    if options["seconds"] is not None and options["steps"] is not None:
        raise click.UsageError("give --seconds or --steps, not both")
    if options["seconds"] is not None and not math.isfinite(options["seconds"]):
        raise click.UsageError(f"--seconds must be a number, got {options['seconds']}")
    if options["record"] and options["resume"]:
        raise click.UsageError("give --record for a new run or --resume for an old one, not both")
    given = {
        name
        for name in options
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    job = Job(picture=picture, output=output, given=frozenset(given), **options)
    result = restore(job)
    click.echo(result.sentence())
    if result.why.startswith("interrupted"):
        context.exit(130)


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
    """Adds noise to a bundled photograph, removes it, and shows how.

    Writes noisy.png, clean.png, side_by_side.png, curve.png, snapshots.png, learning.webp and
    learning.gif.
    """
    from .demo import run_demo

    text, why = run_demo(sample(name), name, seconds, Path(output), preset)
    click.echo(text)
    if why.startswith("interrupted"):
        context.exit(130)


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
    """Makes an animation or a contact sheet of a RECORD folder."""
    if not (animation or sheet):
        raise click.UsageError("say what to make: --animation FILE.webp or --sheet FILE.png")
    kept = Record(record)
    if animation:
        kept.animate(animation, which=show)
    if sheet:
        kept.contact_sheet(sheet, which=show)
    click.echo(f"Wrote {' and '.join(name for name in (animation, sheet) if name)}.")


def _say(error: BaseException) -> None:
    text = " ".join(str(error).split()) or type(error).__name__
    if not text.endswith((".", "?", "!")):
        text += "."
    click.echo(text, err=True)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    warnings.showwarning = _note
    warnings.simplefilter("default", PictureWarning)
    try:
        return cli.main(arguments, prog_name="python -m dip_lite", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        click.echo(f"{error.format_message().rstrip('.')}{hint}.", err=True)
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted; nothing was written.", err=True)
        return 130
    except (PictureError, ValueError) as error:
        _say(error)
        return 2
    except Exception as error:
        if os.environ.get("DIP_LITE_DEBUG"):
            raise
        if isinstance(error, FitError):
            _say(error)
        elif isinstance(error, MemoryError) or "memory" in str(error):
            click.echo("The picture needs more memory than there is: make it smaller.", err=True)
        else:
            reason = " ".join(str(error).split())[:200]
            click.echo(
                f"Something went wrong inside dip_lite ({type(error).__name__}: {reason}): "
                "set DIP_LITE_DEBUG=1 to see where.",
                err=True,
            )
        return 1


def _note(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
    """Warnings meant for the user become one plain line; the others are developers' business."""
    if issubclass(category, PictureWarning):
        click.echo(f"Note: {message}", err=True)


if __name__ == "__main__":
    sys.exit(main())
