"""Writing the record of a run while it goes, and going on with one."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ..engine.loop import Run, Snapshot
from ..errors import PictureError, RecordError, name_of, reason
from ..images.io import atomic_write, encode_png
from .record import FORMAT, TEXT_COLUMNS, PathLike, Record, Row, frame_path

FILES = ("settings.json", "curve.json", "state.pt", "frames")


class Recorder:
    """Writes a record while the run goes.

    Args:
        folder: made here, or existing without a record in it.
        settings: what is needed to ask for the run again; plain JSON.
        sync: wait until the disk has the curve and the state, so that they survive a power cut.
        keep_raw: keep the network's own outputs, too, and not only the moving averages.

    Raises:
        RecordError: the folder already holds a record, or cannot be written.
    """

    def __init__(
        self,
        folder: PathLike,
        settings: dict[str, Any],
        sync: bool = True,
        keep_raw: bool = True,
    ) -> None:
        self.folder, self.sync, self.keep_raw = Path(folder), sync, keep_raw
        self.rows: list[Row] = []
        text = _settings(settings)
        with _record_errors():
            if any((self.folder / name).exists() for name in FILES):
                raise RecordError(
                    f"{name_of(folder)} already holds a record: resume it or name another folder."
                )
            if self.folder.exists() and not self.folder.is_dir():
                raise RecordError(f"{name_of(folder)} is a file: name a folder for the record.")
            self.folder.mkdir(parents=True, exist_ok=True)
            _remove_later(self.folder, -1)
            atomic_write(self.folder / "settings.json", text, sync=sync)

    @classmethod
    def reopen(cls, folder: PathLike, run: Run | None = None, sync: bool = True) -> Recorder:
        """Goes on with a record of a run that was stopped or killed, from its last state.

        Args:
            folder: of the record.
            run: a fresh run of the record's task, which is put where the record stopped; without
                it the caller does so, with `Record(folder).state()`.
            sync: as for a new record.

        Raises:
            RecordError: no record, a damaged one, another format, or a run of another task.
        """
        record = Record(folder)
        state = record.state()
        if state is not None and run is not None:
            _load(run, state, record.folder)
        recorder = cls.__new__(cls)
        recorder.folder, recorder.sync = record.folder, sync
        recorder.keep_raw = record.has_raw or not record.rows
        step = -1 if state is None else state["step"]
        recorder.rows = [row for row in record.rows if row["step"] <= step]
        with _record_errors():
            if recorder.rows != record.rows:
                atomic_write(record.folder / "curve.json", _curve(recorder.rows))
            _remove_later(record.folder, step)
        return recorder

    def add(self, snap: Snapshot, state: dict[str, Any] | None = None, **columns: float) -> None:
        """Records one more snapshot.

        Args:
            snap: fresh from `fit`; it replaces an earlier one of the same step.
            state: `Run.state()` before the next step. None keeps the state recorded before, and
                reopening goes back to that.
            columns: more columns of the curve, such as `psnr_true=28.3`, which animations show.

        Raises:
            RecordError: the state is of another step, or the disk cannot be written; what was
                recorded before is kept.
        """
        if state is not None and state["step"] != snap.step:
            raise RecordError(
                f"The snapshot is of step {snap.step} and the state of step {state['step']}: take "
                "the state before the next step."
            )
        rows = [{**row, "stop_reason": ""} for row in self.rows if row["step"] < snap.step]
        rows.append(_row_of(snap, columns))
        with _record_errors():
            self._write_frames(snap)
            atomic_write(self.folder / "curve.json", _curve(rows), sync=self.sync)
            self.rows = rows
            if state is not None:
                memory = io.BytesIO()
                torch.save(state, memory)
                atomic_write(self.folder / "state.pt", memory.getvalue(), sync=self.sync)

    def _write_frames(self, snap: Snapshot) -> None:
        (self.folder / "frames").mkdir(exist_ok=True)
        frames = [(snap.step, "avg", snap.x_avg)]
        if self.keep_raw:
            frames.append((snap.step, "out", snap.x))
        if snap.best_step != snap.step:
            frames.append((snap.best_step, "avg", snap.network))
        for step, kind, x in frames:
            path = frame_path(self.folder, step, kind)
            if step == snap.step or not path.exists():
                atomic_write(path, encode_png(x, fast=True))


def _load(run: Run, state: dict[str, Any], folder: Path) -> None:
    try:
        run.load(state)
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise RecordError(
            f"{name_of(folder)} is the record of another task: use the settings it was made with."
        ) from error


def _settings(settings: dict[str, Any]) -> bytes:
    from .. import __version__

    complete = {**settings, "format": FORMAT, "version": __version__}
    try:
        text = json.dumps(complete, indent=2, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise RecordError(f"The settings must be plain JSON ({reason(error)}).") from error
    return f"{text}\n".encode()


@contextlib.contextmanager
def _record_errors() -> Iterator[None]:
    """Turns errors of the disk into `RecordError`."""
    try:
        yield
    except PictureError as error:
        raise RecordError(str(error)) from error
    except OSError as error:
        raise RecordError(
            f"{name_of(error.filename or 'The record')} cannot be written ({reason(error)})."
        ) from error


def _remove_later(folder: Path, step: int) -> None:
    """Removes pictures later than `step`, and temporary files that a kill left behind."""
    for temporary in [*folder.glob(".dip-*.tmp"), *folder.glob("frames/.dip-*.tmp")]:
        temporary.unlink(missing_ok=True)
    for path in folder.glob("frames/*.png"):
        if (match := re.fullmatch(r"(\d{6,})_(avg|out)\.png", path.name)) and int(match[1]) > step:
            path.unlink(missing_ok=True)


def _row_of(snap: Snapshot, columns: dict[str, float]) -> Row:
    numbers = {"seconds": snap.seconds, "loss": snap.loss, "variance": snap.variance, **columns}
    finite = {k: float(v) if math.isfinite(v) else None for k, v in numbers.items()}
    text = {name: getattr(snap, name) for name in TEXT_COLUMNS}
    return {"step": snap.step, **finite, "best_step": snap.best_step, **text}


def _curve(rows: list[Row]) -> bytes:
    """Strict JSON, one row a line, for people and for `diff`."""
    lines = ",\n".join(json.dumps(row, allow_nan=False, ensure_ascii=False) for row in rows)
    return f"[\n{lines}\n]\n".encode()
