"""The commands of `python -m dip_lite`; their options are in `options`, `__main__` runs them."""

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..images.io import SAVED, atomic_write, load
from ..records import Record
from ..tasks.presets import PRESET_NAMES
from .batch import adapt_request, restore_all
from .files import find_pictures, is_many
from .options import PRESET, FiniteRange, Option, parameters
from .request import RestoreRequest
from .restoration import restore
from .sweep import sweep


class OrderedGroup(click.Group):
    """A group that lists its commands in the order of this file."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.commands]


@click.group(
    cls=OrderedGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="dip_lite")
def cli() -> None:
    """Restore pictures with a deep image prior: a network that has seen no other picture.

    Start with `python -m dip_lite demo`.
    """


@cli.command(
    params=[
        Option("--seconds", type=FiniteRange(0.1, 86400), default=60.0, help="Time limit in s."),
        Option("--sample", default="chelsea", help="Name of the sample photograph."),
        Option("--output", default="outputs", help="Folder for the results."),
        Option("--preset", type=click.Choice(PRESET_NAMES), default="fast", help=PRESET),
    ]
)
@click.pass_context
def demo(context: click.Context, seconds: float, sample: str, output: str, preset: str) -> None:
    """Add noise to a sample photograph, remove it, and show how.

    Writes original.png, noisy.png, clean.png, side_by_side.png, curve.png, snapshots.png,
    learning.webp, learning.gif, report.json and the record run/.
    """
    from .demo import run_demo

    result = run_demo(sample, seconds, Path(output), preset)
    click.echo(
        f"{result.sentence()}\nOpen {output}/side_by_side.png first, then learning.webp (the fit, "
        "snapshot by snapshot), curve.png and snapshots.png."
    )
    if result.interrupted:
        context.exit(130)


@cli.command(params=[click.Argument(["folder"], type=click.Path(path_type=Path))])
def course(folder: Path) -> None:
    """Copy the course's notebooks into a FOLDER.

    There are six, and their solutions. The command says how to open them, and never replaces a
    notebook that is there already.
    """
    from .course import copy_course

    click.echo(copy_course(folder))


HELP = {
    "denoise": """Remove noise from pictures.

    \b
    python -m dip_lite denoise noisy.png -o clean.png
    python -m dip_lite denoise holiday "scans/*.jpg" -o restored

    A PICTURE is a file, a folder of pictures, or a glob in quotes. A run stops by itself when the
    result no longer improves, or after --seconds or --steps. Ctrl-C stops it at once and keeps the
    best picture so far.
    """,
    "jpeg": """Remove JPEG artifacts from pictures.

    \b
    python -m dip_lite jpeg blocky.jpg -o smooth.png

    What a JPEG file says about its compression is used. Of other files only the pixels are.
    """,
    "inpaint": """Fill in missing parts of pictures: text, scratches, holes.

    \b
    python -m dip_lite inpaint old.png --mask scratches.png -o whole.png
    python -m dip_lite inpaint painted.png --missing-color '#ff00ff' -o whole.png
    python -m dip_lite inpaint cut_out.png -o whole.png

    A mask is a picture of the same size in which white is missing. Without --mask and
    --missing-color, the transparent part of the picture is missing.
    """,
    "super-resolve": """Upscale pictures 2, 3, 4 or 8 times.

    \b
    python -m dip_lite super-resolve small.png --factor 4 -o large.png
    """,
    "flash": """Combine a dim picture with a flash picture.

    The result has the light of PICTURE and the detail of the flash picture.

    \b
    python -m dip_lite flash dim.jpg --flash flash.jpg -o clean.png
    """,
    "tv": """Smooth pictures by total variation.

    A classical method without a network, for comparison. With --mask it fills in what is missing.

    \b
    python -m dip_lite tv noisy.png --weight 0.1 -o smooth.png
    """,
}


def run(context: click.Context, **values: Any) -> None:
    """Restores what a command's options ask for, one picture or many; sets the exit status."""
    paths, output = [*values.pop("pictures")], values["output"]
    written = click.core.ParameterSource.COMMANDLINE
    common = {field.name for field in fields(RestoreRequest)}
    request = RestoreRequest(
        picture=paths[0],
        task=str(context.command.name),
        options={name: value for name, value in values.items() if name not in common},
        given=frozenset(name for name in values if context.get_parameter_source(name) is written),
        **{name: value for name, value in values.items() if name in common},
    )
    if is_many(paths) or os.path.isdir(output) or output.endswith(("/", os.sep)):
        _check_folder(paths, output)
        context.exit(restore_all(request, paths, output))
    result = restore(adapt_request(request, paths[0], output))
    click.echo(result.sentence())
    if result.interrupted:
        context.exit(130)


def _check_folder(paths: list[str], output: str) -> None:
    """Refuses to make a folder that is named like a picture."""
    find_pictures(paths)  # first: a mistake there matters more
    if not os.path.isdir(output) and Path(output).suffix.lower() in SAVED:
        raise click.UsageError(
            f"{output} names one picture: for several pictures or a folder, give -o a folder"
        )


for task, text in HELP.items():
    cli.command(task, params=parameters(task), help=text)(click.pass_context(run))
cli.add_command(sweep)


@cli.command(
    params=[
        click.Argument(["record"], type=click.Path()),
        Option("--animation", type=click.Path(), help="A .gif or .webp of the snapshots."),
        Option("--sheet", type=click.Path(), help="A .png with the snapshots side by side."),
        Option(
            "--html", type=click.Path(), help="A page to drag through; works without a network."
        ),
        Option("--before", type=click.Path(), help="For --html: the picture that was restored."),
        Option("--reference", type=click.Path(), help="For --html: the clean picture."),
        Option(
            "--show",
            type=click.Choice(["x_avg", "x"]),
            default="x_avg",
            help="The moving average (x_avg) or the network's output (x).",
        ),
    ]
)
def export(
    record: str,
    animation: str | None,
    sheet: str | None,
    html: str | None,
    before: str | None,
    reference: str | None,
    show: str,
) -> None:
    """Turn a RECORD folder into a page, an animation or a contact sheet.

    \b
    python -m dip_lite export run1 --html run1.html
    python -m dip_lite export run1 --animation run1.webp --sheet run1.png
    """
    if not (animation or sheet or html):
        raise click.UsageError(
            "nothing to write: add --html FILE.html, --animation FILE.webp or --sheet FILE.png"
        )
    if html and Path(html).suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"{html} is to be a page: give --html a name that ends in .html")
    if (before or reference) and not html:
        raise click.UsageError("--before and --reference are for --html: add --html FILE.html")
    opened = Record(record)
    x0, x_true = (load(path) if path else None for path in (before, reference))
    if animation:
        opened.animate(animation, which=show)
    if sheet:
        opened.contact_sheet(sheet, which=show)
    if html:
        atomic_write(html, opened.to_html(show, x0, x_true).encode())
    click.echo(f"Wrote {' and '.join(name for name in (animation, sheet, html) if name)}.")
