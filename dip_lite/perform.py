"""Runs one cell of a sweep, here or on another machine.

    cell = Cell("sample:chelsea", spoil={"sigma": 25 / 255}, steps=200)
    outcome = perform(cell, {name: fetch(name) for name in cell.files})
    outcome.row["psnr"], outcome.files["best.png"]

It knows no disk and no paths: what it needs comes as arrays, and what it made goes back as bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import math
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import __version__
from .cell import FILES, Cell
from .fit import Run, Snapshot, fit, logarithmic
from .guard import FitError
from .images import load, sample, to_pil
from .masks import load_mask
from .metrics import psnr, ssim
from .record import Recorder
from .spoil import Pictures, Spoilt, spoil
from .task import Task
from .tasks import TASKS

Row = dict[str, Any]
EVERY = 10  # steps between two looks at x_avg, for `psnr_best`
_DRAWING = threading.Lock()  # a run draws its weights from PyTorch's one global generator


@dataclass(frozen=True)
class How:
    """How a cell is run, whatever the cell; none of it is in the cell's key."""

    threads: int = 1  # of PyTorch, for one run
    device: str = "auto"
    record: bool = False
    version: str = __version__  # of the asking side


@dataclass(frozen=True)
class Outcome:
    """What a run came to: its numbers, and its files by their names."""

    row: Row
    files: dict[str, bytes] = field(default_factory=dict)


def fetch(name: str) -> np.ndarray:
    """The picture of that name as an array (H, W, C), in bytes where they say it all.

    Raises:
        PictureError: it cannot be read.

    >>> fetch("sample:chelsea").shape, fetch("sample:chelsea").dtype
    ((300, 451, 3), dtype('uint8'))
    """
    x = sample(name.removeprefix("sample:")) if name.startswith("sample:") else load(name)
    values = x[0].permute(1, 2, 0).contiguous()  # (H, W, C)
    rounded = (values * 255).round()
    return (rounded.byte() if torch.equal(rounded / 255, values) else values).numpy()


def digest(values: np.ndarray) -> str:
    """16 letters that tell a picture from another of the same name."""
    head = f"{values.shape} {values.dtype}".encode()
    return hashlib.sha256(head + values.tobytes()).hexdigest()[:16]


def perform(cell: Cell, pictures: Mapping[str, np.ndarray], how: How | None = None) -> Outcome:
    """Runs a cell; whatever goes wrong becomes the `error` of its row, in one sentence.

    Args:
        cell: what to run.
        pictures: `fetch` of every name in `cell.files`.
        how: threads, device, and whether to keep a record among the files.

    Returns:
        a row with steps, step_returned, seconds, why and, where the clean picture is known, psnr,
        ssim, psnr_input and psnr_best; the files best.png and, if asked for, record/….
    """
    how, threads = how or How(), torch.get_num_threads()
    torch.set_num_threads(how.threads)
    try:
        if how.version != __version__:
            raise ValueError(
                f"a worker has dip_lite {__version__} and the sweep {how.version}: install the "
                f"same version on all machines"
            )
        return _perform(cell, pictures, how)
    except Exception as error:  # for the table; the other cells go on
        return Outcome({"error": sentence(error)})
    finally:
        torch.set_num_threads(threads)


def sentence(error: BaseException) -> str:
    """An error on one line; its kind is named where the words are not our own.

    >>> sentence(KeyError("x"))
    "KeyError: 'x'."
    """
    words = " ".join(str(error).split())[:500]
    if not isinstance(error, (ValueError, FitError)) or not words:
        words = f"{type(error).__name__}: {words}".rstrip(": ")
    return words if words.endswith((".", "?", "!")) else f"{words}."


def _perform(cell: Cell, pictures: Mapping[str, np.ndarray], how: How) -> Outcome:
    seen = {name: load(values) for name, values in pictures.items()}
    spoilt = spoil(seen[cell.picture], cell.spoil, cell.seed, seen)
    task = _task(cell, spoilt, seen)
    with _DRAWING:  # the threads of a worker share it
        run = Run(task, seed=cell.seed, device=how.device)
    last, best, files = _watch(cell, run, how, spoilt.x_true)
    made = last.best.clamp(0, 1)
    row: Row = {"steps": last.step, "step_returned": last.best_step, "why": last.why}
    row |= {"seconds": round(last.seconds, 3), **_quality(made, spoilt, best)}
    return Outcome(row, {"best.png": _png(made), **files})


def _task(cell: Cell, spoilt: Spoilt, seen: Pictures) -> Task:
    """The task, its maker told what it asks for and the cell does not say."""
    maker = TASKS[cell.task]
    known = inspect.signature(maker).parameters
    told = {"seed": cell.seed, **spoilt.told}
    options = {name: value for name, value in told.items() if name in known} | {
        name: _picture(name, value, seen, spoilt.x0) for name, value in cell.options.items()
    }
    lacking = [
        name
        for name, parameter in [*known.items()][1:]
        if parameter.default is parameter.empty and name not in options
    ]
    if lacking:
        raise ValueError(f"{cell.task} needs {', '.join(lacking)}: give it in spoil or settings")
    return maker(spoilt.x0, **options)


def _picture(name: str, value: Any, seen: Pictures, x0: Tensor) -> Any:
    """An option's value; the picture itself where it names one."""
    if name not in FILES or not isinstance(value, str):
        return value
    return load_mask(seen[value], x0) if name == "mask" else seen[value]


def _watch(
    cell: Cell, run: Run, how: How, x_true: Tensor | None
) -> tuple[Snapshot, float, dict[str, bytes]]:
    """Fits to the end: the last snapshot, the highest PSNR of x_avg on the way, and the record."""
    best = -math.inf
    with contextlib.ExitStack() as stack:
        recorder = None
        if how.record:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="dip-"))
            settings = {**asdict(cell), "device": str(run.device), "threads": how.threads}
            recorder = Recorder(Path(scratch, "record"), settings)
        for snap in fit(
            run, seconds=cell.seconds, steps=cell.steps, stop=cell.stop, schedule=_schedule
        ):
            known = {} if x_true is None else {"psnr_true": psnr(snap.x_avg.clamp(0, 1), x_true)}
            best = max([best, *known.values()])
            if recorder and (logarithmic(snap.step) or snap.why):
                recorder.add(snap, run, **known)
        return snap, best, _files(recorder.folder) if recorder else {}


def _files(folder: Path) -> dict[str, bytes]:
    """All files of a folder, by their names, which begin with its own."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder.parent).as_posix(): path.read_bytes() for path in paths}


def _schedule(step: int, seconds: float) -> bool:
    return step % EVERY == 0 or logarithmic(step)


def _quality(made: Tensor, spoilt: Spoilt, best: float) -> Row:
    """In dB, but for ssim; nothing where the clean picture is not known."""
    x_true = spoilt.x_true
    if x_true is None:
        return {}
    told = {"psnr": psnr(made, x_true), "ssim": ssim(made, x_true)}
    told |= {"psnr_input": psnr(spoilt.enlarged(), x_true), "psnr_best": best}
    return {name: value if math.isfinite(value) else None for name, value in told.items()}


def _png(x: Tensor) -> bytes:
    memory = io.BytesIO()
    to_pil(x).save(memory, "PNG")
    return memory.getvalue()
