"""Many pictures by one command, one after the other; a bad one does not stop the others.

    status = restore_all(job, ["holiday", "scans/*.png"], "restored")

`job` is the job of every picture but for its files: `mask`, `flash` and `reference` may name one
file for all or a folder with a file of each picture's name, `record` and `resume` a folder for a
record of each, `report` one JSON list.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from . import hardware
from .explain import explain
from .files import companion, find_pictures, name_outputs
from .images import PictureError, check_writable
from .job import Job
from .restore import restore, write_report

COMPANIONS = ("mask", "flash")  # among the task's options


@dataclass
class Batch:
    """How far a command has come."""

    pictures: list[str]
    outputs: list[str]
    report: str | None
    told: list[dict[str, Any]] = field(default_factory=list)  # the report so far
    faults: list[str] = field(default_factory=list)  # a sentence for each picture that failed

    def tell(self, **told: Any) -> None:
        """One more entry of the report."""
        self.told.append(told)
        if self.report:
            write_report(self.report, self.told)

    def fault(self, picture: str, output: str, error: Exception) -> None:
        """One more picture that failed."""
        text, _ = explain(error)
        self.faults.append(text if picture in text else f"{picture}: {text}")
        self.tell(picture=picture, output=output, error=text)


def one_job(job: Job, picture: str, output: str) -> Job:
    """The job of one picture, with its own mask, flash picture and reference.

    Raises:
        PictureError: a folder of masks, say, has none for it.
    """
    options = dict(job.options)
    for name in COMPANIONS:
        if name in options:
            options[name] = companion(options[name], picture, name)
    reference = companion(job.reference, picture, "reference")
    return replace(job, picture=picture, output=output, options=options, reference=reference)


def restore_all(job: Job, words: list[str], folder: str) -> int:
    """Restores every picture that the words name into a folder; returns the exit status.

    Raises:
        PictureError, ValueError: what is wrong with the command as such; nothing is written then.
    """
    pictures = find_pictures(words)
    companions = [job.options.get(name) for name in COMPANIONS]
    inputs = [*pictures, *companions, job.reference]
    outputs = name_outputs(pictures, folder, inputs)
    hardware.pick_device(job.device)
    if job.resume and not os.path.isdir(job.resume):
        raise PictureError(f"{job.resume} is no folder with records of several pictures.")
    with _folders(folder), _folders(job.record or folder):
        batch = Batch(pictures, outputs, job.report)
        if job.report:
            if os.path.realpath(job.report) in map(os.path.realpath, outputs):
                raise ValueError("the report and a picture cannot be the same file")
            check_writable(job.report, picture=False)
        return _run(batch, job, folder)


def _run(batch: Batch, job: Job, folder: str) -> int:
    """The loop; Ctrl-C keeps the best of the picture at hand and begins no other."""
    total = len(batch.pictures)
    for number, (picture, output) in enumerate(
        zip(batch.pictures, batch.outputs, strict=True), start=1
    ):
        try:
            own = _with_record(one_job(job, picture, output))
            result = restore(own, label=f"{number}/{total} {Path(picture).name}")
        except KeyboardInterrupt:
            return _interrupted(batch, f"nothing was written for {picture}", total - number)
        except Exception as error:
            batch.fault(picture, output, error)
            continue
        click.echo(result.sentence())
        batch.tell(**result.report)
        if result.interrupted:
            return _interrupted(batch, f"{output} is the best so far", total - number)
    _list(batch)
    click.echo(f"Restored {total - len(batch.faults)} of {total} pictures into {folder}.")
    return 1 if batch.faults else 0


def _interrupted(batch: Batch, state: str, left: int) -> int:
    _list(batch)
    others = "1 picture was" if left == 1 else f"{left or 'no'} pictures were"
    click.echo(f"Interrupted: {state}, {others} not begun.", err=True)
    return 130


def _list(batch: Batch) -> None:
    """The sentences about what failed, on stderr."""
    for text in batch.faults:
        click.echo(text, err=True)


def _with_record(job: Job) -> Job:
    """With its own record; a resumed batch goes on with those there are and makes the others."""
    name = Path(job.output).stem
    if job.record:
        return replace(job, record=str(Path(job.record) / name), report=None)
    if not job.resume:
        return replace(job, report=None)
    record = str(Path(job.resume) / name)
    if os.path.exists(os.path.join(record, "settings.json")):
        return replace(job, resume=record, report=None)
    return replace(job, resume=None, record=record, report=None)


@contextlib.contextmanager
def _folders(place: str) -> Iterator[None]:
    """Makes a folder, with those above it; those that stay empty are removed again."""
    folder = Path(place)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise PictureError(f"{place} is a file: several pictures need a folder.") from error
    except OSError as error:
        raise PictureError(f"{place} cannot be made a folder ({error.strerror}).") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty
            for path in made:
                path.rmdir()
