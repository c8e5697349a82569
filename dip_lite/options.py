"""The options that verbs of the command line share.

@click.command()
@restoration(seconds="60")
def denoise(context, **options): ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .tasks import PRESETS

Decorator = Callable[[Any], Any]


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


def together(*decorators: Decorator) -> Decorator:
    """Several decorators as one; help lists their options in this order."""

    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def restoration(*own: Decorator, seconds: str = "60", network: bool = True) -> Decorator:
    """What every restoring verb takes: PICTUREs, -o, its own options, a budget, records.

    Args:
        own: the verb's own options, first in the help after -o.
        seconds: what its help calls the usual budget.
        network: whether there is one, with a preset and a seed.
    """
    return together(_PICTURES, *own, _budget(seconds), *([_NETWORK] if network else []), _RECORDS)


def _budget(seconds: str) -> Decorator:
    return together(
        click.option(
            "--seconds",
            type=click.FloatRange(min=0.0),
            help=f"Fit each picture for so long at most. [default: {seconds}]",
        ),
        click.option("--steps", type=click.IntRange(min=0), help="Or make at most so many steps."),
        click.option(
            "--no-stop", is_flag=True, help="Do not stop by itself; use the whole budget."
        ),
    )


_PICTURES = together(
    click.argument("pictures", metavar="PICTURE...", nargs=-1, required=True, type=click.Path()),
    click.option(
        "-o",
        "--output",
        required=True,
        type=click.Path(),
        help="Where the result goes: a file, or a folder when there are several pictures.",
    ),
)
_NETWORK = together(
    click.option(
        "--preset",
        type=click.Choice(PRESETS),
        default="fast",
        show_default=True,
        help="fast: a minute on two cores. paper: the authors' network, hours. tiny: for tests.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**63 - 1),
        default=0,
        show_default=True,
        help="Another seed is another run.",
    ),
)
_RECORDS = together(
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps."),
    click.option(
        "--reference",
        type=click.Path(),
        help="The clean picture, to measure against; or a folder with one of each picture's name.",
    ),
    click.option(
        "--record",
        type=click.Path(),
        help="Keep the run in this new folder; of several pictures each in a folder within.",
    ),
    click.option(
        "--resume",
        type=click.Path(),
        help="Go on with the run kept in this folder; of several pictures, begin the others.",
    ),
    click.option(
        "--report",
        type=click.Path(),
        help="Write what happened to this file, as JSON; a list for several pictures.",
    ),
)

MASK = together(
    click.option(
        "--mask",
        type=click.Path(),
        help="A picture in which WHITE IS MISSING; or a folder with one of each picture's name.",
    ),
    click.option("--black-is-missing", is_flag=True, help="The mask has it the other way about."),
)
