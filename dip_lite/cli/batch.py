"""Many pictures by one command, one after the other; a bad one does not stop the others.

    status = restore_all(request, ["holiday", "scans/*.png"], "restored")

`request` holds what all pictures have in common. Its `mask`, `flash` and `reference` are one file
for all, or a folder with a file of each picture's name; `record` and `resume` are folders with a
record for each; `report` is one JSON list.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from ..engine import device as hardware
from ..errors import PictureError, sentence
from ..images.io import check_writable
from .files import find_companion, find_pictures, name_outputs
from .options import COMPANIONS
from .report import write_report
from .request import RestoreRequest
from .restoration import restore


@dataclass
class Batch:
    """The pictures of a command and the outcome so far."""

    request: RestoreRequest
    pictures: list[str]
    outputs: list[str]
    report: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)  # a sentence each

    def run(self) -> int:
        """Restores all; after Ctrl-C no other. Returns the exit status."""
        total = len(self.pictures)
        for number, (picture, output) in enumerate(
            zip(self.pictures, self.outputs, strict=True), start=1
        ):
            try:
                request = _with_record(adapt_request(self.request, picture, output))
                result = restore(request, label=f"{number}/{total} {Path(picture).name}")
            except KeyboardInterrupt:
                return self._end(f"nothing was written for {picture}", total - number)
            except Exception as error:
                self._add_failure(picture, output, error)
                continue
            click.echo(result.sentence())
            self._add(result.report)
            if result.interrupted:
                return self._end(f"{output} is the best so far", total - number)
        return self._end()

    def _add(self, fields: dict[str, Any]) -> None:
        self.report.append(fields)
        if self.request.report:
            write_report(self.request.report, self.report)

    def _add_failure(self, picture: str, output: str, error: Exception) -> None:
        text = sentence(error)
        self.failures.append(text if picture in text else f"{picture}: {text}")
        self._add({"picture": picture, "output": output, "error": text})

    def _end(self, interrupted: str = "", left: int = 0) -> int:
        """Prints what failed and, after Ctrl-C, what is done and left; returns the exit status."""
        for text in self.failures:
            click.echo(text, err=True)
        if interrupted:
            others = "1 picture was" if left == 1 else f"{left or 'no'} pictures were"
            click.echo(f"Interrupted: {interrupted}, {others} not started.", err=True)
            return 130
        total = len(self.pictures)
        folder = Path(self.outputs[0]).parent
        click.echo(f"Restored {total - len(self.failures)} of {total} pictures into {folder}.")
        return 1 if self.failures else 0


def restore_all(request: RestoreRequest, paths: list[str], folder: str) -> int:
    """Restores all pictures that the paths name into a folder; returns the exit status.

    Raises:
        PictureError, ValueError: the command itself is wrong; nothing has been written.
    """
    pictures = find_pictures(paths)
    companions = [request.options.get(name) for name in COMPANIONS]
    outputs = name_outputs(pictures, folder, [*pictures, *companions, request.reference])
    hardware.pick_device(request.device)
    if request.resume and not os.path.isdir(request.resume):
        raise PictureError(
            f"{request.resume} is not a folder: give the one with a record for each picture."
        )
    with _make_folder(folder), _make_folder(request.record or folder):
        if request.report:
            if os.path.realpath(request.report) in map(os.path.realpath, outputs):
                raise ValueError("the report and a picture cannot be the same file")
            check_writable(request.report, picture=False)
        return Batch(request, pictures, outputs).run()


def adapt_request(request: RestoreRequest, picture: str, output: str) -> RestoreRequest:
    """The request for one picture, with its own mask, flash picture and reference.

    Raises:
        PictureError: a folder of masks, for example, has none for it.
    """
    options = dict(request.options)
    for name in COMPANIONS:
        if name in options:
            options[name] = find_companion(options[name], picture, name)
    reference = find_companion(request.reference, picture, "reference")
    return replace(request, picture=picture, output=output, options=options, reference=reference)


def _with_record(request: RestoreRequest) -> RestoreRequest:
    """With a record of its own; a resumed batch continues the existing ones and adds the others."""
    request, name = replace(request, report=None), Path(request.output).stem
    if request.record:
        return replace(request, record=str(Path(request.record) / name))
    if request.resume:
        record = Path(request.resume) / name
        if (record / "settings.json").exists():
            return replace(request, resume=str(record))
        return replace(request, resume=None, record=str(record))
    return request


@contextlib.contextmanager
def _make_folder(name: str) -> Iterator[None]:
    """Makes a folder and its parents; those still empty at the end are removed."""
    folder = Path(name)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise PictureError(f"{name} is a file: several pictures need a folder.") from error
    except OSError as error:
        raise PictureError(f"The folder {name} cannot be made ({error.strerror}).") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty
            for path in made:
                path.rmdir()
