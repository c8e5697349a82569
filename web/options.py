"""The command line of the demo; each option is also an environment variable."""

from __future__ import annotations

import argparse
import os
from typing import Any

from .choices import Limits


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """The command line, each option also an environment variable such as DIP_LITE_PORT."""
    usual = Limits()

    def gradio(name: str, value: str) -> str:
        return os.environ.get(f"GRADIO_{name}") or value

    parser = argparse.ArgumentParser(description="The dip_lite demo.")
    options: dict[str, tuple[type, Any, str]] = {
        "host": (str, gradio("SERVER_NAME", "127.0.0.1"), "address; 0.0.0.0 for all"),
        "port": (
            int,
            gradio("SERVER_PORT", "7860"),
            "port; 0 for the first free from 7860",
        ),
        "max-pixels": (int, usual.pixels, "pixels of a picture; larger ones are made smaller"),
        "max-seconds": (float, usual.seconds, "seconds of a run, at most"),
        "queue": (int, usual.queue, "runs that may wait"),
        "per-address": (
            int,
            usual.each,
            "of these, how many from one network address; 0 for half of them. A class behind one "
            "router has one address, and so has everybody behind a proxy without --forwarded: "
            "then give the queue's number",
        ),
    }
    for name, (kind, value, told) in options.items():
        found = os.environ.get(f"DIP_LITE_{name.upper().replace('-', '_')}", value)
        parser.add_argument(f"--{name}", type=kind, default=found, help=f"{told} ({value})")
    parser.add_argument(
        "--forwarded", action="store_true", default=os.environ.get("DIP_LITE_FORWARDED") == "1",
        help="behind a proxy: a visitor's address is the last of X-Forwarded-For",
    )  # fmt: skip
    parser.add_argument("--open", action="store_true", help="open it in this machine's browser")
    return parser.parse_args(words)
