"""The run that visitors see first. It was made ahead of time, by `make_example.py`."""

import functools
import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "assets/examples"
MODULE = Path(__file__).parents[1] / "viz/scrubber/scrubber.js"
BYTES = "application/octet-stream"


class Example:
    """A finished run in a folder.

    Attributes:
        state: what the page shows, as `DemoRun.state_dict` gives it.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        self.state: dict[str, Any] = json.loads((folder / "landing.json").read_text("utf-8"))
        self._pack = (folder / "landing.pack").read_bytes()
        # part of its addresses, as browsers keep what they fetched
        self._module = MODULE.read_bytes()
        self.state["version"] = hashlib.sha256(self._pack + self._module).hexdigest()[:12]
        self.state["compare"] = 50  # per cent of the picture in which the noisy one is seen

    @functools.cached_property
    def _names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir() if path.suffix == ".webp"}

    def fetch(self, name: str, first: int = 0, last: int = 0) -> tuple[bytes, str] | None:
        """A file and its media type, as `DemoRun.fetch`."""
        if name == MODULE.name:  # the scrubber itself, which comes with it
            return self._module, "text/javascript"
        if name == "frames":
            ends = [0, *itertools.accumulate(row[-1] + row[-2] for row in self.state["frames"])]
            first, last = (min(max(n, 0), len(ends) - 1) for n in (first, last))
            return self._pack[ends[first] : ends[last]], BYTES
        if f"{name}.webp" in self._names:
            return (self.folder / f"{name}.webp").read_bytes(), "image/webp"
        return None
