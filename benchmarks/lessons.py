"""A notebook of the course, run in the fast mode with something changed, and what it then says.

    outcome = execute(find("00")[0], prologue="import dip_lite; …")
    outcome.verdicts                     # {"the rule stops near the peak": False, …}

For `benchmarks.knobs` and `benchmarks.planted_faults`. Verdicts are printed here and never raised.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VERDICT = re.compile(r"^([✓✗]) (.+?)(?: \([^()]*\))?$", re.MULTILINE)  # the margin is left out
MODE = {"DIP_LITE_FAST": "1", "DIP_LITE_STRICT": "0", "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Outcome:
    """What a notebook said of its claims, and how it ended."""

    verdicts: dict[str, bool]  # a claim that is judged several times holds if it always does
    error: str  # one line, empty if every cell ran
    seconds: float

    @property
    def failed(self) -> list[str]:
        """The claims that did not hold."""
        return [claim for claim, holds in self.verdicts.items() if not holds]


def find(*parts: str) -> list[Path]:
    """Notebooks whose path below notebooks/ has one of `parts` in it; all of them without one.

    A name such as "00" is that lesson, without its solutions; "solutions/00" is these.
    """
    every = sorted((ROOT / "notebooks").rglob("[0-9]*.ipynb"))
    names = {path.relative_to(ROOT / "notebooks").as_posix(): path for path in every}
    found = [
        path for name, path in names.items() if not parts or any(name.startswith(p) for p in parts)
    ]
    if not found:
        sys.exit(f"no notebook begins with {' or '.join(parts)}: choose from {', '.join(names)}")
    return found


def execute(
    path: Path, *, prologue: str = "", change: Callable[[str], str] = lambda source: source
) -> Outcome:
    """Runs a notebook from beginning to end, or to its first error; the file is not touched.

    Args:
        path: of the notebook.
        prologue: code that its kernel runs first.
        change: source of a code cell → what to run in its place.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source, cell.outputs = change(cell.source), []  # not those that are committed
    if prologue:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(prologue))
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=1200, resources=resources, coalesce_streams=True)
    start, error = time.perf_counter(), ""
    try:
        client.execute(env=dict(os.environ) | MODE)
    except CellExecutionError as stopped:
        error = f"{stopped.ename}: {stopped.evalue}".splitlines()[0]
    return Outcome(_verdicts(notebook), error, time.perf_counter() - start)


def _verdicts(notebook: Any) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for mark, claim in VERDICT.findall(output.get("text", "")):
                found[claim] = found.get(claim, True) and mark == "✓"
    return found
