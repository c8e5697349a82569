"""Runs one trial of a sweep, here or on another machine.

    trial = Trial("sample:chelsea", degrade={"sigma": 25 / 255}, steps=200)
    result = run_trial(trial, {name: fetch(name) for name in trial.files})
    result.row["psnr"], result.files["best.png"]

A worker needs no shared disk: pictures come to it as arrays, and files go back as bytes.
"""

import contextlib
import hashlib
import inspect
import math
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import __version__
from ..engine.loop import Run, Snapshot, fit, logarithmic
from ..engine.task import Task
from ..errors import sentence
from ..images.io import encode_png, load
from ..images.masks import load_mask
from ..images.metrics import psnr, ssim
from ..images.samples import sample
from ..records import Recorder
from ..tasks import TASKS
from .degradation import Degraded, Pictures, degrade
from .trial import FILES, Trial

Row = dict[str, Any]
EVERY = 10  # steps between two measurements of x_avg, for `psnr_best`


@dataclass(frozen=True)
class ExecutionOptions:
    """How any trial is run; none of it is part of a trial's key."""

    threads: int = 1  # of PyTorch in one run
    device: str = "auto"
    record: bool = False
    version: str = __version__  # of the package that asks


@dataclass(frozen=True)
class TrialResult:
    """The numbers of a run, and its files by name."""

    row: Row
    files: dict[str, bytes] = field(default_factory=dict)


def fetch(name: str) -> np.ndarray:
    """The picture of this name as an array (H, W, C), uint8 if that loses nothing, else float32.

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
    """16 hexadecimal digits that tell two pictures of one name apart."""
    head = f"{values.shape} {values.dtype}".encode()
    return hashlib.sha256(head + values.tobytes()).hexdigest()[:16]


def run_trial(
    trial: Trial, pictures: Mapping[str, np.ndarray], options: ExecutionOptions | None = None
) -> TrialResult:
    """Runs a trial; whatever goes wrong becomes the `error` of its row, in one sentence.

    Args:
        trial: what to run.
        pictures: `fetch` of every name in `trial.files`.
        options: threads, device, and whether to keep a record among the files.

    Returns:
        a row with steps, step_returned, seconds, stop_reason and, if the clean picture is known,
        psnr, psnr_input, psnr_best (in dB) and ssim; the files best.png and, if asked for,
        record/….
    """
    options, threads = options or ExecutionOptions(), torch.get_num_threads()
    torch.set_num_threads(options.threads)
    try:
        if options.version != __version__:
            raise ValueError(
                f"a worker has dip_lite {__version__}, the sweep has {options.version}: install "
                f"the same version on all machines"
            )
        return _run(trial, pictures, options)
    except Exception as error:  # for the table; the other trials go on
        return TrialResult({"error": sentence(error)})
    finally:
        torch.set_num_threads(threads)


def _run(trial: Trial, arrays: Mapping[str, np.ndarray], options: ExecutionOptions) -> TrialResult:
    pictures = {name: load(values) for name, values in arrays.items()}
    degraded = degrade(pictures[trial.picture], trial.degrade, trial.seed, pictures)
    task = _build_task(trial, degraded, pictures)
    run = Run(task, seed=trial.seed, device=options.device)
    last, psnr_best, files = _fit(trial, run, options, degraded.x_true)
    x = last.best.clamp(0, 1)
    row: Row = {
        "steps": last.step,
        "step_returned": last.best_step,
        "stop_reason": last.stop_reason,
        "seconds": round(last.seconds, 3),
        **_measure(x, degraded, psnr_best),
    }
    return TrialResult(row, {"best.png": encode_png(x), **files})


def _build_task(trial: Trial, degraded: Degraded, pictures: Pictures) -> Task:
    """The task, with the trial's settings and those parameters that the degradation knows."""
    make = TASKS[trial.task]
    known = inspect.signature(make).parameters
    automatic = {"seed": trial.seed, **degraded.settings}
    settings = {name: value for name, value in automatic.items() if name in known} | {
        name: _setting(name, value, pictures, degraded.x0) for name, value in trial.settings.items()
    }
    try:
        inspect.signature(make).bind(degraded.x0, **settings)
    except TypeError as error:  # missing a required argument: 'mask'
        raise ValueError(f"{trial.task}: {error}; give it in degrade or settings") from error
    return make(degraded.x0, **settings)


def _setting(name: str, value: Any, pictures: Pictures, x0: Tensor) -> Any:
    """The value of a setting: the picture itself if the value names one."""
    if name not in FILES or not isinstance(value, str):
        return value
    return load_mask(pictures[value], x0) if name == "mask" else pictures[value]


def _fit(
    trial: Trial, run: Run, options: ExecutionOptions, x_true: Tensor | None
) -> tuple[Snapshot, float, dict[str, bytes]]:
    """Fits to the end: the last snapshot, the highest PSNR of x_avg, and the record's files."""
    psnr_best, recorder = -math.inf, None
    budget: dict[str, Any] = {"seconds": trial.seconds, "steps": trial.steps, "stop": trial.stop}
    with contextlib.ExitStack() as stack:
        if options.record:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dip-"))
            settings = {**asdict(trial), "device": str(run.device), "threads": options.threads}
            recorder = Recorder(Path(folder, "record"), settings)
        for snap in fit(run, **budget, schedule=_schedule):
            quality = {} if x_true is None else {"psnr_true": psnr(snap.x_avg.clamp(0, 1), x_true)}
            psnr_best = max([psnr_best, *quality.values()])
            if recorder and (logarithmic(snap.step) or snap.stop_reason):
                recorder.add(snap, run.state(), **quality)
        return snap, psnr_best, _read_files(recorder.folder) if recorder else {}


def _schedule(step: int, seconds: float) -> bool:
    return step % EVERY == 0 or logarithmic(step)


def _read_files(folder: Path) -> dict[str, bytes]:
    """All files of a folder, by their paths, which begin with the folder's name."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder.parent).as_posix(): path.read_bytes() for path in paths}


def _measure(x: Tensor, degraded: Degraded, psnr_best: float) -> Row:
    """PSNR in dB and SSIM, None where infinite; empty if the clean picture is not known."""
    x_true = degraded.x_true
    if x_true is None:
        return {}
    values = {
        "psnr": psnr(x, x_true),
        "ssim": ssim(x, x_true),
        "psnr_input": psnr(degraded.enlarged(), x_true),
        "psnr_best": psnr_best,
    }
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
