"""Runs notebooks at full size and keeps what they print: python notebooks/refresh.py [name …]

A name may be a part such as 01; without a name, all are run. Widgets are dropped from the outputs,
since they do nothing without a kernel; the page beside each, which does, stays. A notebook that
fails, or comes out larger than 1.5 MB, is left as it was.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
MAX_BYTES = 1_500_000
WIDGET = "application/vnd.jupyter.widget-view+json"
SETTINGS = {
    "DIP_LITE_FAST": "0",
    "DIP_LITE_STRICT": "1",  # a claim that fails is an error
    "PYTHONPATH": str(HERE.parent),
    "GOMP_SPINCOUNT": "3000",  # as the package sets it where PyTorch is not loaded before it
}


def notebooks(parts: list[str]) -> list[Path]:
    """All notebooks of the course, or those whose path has one of `parts` in it."""
    every = [*sorted(HERE.glob("*.ipynb")), *sorted(HERE.glob("solutions/*.ipynb"))]
    paths = {path.relative_to(HERE).with_suffix("").as_posix(): path for path in every}
    if unknown := [p for p in parts if not any(p in name for name in paths)]:
        raise SystemExit(f"no notebook is called {unknown[0]}: give a part of {', '.join(paths)}")
    found = [n for n in paths if not parts or any(p in n and p not in paths for p in parts)]
    return [paths[name] for name in paths if name in found or name in parts]


def refresh(path: Path) -> str:
    """Runs one notebook and writes it back; says how long it took and how large it is."""
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    client = NotebookClient(
        notebook, timeout=1200, store_widget_state=False, coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )  # fmt: skip
    client.execute(env=dict(os.environ) | SETTINGS)
    spent = time.perf_counter() - start
    for cell in notebook.cells:
        _tidy(cell)
    notebook.metadata.pop("widgets", None)
    text = (nbformat.writes(notebook) + "\n").encode()
    if len(text) > MAX_BYTES:
        raise ValueError(f"{path.name} has {len(text)} bytes, more than {MAX_BYTES}: not kept")
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_bytes(text)
    os.replace(draft, path)
    return f"{path.relative_to(HERE)}: {spent:.0f} s, {len(text) // 1000} KB"


def _tidy(cell: Any) -> None:
    """Drops what changes from run to run and says nothing: times, progress bars, widgets."""
    cell.metadata.pop("execution", None)
    kept = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if data.pop(WIDGET, None) is None or "text/html" in data:
            kept.append(output)
        if data:
            output["metadata"] = {}
    if cell.cell_type == "code":
        cell["outputs"] = kept


if __name__ == "__main__":
    for found in notebooks(sys.argv[1:]):
        print(refresh(found), flush=True)
