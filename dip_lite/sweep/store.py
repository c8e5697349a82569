"""The results of a sweep on disk: a folder for every finished trial, never half written.

    store = ResultStore("outputs/sweep")
    if (row := store.finished(trial, options)) is None:
        row = store.keep(trial, options, run_trial(trial, store.pictures(trial), options))

A trial's files are written to a folder with a temporary name, which is then renamed. A trial is
finished when its folder exists and its result is in our format, by our version of the package, and
of the pictures as they are now. All others are run again.
"""

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

from ..errors import PictureError, SweepError, name_of, reason
from ..images.io import atomic_write
from .trial import Trial
from .worker import ExecutionOptions, Row, TrialResult, digest, fetch

FORMAT = 1  # of result.json
STALE = 600  # seconds after which a temporary folder is left over from a killed sweep


class ResultStore:
    """The folder of a sweep; it is made if it does not exist.

    Raises:
        SweepError: it cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._fetch = functools.lru_cache(maxsize=16)(fetch)
        self._digest = functools.cache(lambda name: digest(self._fetch(name)))
        with _disk_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            for draft in self.folder.glob(".dip-*.tmp"):
                if draft.is_dir() and time.time() - draft.stat().st_mtime > STALE:
                    shutil.rmtree(draft, ignore_errors=True)

    def pictures(self, trial: Trial) -> dict[str, np.ndarray]:
        """The pictures that a trial needs, by name.

        Raises:
            PictureError: one of them cannot be read.
        """
        return {name: self._fetch(name) for name in trial.files}

    def finished(self, trial: Trial, options: ExecutionOptions) -> Row | None:
        """The row of a finished trial, or None if it has to be run.

        Raises:
            PictureError: one of its pictures cannot be read.
        """
        expected = self._provenance(trial, options)
        folder = self.folder / trial.key
        try:
            result = json.loads((folder / "result.json").read_text("utf-8"))
            same = all(result[name] == value for name, value in expected.items())
            row = result["row"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not same or not isinstance(row, dict):
            return None
        return row if (folder / "record").is_dir() or not options.record else None

    def keep(self, trial: Trial, options: ExecutionOptions, result: TrialResult) -> Row:
        """Writes the files of a trial, unless it failed, and returns its row.

        Raises:
            SweepError: they cannot be written.
        """
        if result.row.get("error"):
            return result.row
        content = self._provenance(trial, options) | {"trial": asdict(trial), "row": result.row}
        content |= {"options": asdict(options), "torch": torch.__version__}
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        with _disk_errors():
            _write_folder(self.folder / trial.key, {**result.files, "result.json": text.encode()})
        return result.row

    def write(self, name: str, data: bytes) -> None:
        """Writes a file beside the trials' folders, whole or not at all."""
        with _disk_errors():
            atomic_write(self.folder / name, data)

    def _provenance(self, trial: Trial, options: ExecutionOptions) -> dict[str, object]:
        """What must be the same for a result to be used again, besides the trial itself."""
        pictures = {name: self._digest(name) for name in trial.files}
        return {"format": FORMAT, "version": options.version, "pictures": pictures}


def _write_folder(target: Path, files: dict[str, bytes]) -> None:
    """Makes a folder with these files in one move, in place of an older one."""
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
        for folder in (draft, old):
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """Turns what goes wrong with the disk into a `SweepError`."""
    try:
        yield
    except PictureError as error:
        raise SweepError(str(error)) from error
    except OSError as error:
        name = name_of(error.filename or "The folder of the sweep")
        raise SweepError(f"{name} cannot be written ({reason(error)})") from error
