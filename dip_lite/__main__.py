"""The command line: `dip-lite --help`, or `python -m dip_lite --help` in a checkout.

Exit status: 0; 2 for wrong input, with one sentence on stderr; 1 when a fit failed, or some of many
pictures; 130 after Ctrl-C, once the best picture so far is written.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import click

from .errors import PictureWarning, debugging, exit_status, sentence


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    warnings.showwarning = _show_warning
    warnings.simplefilter("default", PictureWarning)
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return _commands(words).main(words, prog_name=_name(), standalone_mode=False) or 0
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


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def app(options: tuple[str, ...]) -> None:
    """Start the web demo.

    `app --open` opens it in your browser, `app --help` lists its options.
    """
    from .app.__main__ import main as start

    start(options, f"{_name()} app")


def _commands(words: list[str]) -> click.Group:
    """All commands; only `app` if that is meant, since the demo starts without PyTorch."""
    if words[:1] == ["app"]:
        return click.Group(commands=[app])
    from .cli.commands import cli

    cli.add_command(app)
    return cli


def _name() -> str:
    """What the user typed before the command."""
    return "dip-lite" if Path(sys.argv[0]).stem == "dip-lite" else "python -m dip_lite"


def _show_warning(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
    """Prints warnings meant for the user as one plain line, and no others."""
    if issubclass(category, PictureWarning):
        click.echo(f"Note: {message}", err=True)


if __name__ == "__main__":
    sys.exit(main())
