"""Starts the demo from an installed package: `python -m dip_lite.app --help`."""

import sys
from collections.abc import Sequence

from ..errors import missing_extra


def main(options: Sequence[str] | None = None, name: str | None = None) -> None:
    """Starts the demo; ends the process with one sentence where Gradio is missing.

    Args:
        options: of `launch.main`; None: those of the process.
        name: what the help calls the command.
    """
    if message := missing_extra("app", "The demo"):
        print(message, file=sys.stderr)
        sys.exit(2)
    from .launch import main as launch

    launch.main(options, prog_name=name)


if __name__ == "__main__":
    main()
