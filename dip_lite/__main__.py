"""The command line: `python -m dip_lite --help`.

Exit status: 0; 2 for wrong input, with one sentence on stderr; 1 when a fit failed, or some of many
pictures; 130 after Ctrl-C, once the best picture so far is written.
"""

import sys
import warnings
from typing import Any

import click

from .cli.commands import cli
from .errors import PictureWarning, debugging, exit_status, sentence


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    warnings.showwarning = _show_warning
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
        if debugging() and not isinstance(error, ValueError):
            raise
        click.echo(sentence(error), err=True)
        return exit_status(error)


def _show_warning(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
    """Prints warnings meant for the user as one plain line, and no others."""
    if issubclass(category, PictureWarning):
        click.echo(f"Note: {message}", err=True)


if __name__ == "__main__":
    sys.exit(main())
