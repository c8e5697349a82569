"""One visitor's run, from its place in the line to its downloads.

    live = Live(folder, choice, inputs, limits)
    line.join(live)                      # live.work() is called when its turn comes
    live.changed.wait(0.5); live.told()  # what the page is to know now
    live.fetch("frames", 0, 12)          # the bytes of those frames

The line's thread works, any other looks on. Frames are kept as small WebPs; the record on disk has
every pixel of them.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dip_lite import FitError, PictureError, RecordError
from dip_lite.record import Record

from .choices import Choice, Limits, SorryError
from .fitting import Begun, Ended, Frame, News, Seen, fitting
from .gpu import on_gpu
from .material import Inputs

WEBP, BYTES = "image/webp", "application/octet-stream"
HEAVY = {
    "film.webp": "image/webp", "film.gif": "image/gif", "record.zip": "application/zip"
}  # fmt: skip
STOPPED = "The run was stopped before it began."
Reply = tuple[bytes | Path, str]  # a file, in memory or on disk, and its kind


class Live:
    """See the module.

    Attributes:
        token: what its files are asked for by; nobody can guess it.
        state: "waiting", "preparing", "running", "done" or "failed".
        changed: set whenever there is news.
    """

    def __init__(
        self, folder: Path, choice: Choice, inputs: Inputs, limits: Limits, host: str = ""
    ) -> None:
        self.token, self.folder, self.choice = secrets.token_urlsafe(16), folder, choice
        self.budget, self.host = choice.seconds(limits), host
        self._started: float | None = None
        self.changed = threading.Event()
        self.state, self.error = "waiting", ""
        self._rows: list[list[Any]] = []  # of the frames, see `Frame.row`
        self._offsets = [0]  # in the file of their pictures
        self._begun: Begun | None = None
        self._seen = Seen({}, "")
        self._ended: Ended | None = None
        self._after: Callable[[], None] | None = None
        self._inputs: Inputs | None = inputs
        self._limits = limits
        self._lock, self._making = threading.Lock(), threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("done", "failed")

    @property
    def spent(self) -> float:
        """Seconds since its turn came."""
        return 0.0 if self._started is None else time.monotonic() - self._started

    @property
    def left(self) -> float:
        """Seconds that it may still take."""
        return max(0.0, self.budget - self.spent)

    def stop(self) -> None:
        """Asks the run to end after the step it is at, with what there is."""
        if not self.over and self.folder.exists():
            (self.folder / "stop").touch()

    def abandon(self) -> None:
        """Ends the run at once, for nobody is there to see what comes of it."""
        if not self.over and self.folder.exists():
            (self.folder / "gone").touch()

    def work(self) -> None:
        """The run from first to last; called by the line, and never raises."""
        inputs, self._inputs = self._inputs, None
        assert inputs is not None
        self.state, self._started = "preparing", time.monotonic()
        self.changed.set()
        try:
            if not (self.folder / "stop").exists():
                for news in on_gpu(fitting)(self.choice, inputs, self._limits, self.folder):
                    self._take(news)
            self._end("" if self._ended else STOPPED)
        except (SorryError, PictureError, RecordError, FitError) as error:
            self._end(str(error))
        except Exception:
            traceback.print_exc()  # for the operator alone
            self._end("Something went wrong on our side: please try again, or another picture.")

    def drop(self, sentence: str = STOPPED) -> None:
        """For a run that never had its turn."""
        if not self.over:
            self._end(sentence)

    def after(self, call: Callable[[], None]) -> None:
        """What is to be done when the run is over."""
        self._after = call

    def _end(self, sentence: str) -> None:
        self.error, self.state = sentence, "failed" if sentence else "done"
        self.changed.set()
        if self._after is not None:
            self._after()

    def _take(self, news: News) -> None:
        with self._lock:
            if isinstance(news, Begun):
                self._begun = news
            elif isinstance(news, Seen):
                self._seen, self.state = news, "running"
            elif isinstance(news, Frame):
                self._keep(news)
            else:
                self._ended = news
        self.changed.set()

    def _keep(self, frame: Frame) -> None:
        """Puts a frame's pictures behind those of the others, on disk."""
        with open(self.folder / "frames", "ab") as pack:
            pack.write(frame.average + frame.raw)
            self._offsets.append(pack.tell())
        self._rows.append(frame.row())

    def told(self, place: int | None = None, wait: float = 0.0) -> dict[str, Any]:
        """What the page is to know now: a few kilobytes, and a live picture."""
        with self._lock:
            rows = list(self._rows)
            begun, seen, ended = self._begun, self._seen, self._ended
        told: dict[str, Any] = {
            "id": self.token, "state": self.state, "frames": rows, "numbers": seen.numbers,
            "live": "" if self.over else seen.eye, "place": place, "wait": round(wait),
            "budget": self.budget, "spent": round(self.spent, 1), "asked": self.choice.steps,
            "task": self.choice.task,
        }  # fmt: skip
        if begun is not None:
            told |= {"size": begun.size, "truth": begun.truth is not None, "note": begun.note}
        if ended is not None:
            told |= {"numbers": seen.numbers | ended.numbers, "why": ended.why}
        return told

    def fetch(self, name: str, first: int = 0, last: int = 0) -> Reply | None:
        """A file of the run, and its kind; None where there is none of that name.

        "frames" gives those from `first` up to `last`, each as its average and its raw output.
        """
        if name == "frames":
            return self._pictures(first, last), BYTES
        if self._begun is not None and name == "before":
            return self._begun.before, WEBP
        if self._begun is not None and self._begun.truth and name == "truth":
            return self._begun.truth, WEBP
        if self._ended is None or not self.over:
            return None
        if name == "result.png":
            return self._ended.result, "image/png"
        with self._making:
            return self._heavy(name)

    def _pictures(self, first: int, last: int) -> bytes:
        count = len(self._rows)
        first, last = min(max(first, 0), count), min(max(last, 0), count)
        if first >= last:
            return b""
        with open(self.folder / "frames", "rb") as pack:
            pack.seek(self._offsets[first])
            return pack.read(self._offsets[last] - self._offsets[first])

    def _heavy(self, name: str) -> Reply | None:
        """What takes a second or two to make, and so is made when it is asked for."""
        if name not in HEAVY:
            return None
        record, path = self.folder / "record", self.folder / name
        if not path.exists():
            if name == "record.zip":
                _zip(record, path)
            else:
                Record(record).animate(path)
        return path, HEAVY[name]


def _zip(folder: Path, path: Path) -> None:
    """Writes a folder as a zip, stored as it is: PNGs shrink no further."""
    part = path.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for each in sorted(folder.rglob("*")):
            if each.is_file():
                archive.write(each, f"record/{each.relative_to(folder)}")
    os.replace(part, path)
