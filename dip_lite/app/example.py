"""Runs that were made ahead of time: what visitors see first, by `make_example.py`, and long ones.

examples = load_examples()
examples["example"].state            # what the page shows, as `DemoRun.state_dict` gives it
examples["example-jpeg"].fetch("frames", 0, 12)
"""

import functools
import hashlib
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "assets/examples"
MODULE = Path(__file__).parents[1] / "viz/scrubber/scrubber.js"
LONG_RUN_FOLDER = (
    Path(__file__).parents[1] / "records/runs"
)  # `records.long_run`, which needs PyTorch
LANDING = "example"
CAPTION = (
    "Example: a noisy cat, fitted by an untrained network. Drag the slider: structure comes first, "
    "noise last."
)
BYTES = "application/octet-stream"


class Example:
    """A finished run in a folder.

    Args:
        folder: with run.json, frames.pack, before.webp and truth.webp.
        token: of its addresses.

    Attributes:
        state: what the page shows, as `DemoRun.state_dict` gives it, and a caption.
    """

    def __init__(self, folder: Path = FOLDER / "landing", token: str = LANDING) -> None:
        self.folder = folder
        shown = json.loads((folder / "run.json").read_text("utf-8"))
        self._pack = (folder / "frames.pack").read_bytes()
        self._module = MODULE.read_bytes()
        self.state: dict[str, Any] = {"caption": CAPTION, "note": "", **shown, "id": token}
        parts = [self._pack, self._module, *(path.read_bytes() for path in self._files.values())]
        # part of its addresses, as browsers keep what they fetched
        version = hashlib.sha256(b"".join(parts)).hexdigest()[:12]
        self.state |= {"version": version, "state": "done"}
        self.state["compare"] = 50  # per cent of the picture in which the degraded one is seen

    @functools.cached_property
    def _files(self) -> dict[str, Path]:
        paths = [*self.folder.glob("*.webp")]
        if self.state["id"] == LANDING:
            paths += FOLDER.glob("thumb-*.webp")  # those of the pictures to choose from
        return {path.stem: path for path in sorted(paths)}

    def fetch(self, name: str, first: int = 0, last: int = 0) -> tuple[bytes, str] | None:
        """A file and its media type, as `DemoRun.fetch`."""
        if name == MODULE.name:  # the scrubber itself, which comes with it
            return self._module, "text/javascript"
        if name == "frames":
            ends = [0, *itertools.accumulate(row[-1] + row[-2] for row in self.state["frames"])]
            first, last = (min(max(n, 0), len(ends) - 1) for n in (first, last))
            return self._pack[ends[first] : ends[last]], BYTES
        if name in self._files:
            return self._files[name].read_bytes(), "image/webp"
        return None


def load_examples() -> Mapping[str, Example]:
    """All examples by their tokens, the landing's first."""
    folders = sorted(path.parent for path in LONG_RUN_FOLDER.glob("*/run.json"))
    long = {f"{LANDING}-{folder.name}": folder for folder in folders}
    return {LANDING: Example()} | {token: Example(path, token) for token, path in long.items()}
