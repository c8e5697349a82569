"""Reading the record of a run: its settings, curve, pictures and state."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import PictureError, RecordError, name_of, reason
from ..images.io import atomic_write, load
from ..viz.animation import FRAME_KINDS, FRAMES_PER_SECOND, encode_animation
from ..viz.scrubber.page import MAX_BYTES, Clip
from ..viz.sheets import contact_sheet, save_figure, scale_to

FORMAT = 3  # of the folder; raised when older versions would misread newer records
TEXT_COLUMNS = ("rollback", "stop_reason")  # of the curve; the others are numbers

Row = dict[str, Any]
PathLike = str | os.PathLike[str]


class Record:
    """A record as it is on disk now, of a run that is finished, killed or in progress.

    Attributes:
        settings: what the recorder was given, with `format` and `version`.
        rows: the curve as stored, one dictionary a snapshot.

    Raises:
        RecordError: no record, a damaged one, or one in a format this version does not read.
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = Path(folder)
        self.settings: dict[str, Any] = _read_json(self.folder, "settings.json", dict)
        _check_format(self.settings, name_of(self.folder))
        self.rows: list[Row] = []
        if (self.folder / "curve.json").exists():  # not if the run was killed at once
            self.rows = _read_json(self.folder, "curve.json", list)
        for row in self.rows:
            steps = [row.get(name) for name in ("step", "best_step")] if type(row) is dict else [""]
            if not all(type(step) is int for step in steps):
                raise RecordError(_damaged(self.folder / "curve.json", "a row without a step"))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def steps(self) -> list[int]:
        """The steps at which there is a snapshot."""
        return [row["step"] for row in self.rows]

    @property
    def finished(self) -> bool:
        """Whether the last snapshot has a stop reason; a killed run's has none."""
        return bool(self.rows and self.rows[-1].get("stop_reason"))

    @property
    def has_raw(self) -> bool:
        """Whether the network's own outputs were kept, beside the moving averages."""
        return any(self.folder.glob("frames/*_out.png"))

    @property
    def curve(self) -> dict[str, np.ndarray]:
        """A column for every quantity; NaN where it was not finite or is unknown."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        return {name: _column(name, [row.get(name) for row in self.rows]) for name in names}

    def frame(self, step: int, which: str = "x_avg") -> Tensor:
        """A picture of one snapshot, (1, C, H, W), as rounded to 8 bits.

        Args:
            step: a step of `steps`, or a negative index: -1 is the last snapshot.
            which: "x_avg", "x" (unless raw outputs were not kept) or "best", as in `Snapshot`.

        Raises:
            RecordError: no such snapshot or kind, or a picture that is missing or damaged.
        """
        if which not in FRAME_KINDS:
            raise RecordError(f"which must be one of {', '.join(FRAME_KINDS)}, got {which!r}.")
        row = self._row(step)
        if which == "x" and not self.has_raw:
            raise RecordError(
                f"{name_of(self.folder)} was recorded without raw outputs: choose x_avg or best."
            )
        at = row["best_step"] if which == "best" else row["step"]  # best is x_avg of an older step
        try:
            return load(frame_path(self.folder, at, "out" if which == "x" else "avg"))
        except PictureError as error:
            raise RecordError(f"The record lacks a picture: {error}") from error

    def state(self) -> dict[str, Any] | None:
        """What `Run.load` takes; None when the run was killed before its first state was written.

        Raises:
            RecordError: the file is damaged or missing.
        """
        path = self.folder / "state.pt"
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            if len(self) < 2:  # killed just before the first state was written
                return None
            raise RecordError(
                f"{name_of(path)} is missing: the pictures can be read, but the run cannot go on."
            ) from None
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise RecordError(_damaged(path, "it cannot be read")) from error
        if not isinstance(state, dict) or type(state.get("step")) is not int:
            raise RecordError(_damaged(path, "it is not the state of a run"))
        return state

    def animate(self, path: PathLike, which: str = "x_avg", seconds: float = 6.0) -> None:
        """Writes the run as an animation, GIF or WebP by the suffix of `path`.

        Raises:
            RecordError: no snapshot yet, or another suffix.
            PictureError: `path` cannot be written.
        """
        kind = Path(path).suffix.lower().removeprefix(".")
        if kind not in ("gif", "webp"):
            raise RecordError(f"{name_of(path)} is not a name for an animation: use .gif or .webp.")
        rows = self._evenly(round(seconds * FRAMES_PER_SECOND))
        pictures = (self.frame(row["step"], which) for row in rows)
        atomic_write(path, encode_animation(pictures, [*map(_label, rows)], kind, seconds))

    def contact_sheet(self, path: PathLike, which: str = "x_avg", count: int = 18) -> None:
        """Writes `count` snapshots from first to last as one picture, each with its step.

        Raises:
            RecordError: no snapshot yet.
            PictureError: `path` cannot be written.
        """
        rows = self._evenly(count)
        frames = [scale_to(self.frame(row["step"], which), 192) for row in rows]
        save_figure(contact_sheet(frames, [*map(_label, rows)]), path)

    def to_html(
        self,
        which: str = "x_avg",
        x0: Tensor | None = None,
        x_true: Tensor | None = None,
        max_bytes: int = MAX_BYTES,
        fragment: bool = False,
    ) -> str:
        """The run as a page to drag through, with no request to anywhere.

        Args:
            which: the pictures shown first: "x_avg", "x" (unless raw outputs were not kept) or
                "best".
            x0, x_true: the degraded and the clean picture, to be laid over the frames. With
                `x_true` the curve is the PSNR to it; otherwise that of the record, or the loss.
            max_bytes: of the page; frames are made smaller and fewer until they fit.
            fragment: a piece to put into a page instead of a page.

        Raises:
            RecordError: no snapshot yet, another `which`, or a picture is missing or damaged.
            ValueError: an `x_true` of another size, or `max_bytes` is too little.
        """
        rows, clip = self._evenly(120), Clip(x0, x_true)
        kinds = ["best"] if which == "best" else ["x_avg", "x"] if self.has_raw else ["x_avg"]
        if which not in kinds:
            self.frame(-1, which)  # says what is wrong
        clip.kind = "raw" if which == "x" else "avg"
        for row in rows:
            numbers = [row.get(name) for name in ("seconds", "loss", "psnr_true")]
            clip.add(row["step"], numbers, *(self.frame(row["step"], kind) for kind in kinds))
        last = self.rows[-1]
        stopped = str(last.get("stop_reason", "")).startswith("steady")
        clip.auto_step = last["best_step"] if stopped else None
        return clip.to_html(max_bytes, fragment)

    def _row(self, step: int) -> Row:
        if -len(self) <= step < 0:
            return self.rows[step]
        if step in self.steps:
            return self.rows[self.steps.index(step)]
        near = sorted(sorted(self.steps, key=lambda other: abs(other - step))[:4])
        found = f"the nearest are {', '.join(map(str, near))}" if near else "it has none yet"
        raise RecordError(f"{name_of(self.folder)} has no snapshot of step {step}: {found}.")

    def _evenly(self, count: int) -> list[Row]:
        """At most `count` rows, evenly spaced, with the first and the last."""
        if not self.rows:
            raise RecordError(f"{name_of(self.folder)} has no snapshot yet: nothing to show.")
        chosen = np.linspace(0, len(self) - 1, min(max(count, 1), len(self))).round()
        return [self.rows[int(index)] for index in chosen]


def frame_path(folder: Path, step: int, kind: str) -> Path:
    return folder / "frames" / f"{step:06d}_{kind}.png"


def _read_json(folder: Path, file: str, kind: type) -> Any:
    path = folder / file
    try:
        content = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RecordError(f"{name_of(folder)} holds no record: {file} is missing.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(_damaged(path, reason(error))) from error
    if not isinstance(content, kind):
        raise RecordError(_damaged(path, f"expected a {kind.__name__}"))
    return content


def _check_format(settings: dict[str, Any], name: str) -> None:
    maker, found = settings.get("version"), settings.get("format")
    if maker is None or found is None:
        raise RecordError(f"{name} holds no record: its settings.json has no format and version.")
    if found != FORMAT:
        raise RecordError(
            f"{name} was recorded by dip_lite {maker} in format {found}, but this version reads "
            f"format {FORMAT}: open it with dip_lite {maker}."
        )


def _damaged(path: Path, why: str) -> str:
    return f"{name_of(path)} is damaged ({why}): record the run again in another folder."


def _column(name: str, values: list[Any]) -> np.ndarray:
    if name in TEXT_COLUMNS:
        return np.array([value or "" for value in values], dtype=str)
    integer = name in ("step", "best_step")
    return np.array(values, dtype=int if integer else float)  # None becomes NaN


def _label(row: Row) -> str:
    psnr = row.get("psnr_true")
    return f"step {row['step']}" + ("" if psnr is None else f" · {psnr:.1f} dB")
