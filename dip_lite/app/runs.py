"""One visitor's run, from its place in the queue to its downloads.

    run = DemoRun(folder, request, inputs, limits, LocalExecutor())
    queue.join(run)                             # run.work() is called when its turn comes
    run.changed.wait(0.5); run.state_dict()     # what the page shows now
    run.fetch("frames", 0, 12)                  # the bytes of those frames

A thread of the queue works, others look on. Frames are kept as small WebPs; the record on disk has
every pixel of them.
"""

import os
import secrets
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..records import Record
from .error_handlers import public_sentence
from .events import Event, Finished, Frame, Notice, Progress, Started
from .executors import Executor
from .fitting import ABANDON, STOP
from .limits import Limits
from .request import RunRequest
from .restoration import Inputs

WEBP, BYTES = "image/webp", "application/octet-stream"
MADE_ON_DEMAND = {
    "animation.webp": WEBP, "animation.gif": "image/gif", "record.zip": "application/zip"
}  # fmt: skip
STOPPED = "The run was stopped before it started."
Reply = tuple[bytes | Path, str]  # a file, in memory or on disk, and its media type


class DemoRun:
    """See the module.

    Attributes:
        token: the secret in its addresses.
        source: of its picture, see `SessionPictures.sources`.
        phase: "waiting", "preparing", "running", "done" or "failed".
        error: why it failed, one sentence.
        changed: set whenever there is something new.
    """

    def __init__(
        self, folder: Path, request: RunRequest, inputs: Inputs, limits: Limits,
        executor: Executor, address: str = "",
    ) -> None:  # fmt: skip
        self.token, self.folder, self.request = secrets.token_urlsafe(16), folder, request
        self.time_limit, self.address = request.time_limit(limits), address
        self.phase, self.error, self.changed = "waiting", "", threading.Event()
        self.source = inputs.source
        self._inputs: Inputs | None = replace(inputs, source="")  # a path here, which no fit needs
        self._limits, self._executor, self._notice = limits, executor, ""
        self._since: float | None = None  # when its turn came, then when its first step began
        self._started: Started | None = None
        self._progress = Progress({}, "")
        self._finished: Finished | None = None
        self._rows: list[list[Any]] = []  # of the frames, see `Frame.row`
        self._offsets = [0]  # of their pictures in the file
        self._on_end: Callable[[], None] | None = None
        self._lock, self._export_lock = threading.Lock(), threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.phase in ("done", "failed")

    @property
    def elapsed(self) -> float:
        """Seconds since its turn came, or of fitting once it fits."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    @property
    def seconds_left(self) -> float:
        """How long it may still take."""
        return max(0.0, self.time_limit - self.elapsed)

    def stop(self) -> None:
        """Asks the run to finish after the current step, with the result so far."""
        if not self.over and self.folder.exists():
            (self.folder / STOP).touch()

    def abandon(self) -> None:
        """Lets a stopped run end without a result, because nobody is there to see it."""
        if not self.over and self.folder.exists():
            (self.folder / ABANDON).touch()

    def drop(self, error: str = STOPPED) -> None:
        """Ends a run that will not be worked on."""
        if not self.over:
            self._end(error)

    def call_at_end(self, call: Callable[[], None]) -> None:
        """Sets what is called when the run is over."""
        self._on_end = call

    def work(self) -> None:
        """The whole run; called by the queue."""
        inputs, self._inputs = self._inputs, None
        assert inputs is not None
        self.phase, self._since = "preparing", time.monotonic()
        self.changed.set()
        error = ""
        try:
            if not (self.folder / STOP).exists():
                arguments = (self.request, inputs, self._limits, self.folder)
                for event in self._executor.stream(*arguments):
                    self._handle(event)
        except Exception as caught:
            error = public_sentence(caught)
        self._end(error or ("" if self._finished else STOPPED))

    def _end(self, error: str) -> None:
        self.error, self.phase = error, "failed" if error else "done"
        self.changed.set()
        if self._on_end is not None:
            self._on_end()

    def _handle(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, Started):
                self._started = event
            elif isinstance(event, Progress):
                if self.phase != "running":  # its clock is that of the machine that fits it
                    fitted = event.numbers["seconds"] or 0.0
                    self.phase, self._since = "running", time.monotonic() - fitted
                self._progress = replace(event, preview=event.preview or self._progress.preview)
            elif isinstance(event, Frame):
                self._append(event)
            elif isinstance(event, Notice):
                self.phase, self._notice = "preparing", event.text
            else:
                self._finished = event
        self.changed.set()

    def _append(self, frame: Frame) -> None:
        if any(row[0] == frame.step for row in self._rows):  # made again, on another worker
            return
        with open(self.folder / "frames", "ab") as pack:
            pack.write(frame.average + frame.raw)
            self._offsets.append(pack.tell())
        self._rows.append(frame.row())

    def state_dict(self, position: int | None = None, wait: float = 0.0) -> dict[str, Any]:
        """What the page shows now: a few kilobytes of JSON, and a preview."""
        with self._lock:
            rows = list(self._rows)
            started, progress, finished = self._started, self._progress, self._finished
        notice = self._executor.notice if self.phase == "waiting" else self._notice
        state: dict[str, Any] = {
            "id": self.token, "state": self.phase, "frames": rows, "numbers": progress.numbers,
            "preview": "" if self.over else progress.preview, "position": position,
            "wait": round(wait), "time_limit": self.time_limit, "elapsed": round(self.elapsed, 1),
            "steps": self.request.steps, "task": self.request.task,
            "notice": notice,
        }  # fmt: skip
        if started is not None:
            has_truth = started.truth is not None
            state |= {"size": started.size, "truth": has_truth, "note": started.note}
        if finished is not None:
            state["numbers"] = progress.numbers | finished.numbers
            state["stop_reason"] = finished.stop_reason
        return state

    def fetch(self, name: str, first: int = 0, last: int = 0) -> Reply | None:
        """A file of the run and its media type; None where there is none of that name.

        "frames" are those from `first` up to `last`, each as its average and its raw output.
        """
        if name == "frames":
            return self._frames(first, last), BYTES
        if self._started is not None and name == "before":
            return self._started.before, WEBP
        if self._started is not None and self._started.truth and name == "truth":
            return self._started.truth, WEBP
        if self._finished is None or not self.over:
            return None
        if name == "result.png":
            return self._finished.result, "image/png"
        if name not in MADE_ON_DEMAND:
            return None
        with self._export_lock:
            return self._export(self.folder / name), MADE_ON_DEMAND[name]

    def _frames(self, first: int, last: int) -> bytes:
        count = len(self._rows)
        first, last = min(max(first, 0), count), min(max(last, 0), count)
        if first >= last:
            return b""
        with open(self.folder / "frames", "rb") as pack:
            pack.seek(self._offsets[first])
            return pack.read(self._offsets[last] - self._offsets[first])

    def _export(self, path: Path) -> Path:
        """Makes what takes a second or two, the first time it is asked for."""
        record = self.folder / "record"
        if not path.exists():
            if path.suffix == ".zip":
                _zip(record, path)
            else:
                Record(record).animate(path)
        return path


def _zip(folder: Path, path: Path) -> None:
    """Writes a folder as a zip, uncompressed: PNGs do not shrink."""
    draft = path.with_suffix(".part")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"record/{file.relative_to(folder)}")
    os.replace(draft, path)
