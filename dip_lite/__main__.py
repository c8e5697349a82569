"""The command line: `python -m dip_lite --help`.

Wrong input ends with status 2 and one sentence on stderr, a fit that failed with 1, Ctrl-C with 130
once the best picture so far is written. Of many pictures, some of which failed: 1.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import click

from .cli import cli
from .explain import explain
from .images import PictureWarning


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
    except Exception as error:
        text, status = explain(error)
        click.echo(text, err=True)
        return status


def _note(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
    """Warnings meant for the user become one plain line; the others are developers' business."""
    if issubclass(category, PictureWarning):
        click.echo(f"Note: {message}", err=True)


if __name__ == "__main__":
    sys.exit(main())
