"""What a sweep keeps on disk: a folder for every finished cell, and nothing half written.

    shelf = Shelf("outputs/sweep")
    if (row := shelf.finished(cell, how)) is None:
        row = shelf.keep(cell, how, perform(cell, shelf.pictures(cell), how))

A cell's files are written into a folder of a name that nobody reads, which is then renamed. A cell
is finished when its folder is there, in a format we read, and made of the pictures that are there
now. The rest is run again.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from .cell import Cell, SweepError
from .decode import name_of, reason
from .images import PictureError, atomic_write
from .perform import How, Outcome, Row, digest, fetch

FORMAT = 1  # of result.json
STALE = 600  # seconds after which a draft is nobody's


class Shelf:
    """The folder of a sweep: what is finished, and putting there what has just been.

    Raises:
        SweepError: it cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.digests: dict[str, str] = {}
        self._fetch = functools.lru_cache(maxsize=16)(fetch)
        with _one_sentence():
            self.folder.mkdir(parents=True, exist_ok=True)
            for draft in self.folder.glob(".dip-*.tmp"):  # of a sweep that was killed
                if draft.is_dir() and time.time() - draft.stat().st_mtime > STALE:
                    shutil.rmtree(draft, ignore_errors=True)

    def pictures(self, cell: Cell) -> dict[str, np.ndarray]:
        """All that the cell needs, by name.

        Raises:
            PictureError: one of them cannot be read.
        """
        return {name: self._fetch(name) for name in cell.files}

    def finished(self, cell: Cell, how: How) -> Row | None:
        """The row of a finished cell; None when it is to be run.

        Raises:
            PictureError: one of its pictures cannot be read.
        """
        seen = self._seen(cell)
        place = self.folder / cell.key
        try:
            told = json.loads((place / "result.json").read_text("utf-8"))
            same = told["format"] == FORMAT and told["pictures"] == seen
            row = told["row"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not same or not isinstance(row, dict) or how.record > (place / "record").is_dir():
            return None
        return row

    def keep(self, cell: Cell, how: How, outcome: Outcome) -> Row:
        """Puts a finished cell into its folder, in one move; one that failed is only told of.

        Raises:
            SweepError: it cannot be written.
        """
        if outcome.row.get("error"):
            return outcome.row
        asked = {"cell": asdict(cell), "how": asdict(how), "pictures": self._seen(cell)}
        told = {"format": FORMAT, **asked, "torch": torch.__version__, "row": outcome.row}
        text = json.dumps(told, indent=2, allow_nan=False) + "\n"
        files = {**outcome.files, "result.json": text.encode()}
        with _one_sentence():
            _place(self.folder / cell.key, files)
        return outcome.row

    def write(self, name: str, data: bytes) -> None:
        """One more file, in one move."""
        with _one_sentence():
            atomic_write(self.folder / name, data)

    def _seen(self, cell: Cell) -> dict[str, str]:
        """What its pictures look like now: another picture of the same name is another run."""
        for name in cell.files:
            if name not in self.digests:
                self.digests[name] = digest(self._fetch(name))
        return {name: self.digests[name] for name in cell.files}


def _place(target: Path, files: dict[str, bytes]) -> None:
    """Makes a folder with these files in one move; an older one of the name goes."""
    draft, old = (target.with_name(f".dip-{secrets.token_hex(6)}.tmp") for _ in range(2))
    try:
        draft.mkdir()
        for name, data in files.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_bytes(data)
        with contextlib.suppress(FileNotFoundError):
            os.replace(target, old)
        os.replace(draft, target)
    finally:
        for left in (draft, old):
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _one_sentence() -> Iterator[None]:
    """Makes a `SweepError` of whatever the disk has against us."""
    try:
        yield
    except PictureError as error:
        raise SweepError(str(error)) from error
    except OSError as error:
        name = name_of(error.filename or "The folder of the sweep")
        raise SweepError(f"{name} cannot be written ({reason(error)})") from error
