"""A run on disk: settings, curve, pictures, and all it needs to go on.

    recorder = Recorder("run1", {"task": "denoise", "seed": 0})
    for snap in fit(run): recorder.add(snap, run)
    record = Record("run1")              # record.curve["loss"], record.frame(120), record.settings
    record.animate("run1.gif")

A folder holds

    settings.json                        what was asked for, by which version
    frames/000120_avg.png, _out.png      x_avg and x after step 120, 8 bits a channel
    curve.json                           a row for every snapshot
    state.pt                             weights, optimiser, random numbers: `Run.state`

Every file is put in place in one move and `state.pt` is the last of a snapshot. So a run may be
killed at any moment: whatever is later than the state is dropped by `Recorder.reopen`, and the run,
being deterministic, makes it again.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import viz
from .decode import name_of, reason
from .fit import Run, Snapshot
from .images import PictureError, atomic_write, load, to_pil

FORMAT = 1  # of the folder; grows when an older reader would misunderstand a newer record
KINDS = ("x_avg", "x", "best")
PARTS = ("settings.json", "curve.json", "state.pt", "frames")
WORDS = ("restored", "why")  # the columns of the curve that are text

Row = dict[str, Any]
Place = str | os.PathLike[str]


class RecordError(ValueError):
    """A record cannot be written, read or continued; the message is one sentence for the user."""


class Record:
    """A record as it lies on disk now; it may be a finished run, a killed one or one in progress.

    Attributes:
        settings: what the recorder was given, beside `format` and `version`.
        rows: the curve as it is stored, one dictionary a snapshot.

    Raises:
        RecordError: no record, a damaged one, or one in a format this version does not read.
    """

    def __init__(self, folder: Place) -> None:
        self.folder = Path(folder)
        self.settings: dict[str, Any] = _read_json(self.folder, "settings.json", dict)
        _check_format(self.settings, name_of(self.folder))
        self.rows: list[Row] = []
        if (self.folder / "curve.json").exists():  # a run killed at once has none
            self.rows = _read_json(self.folder, "curve.json", list)
        if not all(
            isinstance(row, dict) and type(row.get(name)) is int
            for row in self.rows
            for name in ("step", "best_step")
        ):
            raise RecordError(_damaged(self.folder / "curve.json", "rows without a step"))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def steps(self) -> list[int]:
        """The steps at which there is a snapshot."""
        return [row["step"] for row in self.rows]

    @property
    def finished(self) -> bool:
        """Whether the last snapshot says why the run ended; a killed run's does not."""
        return bool(self.rows and self.rows[-1].get("why"))

    @property
    def curve(self) -> dict[str, np.ndarray]:
        """A column for every quantity; NaN where it was not finite or not given."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        return {name: _column(name, [row.get(name) for row in self.rows]) for name in names}

    def frame(self, step: int, which: str = "x_avg") -> Tensor:
        """A picture of one snapshot, (1, C, H, W), as rounded to 8 bits.

        Args:
            step: a step of `steps`, or a negative index: -1 is the last snapshot.
            which: "x_avg", "x" or "best", as in `Snapshot`.

        Raises:
            RecordError: no such snapshot or kind, or a picture that is missing or damaged.
        """
        if which not in KINDS:
            raise RecordError(f"which must be one of {', '.join(KINDS)}, got {which!r}.")
        row = self._row(step)
        at = row["best_step"] if which == "best" else row["step"]  # best is an average of its step
        try:
            return load(_frame_path(self.folder, at, "out" if which == "x" else "avg"))
        except PictureError as error:
            raise RecordError(f"The record lacks a picture: {error}") from error

    def state(self) -> dict[str, Any] | None:
        """What `Run.load` takes; None when the run was killed before its first snapshot was whole.

        Raises:
            RecordError: the file is damaged, or was deleted.
        """
        path = self.folder / "state.pt"
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            if len(self) > 1:  # with one row, the kill may have come just before the first state
                raise RecordError(
                    f"{name_of(path)} is missing: the pictures are there, but the run cannot go on."
                ) from None
            return None
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise RecordError(_damaged(path, "it cannot be unpacked")) from error
        if not isinstance(state, dict) or type(state.get("step")) is not int:
            raise RecordError(_damaged(path, "no state of a run"))
        return state

    def animate(self, path: Place, which: str = "x_avg", seconds: float = 6.0) -> None:
        """Writes the run as a film, GIF or WebP by the suffix of `path`; see `viz.film`.

        Raises:
            RecordError: no snapshot yet, or another suffix.
            PictureError: `path` cannot be written.
        """
        kind = Path(path).suffix.lower().removeprefix(".")
        if kind not in ("gif", "webp"):
            raise RecordError(f"{name_of(path)} cannot be a film: give a name in .gif or .webp.")
        rows = self._spread(round(seconds * viz.RATE))
        pictures = (self.frame(row["step"], which) for row in rows)
        atomic_write(path, viz.film(pictures, [_label(row) for row in rows], kind, seconds))

    def contact_sheet(self, path: Place, which: str = "x_avg", count: int = 18) -> None:
        """Writes `count` snapshots from first to last as one picture, each with its step.

        Raises:
            RecordError: no snapshot yet.
            PictureError: `path` cannot be written.
        """
        rows = self._spread(count)
        frames = [viz.scale_to(self.frame(row["step"], which), 192) for row in rows]
        viz.save_figure(viz.contact_sheet(frames, [_label(row) for row in rows]), path)

    def _row(self, step: int) -> Row:
        found = [row for row in self.rows if row["step"] == step]
        if -len(self) <= step < 0:
            return self.rows[step]
        if not found:
            near = sorted(sorted(self.steps, key=lambda other: abs(other - step))[:4])
            there = f"the nearest are {', '.join(map(str, near))}" if near else "it has none yet"
            raise RecordError(f"{name_of(self.folder)} has no snapshot of step {step}: {there}.")
        return found[0]

    def _spread(self, count: int) -> list[Row]:
        """At most `count` rows, evenly chosen, the first and the last among them."""
        if not self.rows:
            raise RecordError(f"{name_of(self.folder)} has no snapshot yet: nothing to show.")
        chosen = np.linspace(0, len(self) - 1, min(max(count, 1), len(self))).round()
        return [self.rows[int(index)] for index in chosen]


class Recorder:
    """Writes a record while the run goes.

    Args:
        folder: made here, or empty; it may not hold a record.
        settings: what would be needed to ask for the run again; any plain JSON.

    Raises:
        RecordError: the folder holds a record already, or cannot be written.
    """

    def __init__(self, folder: Place, settings: dict[str, Any]) -> None:
        self.folder, self.rows = Path(folder), list[Row]()
        text = _settings(settings)
        with _one_sentence():
            if any((self.folder / part).exists() for part in PARTS):
                raise RecordError(
                    f"{name_of(folder)} holds a record already: resume it or name another folder."
                )
            if self.folder.exists() and not self.folder.is_dir():
                raise RecordError(f"{name_of(folder)} is a file: name a folder for the record.")
            self.folder.mkdir(parents=True, exist_ok=True)
            _sweep(self.folder, -1)
            atomic_write(self.folder / "settings.json", text, sync=True)

    @classmethod
    def reopen(cls, folder: Place, run: Run | None = None) -> Recorder:
        """Goes on with a record whose run was stopped or killed, as if it never had been.

        Args:
            folder: of the record.
            run: a fresh run of the record's task, which is put where the record stopped; without
                it the caller does so, with `Record(folder).state()`.

        Raises:
            RecordError: no record, a damaged one, another format, or a run of another task.
        """
        record = Record(folder)
        state = record.state()
        if state is not None and run is not None:
            _load(run, state, record.folder)
        recorder = cls.__new__(cls)
        recorder.folder, step = record.folder, -1 if state is None else state["step"]
        recorder.rows = [row for row in record.rows if row["step"] <= step]
        with _one_sentence():
            if recorder.rows != record.rows:
                atomic_write(record.folder / "curve.json", _curve(recorder.rows))
            _sweep(record.folder, step)
        return recorder

    def add(self, snap: Snapshot, run: Run, **more: float) -> None:
        """Keeps one more snapshot, and the state of the run it comes from.

        Args:
            snap: fresh from `fit`; it takes the place of an earlier one of the same step.
            run: as it stood when the snapshot was made, that is before the next step.
            more: further columns of the curve, such as `psnr_true=28.3`, which films show.

        Raises:
            RecordError: it could not be written; what was recorded before is as it was.
        """
        if run.step != snap.step:
            raise RecordError(
                f"The snapshot is of step {snap.step}, the run at {run.step} already."
            )
        rows = [{**row, "why": ""} for row in self.rows if row["step"] < snap.step]
        rows.append(_row_of(snap, more))
        pictures = [(snap.step, "avg", snap.x_avg), (snap.step, "out", snap.x)]
        if snap.best_step != snap.step:
            pictures.append((snap.best_step, "avg", snap.best))
        with _one_sentence():
            (self.folder / "frames").mkdir(exist_ok=True)
            for step, kind, picture in pictures:
                path = _frame_path(self.folder, step, kind)
                if step == snap.step or not path.exists():
                    atomic_write(path, _png(picture))
            atomic_write(self.folder / "curve.json", _curve(rows), sync=True)
            self.rows = rows
            memory = io.BytesIO()
            torch.save(run.state(), memory)
            atomic_write(self.folder / "state.pt", memory.getvalue(), sync=True)


# --- files


def _load(run: Run, state: dict[str, Any], folder: Path) -> None:
    try:
        run.load(state)
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise RecordError(
            f"{name_of(folder)} is a run of another task: give the settings it was made with."
        ) from error


def _read_json(folder: Path, file: str, kind: type) -> Any:
    path = folder / file
    try:
        content = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RecordError(
            f"{name_of(folder)} holds no record: there is no {file} in it."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(_damaged(path, reason(error))) from error
    if not isinstance(content, kind):
        raise RecordError(_damaged(path, f"a {kind.__name__} was expected"))
    return content


def _settings(settings: dict[str, Any]) -> bytes:
    from . import __version__

    whole = {**settings, "format": FORMAT, "version": __version__}
    try:
        text = json.dumps(whole, indent=2, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise RecordError(f"The settings must be plain JSON ({reason(error)}).") from error
    return f"{text}\n".encode()


def _check_format(settings: dict[str, Any], name: str) -> None:
    from . import __version__

    maker, form = settings.get("version"), settings.get("format")
    if maker is None or form is None:
        raise RecordError(f"{name} holds no record: its settings.json has no format and version.")
    if form != FORMAT:
        raise RecordError(
            f"{name} was recorded by dip_lite {maker} in format {form}, and dip_lite {__version__} "
            f"reads format {FORMAT} only: open it with dip_lite {maker}."
        )


def _damaged(path: Path, why: str) -> str:
    return f"{name_of(path)} is damaged ({why}): copy it again, or record anew in another folder."


@contextlib.contextmanager
def _one_sentence() -> Iterator[None]:
    """Makes a `RecordError` of whatever the disk has against us."""
    try:
        yield
    except PictureError as error:
        raise RecordError(str(error)) from error
    except OSError as error:
        raise RecordError(
            f"{name_of(error.filename or 'The record')} cannot be written ({reason(error)})."
        ) from error


def _frame_path(folder: Path, step: int, kind: str) -> Path:
    return folder / "frames" / f"{step:06d}_{kind}.png"


def _png(x: Tensor) -> bytes:
    memory = io.BytesIO()
    to_pil(x).save(memory, "PNG", compress_level=1)  # noise shrinks no further at 6
    return memory.getvalue()


def _sweep(folder: Path, step: int) -> None:
    """Removes what a killed run left unfinished, and pictures later than `step`."""
    for draft in [*folder.glob(".dip-*.tmp"), *folder.glob("frames/.dip-*.tmp")]:
        draft.unlink(missing_ok=True)
    for path in folder.glob("frames/*.png"):
        if (match := re.fullmatch(r"(\d{6,})_(avg|out)\.png", path.name)) and int(match[1]) > step:
            path.unlink(missing_ok=True)


# --- rows


def _row_of(snap: Snapshot, more: dict[str, float]) -> Row:
    numbers = {"seconds": snap.seconds, "loss": snap.loss, "variance": snap.variance, **more}
    finite = {k: float(v) if math.isfinite(v) else None for k, v in numbers.items()}
    words = {name: getattr(snap, name) for name in WORDS}
    return {"step": snap.step, **finite, "best_step": snap.best_step, **words}


def _curve(rows: list[Row]) -> bytes:
    """Strict JSON with a row a line, for people and for `diff`."""
    lines = ",\n".join(json.dumps(row, allow_nan=False, ensure_ascii=False) for row in rows)
    return f"[\n{lines}\n]\n".encode()


def _column(name: str, values: list[Any]) -> np.ndarray:
    if name in WORDS:
        return np.array([value or "" for value in values], dtype=str)
    whole = name in ("step", "best_step")
    return np.array(values, dtype=int if whole else float)  # None becomes NaN


def _label(row: Row) -> str:
    psnr = row.get("psnr_true")
    return f"step {row['step']}" + ("" if psnr is None else f" · {psnr:.1f} dB")
