"""A run on a worker of a cluster: the events of `stream_fit`, and the files of its record.

Each frame is preceded by the files that are new since the last one, so that the record on the
server is complete, and its last state is where another worker can go on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from ..images.io import atomic_write
from .events import Event, Files, Finished, Frame
from .fitting import stream_fit
from .limits import Limits
from .request import RunRequest
from .restoration import Inputs
from .uploads import Picture

STATE_INTERVAL = 2.0  # seconds between two states


def fit_on_worker(
    request: RunRequest,
    inputs: Inputs,
    limits: Limits,
    files: Files,
    threads: int,
    elapsed: float,
    folder: Path,
) -> Iterator[Event | Files]:
    """Fits a run, or goes on with one.

    Args:
        request, inputs, limits: as for `stream_fit`.
        files: of the record to go on with; none for a new run.
        threads: of PyTorch.
        elapsed: seconds that its clock starts at.
        folder: temporary.
    """
    torch.set_num_threads(threads)
    record, known = folder / "record", dict[str, int]()
    write_files(files, record)
    _changed(record, known)
    for event in stream_fit(request, inputs, limits, folder, STATE_INTERVAL, elapsed):
        if isinstance(event, Frame | Finished):
            yield _changed(record, known)
        yield event


def warm_up(threads: int) -> None:
    """A fit of two steps, so that the first visitor need not wait for what it imports."""
    request = RunRequest(network="tiny", steps=2)
    inputs = Inputs(Picture(torch.rand(1, 3, 64, 64)))
    with tempfile.TemporaryDirectory() as folder:
        for _ in fit_on_worker(request, inputs, Limits(), Files({}), threads, 0.0, Path(folder)):
            pass


def write_files(files: Files, record: Path) -> None:
    """Writes files into the folder of a record."""
    for name, content in files.contents.items():
        path = record / name
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content)


def read_files(record: Path, *names: str) -> Files:
    """Those of these files that a record has."""
    paths = {name: record / name for name in names}
    return Files({name: path.read_bytes() for name, path in paths.items() if path.exists()})


def _changed(record: Path, known: dict[str, int]) -> Files:
    """The files that are not yet known as they are; they are then.

    The state comes first and the pictures last, so that each has with it what it refers to, while
    another thread writes on.
    """
    changed = Files({})
    for pattern in ("state.pt", "curve.json", "settings.json", "frames/*_*.png"):
        for path in record.glob(pattern):
            name, changed_at = path.relative_to(record).as_posix(), path.stat().st_mtime_ns
            if known.get(name) != changed_at:
                known[name] = changed_at
                changed.contents[name] = path.read_bytes()
    return changed
