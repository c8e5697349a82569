"""Visitors: a picture, a run and a folder each, gone when they go.

    service = Service(Limits())
    service.take(key, path)                           # what they uploaded
    for told in service.run(key, choice): ...         # what the page is to show, twice a second
    service.stop(key); service.leave(key)

A visitor is a key that only their browser knows. What they bring and make lies in a folder of
their own, under names that nobody can guess. PyTorch is imported with the first picture.
"""

from __future__ import annotations

import atexit
import re
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .choices import SAMPLES, Choice, Limits, SorryError
from .folders import lasting
from .held import Held
from .line import Line

if TYPE_CHECKING:
    from .live import Live
    from .material import Inputs
    from .uploads import Picture

BEAT = 0.5  # seconds from one word to the page to the next, at most
SWEEP = 10.0  # seconds from one look around to the next
GRAVE = 5.0  # seconds that whoever left is not let in again: what they asked for may be under way
EXAMPLE = "example:"
BUSY = "Your last run is still going: stop it first."
GONE = "Your picture is no longer here, as the page was left: please try again, or reload it."
KINDS = ("picture", "second", "mask")


@dataclass
class Visitor:
    """Somebody with the page open."""

    folder: Path
    live: Live | None = None
    sources: dict[str, str] = field(default_factory=dict)  # by kind, the file or example it was
    gone: bool = False
    seen: float = field(default_factory=time.monotonic)

    @property
    def busy(self) -> bool:
        """Whether their run is not over yet."""
        return self.live is not None and not self.live.over

    def path(self, kind: str) -> Path:
        """Where a picture of theirs is kept."""
        return self.folder / f"{kind}.npy"

    def bury(self) -> None:
        """Deletes all that is theirs, unless a run still writes."""
        if self.gone and not self.busy:
            shutil.rmtree(self.folder, ignore_errors=True)


class Service:
    """All visitors of one process; see the module.

    Args:
        limits: what the operator allows.
        root: where the folders go; one that ends with the process when None.
    """

    def __init__(self, limits: Limits, root: Path | None = None) -> None:
        self.limits = limits
        self.line = Line(limits.queue, limits.each)
        self._root = root or lasting("dip_lite-")
        self._visitors: dict[str, Visitor] = {}
        self._held = Held()  # the uploads
        self._left: dict[str, float] = {}  # who, and when
        self._hearts: Counter[str] = Counter()  # open pages, by session
        self._litter: dict[Path, float] = {}  # what is to be deleted, and when
        self._sweeper: threading.Thread | None = None
        self._lock = threading.RLock()
        if root is None:
            atexit.register(self.close)

    def __len__(self) -> int:
        return len(self._visitors)

    # --- pictures

    def take(self, key: str | None, path: str | None, kind: str = "picture") -> Picture:
        """Reads what a visitor uploaded, and keeps it for their runs.

        Raises:
            SorryError: it is no picture.
        """
        from . import uploads

        if kind not in KINDS or not isinstance(path, str):
            raise SorryError("No picture came: please choose one.")
        visitor = self._visitor(key)
        if not self._held.take(path):
            raise SorryError("Your file is no longer here: please upload it again.")
        try:
            pixels = 4096 * 4096 if kind == "mask" else self.limits.pixels
            picture = uploads.read_picture(path, pixels)
            if kind == "mask":
                picture = uploads.spare(picture, self.limits.pixels)
            return self._keep(visitor, picture, kind, path)
        except BaseException:  # also what is refused is deleted
            self._held.drop(path)
            raise

    def pick(self, key: str | None, name: Any) -> Picture:
        """Takes one of the examples instead.

        Raises:
            SorryError: there is none of that name.
        """
        from . import uploads

        visitor = self._visitor(key)
        picture = uploads.read_sample(name, self.limits.pixels)
        return self._keep(visitor, picture, "picture", f"{EXAMPLE}{name}")

    def picture(self, key: str | None) -> Picture:
        """What the visitor's next run would be about."""
        return self._picture(self._visitor(key))

    def _picture(self, visitor: Visitor) -> Picture:
        from . import uploads

        x = uploads.kept(visitor.path("picture"))
        if x is None:
            return uploads.read_sample("chelsea", self.limits.pixels)
        return uploads.Picture(x)

    def forget(self, key: str | None, kind: str) -> None:
        """Deletes a picture that the visitor took away."""
        if kind in KINDS:
            self._forget(self._visitor(key), kind)

    def _forget(self, visitor: Visitor, kind: str) -> None:
        with self._lock:
            visitor.path(kind).unlink(missing_ok=True)
            self._delete(visitor.sources.pop(kind, ""))

    def _keep(self, visitor: Visitor, picture: Picture, kind: str, source: str) -> Picture:
        """Puts a picture with what else is the visitor's, unless they left meanwhile."""
        import numpy as np

        from . import uploads

        part = visitor.folder / f"{secrets.token_hex(8)}.part"
        try:
            uploads.keep(picture, part, np.uint8 if kind == "mask" else np.uint16)
            with self._lock:
                if visitor.gone:
                    raise SorryError(GONE)
                part.replace(visitor.path(kind))
                before, visitor.sources[kind] = visitor.sources.get(kind, ""), source
                self._delete(before)
                if kind == "picture":  # the mask was of another
                    self._forget(visitor, "mask")
        except OSError as error:
            if visitor.gone:
                raise SorryError(GONE) from error
            raise
        finally:
            visitor.bury()
        return picture

    def _settle(self, key: str | None, visitor: Visitor, given: Mapping[str, Any]) -> None:
        """Sees to it that what is kept is what the page shows.

        The page may be ahead of us, when Run follows an upload at once, and whoever was cut off for
        a moment has been forgotten here.
        """
        sample, mask = given.get("sample"), visitor.sources.get("mask")
        if not given.get("picture") and sample in SAMPLES:
            if visitor.sources.get("picture") != f"{EXAMPLE}{sample}":
                self.pick(key, sample)
        for kind in KINDS:
            path = given.get(kind)
            if not isinstance(path, str) or visitor.sources.get(kind) == path:
                continue
            if kind != "mask" or path != mask:  # else it was of the picture before
                self.take(key, path, kind)

    def _delete(self, source: str) -> None:
        """Deletes an upload, unless somebody else has brought the same file."""
        if source and not source.startswith(EXAMPLE):
            self._held.drop(source)

    def _inputs(self, visitor: Visitor, choice: Choice, painted: Any) -> Inputs:
        from . import material, uploads

        picture = self._picture(visitor)
        second = uploads.kept(visitor.path("second")) if choice.task == "flash" else None
        mask = None
        if choice.task == "inpaint" and choice.mask == "draw" and painted:
            mask = uploads.mask_of(uploads.painted(painted), picture)
        if choice.task == "inpaint" and choice.mask == "upload":
            came = uploads.kept(visitor.path("mask"))
            mask = None if came is None else uploads.mask_of(came, picture)
        return material.Inputs(
            picture, second=None if second is None else uploads.Picture(second), mask=mask
        )

    # --- runs

    def run(
        self,
        key: str | None,
        choice: Choice,
        painted: Any = "",
        given: Mapping[str, Any] | None = None,
        host: str = "",
    ) -> Iterator[dict[str, Any]]:
        """A visitor's run, as what the page is to show, at least twice a second.

        Closing the generator ends the run.

        Args:
            key: the visitor's.
            choice: what they want.
            painted: the mask they drew, a data URI.
            given: what their page shows: the path of an upload by kind, or the example as "sample".
            host: their network address, of which only so many may wait; see `host`.

        Raises:
            SorryError: it cannot be done, or not now.
        """
        from .live import Live

        visitor = self._visitor(key)
        if visitor.busy:
            raise SorryError(BUSY)
        self._settle(key, visitor, given or {})
        inputs = self._inputs(visitor, choice, painted)
        with self._lock:
            if visitor.gone:
                raise SorryError(GONE)
            if visitor.busy:
                raise SorryError(BUSY)
            old, place = visitor.live, visitor.folder / secrets.token_hex(8)
            live = visitor.live = Live(place, choice, inputs, self.limits, host)
        if old is not None:
            shutil.rmtree(old.folder, ignore_errors=True)
        try:
            self.line.join(live)
            yield from self._watch(live, visitor)
        except SorryError as error:
            live.drop(str(error))
            raise
        finally:
            live.abandon()
            self.line.leave(live)
            visitor.bury()

    def _watch(self, live: Live, visitor: Visitor) -> Iterator[dict[str, Any]]:
        while not live.over:
            live.changed.wait(BEAT)
            live.changed.clear()
            visitor.seen = time.monotonic()
            if not live.over:
                yield live.told(self.line.place(live), self.line.wait(live))
        if live.error:
            raise SorryError(live.error)
        yield live.told()

    def stop(self, key: str | None) -> None:
        """Ends a visitor's run, with what there is."""
        visitor = self._visitors.get(str(key))
        if visitor is not None and visitor.live is not None:
            self.line.leave(visitor.live)

    def busy(self, session: str) -> bool:
        """Whether a visitor, or a program of theirs, has a run going."""
        return any(
            visitor.busy
            for key, visitor in list(self._visitors.items())
            if key == session or key.startswith(f"{session}/")
        )

    def result(self, key: str) -> bytes:
        """The PNG that a visitor's run ended with.

        Raises:
            SorryError: there is none.
        """
        live = self._visitors[key].live if key in self._visitors else None
        found = live.fetch("result.png") if live is not None else None
        if found is None or not isinstance(found[0], bytes):
            raise SorryError("There is no result: please try again.")
        return found[0]

    def find(self, token: str) -> Live | None:
        """The run of that token, while its visitor is here."""
        for visitor in list(self._visitors.values()):
            if visitor.live is not None and secrets.compare_digest(visitor.live.token, token):
                return visitor.live
        return None

    # --- coming and going

    def leave(self, key: str | None) -> None:
        """Ends what a visitor has going and deletes what is theirs."""
        name = str(key)
        with self._lock:
            theirs = [
                each for each in self._visitors if each == name or each.startswith(f"{name}/")
            ]
            gone = [self._visitors.pop(each) for each in theirs]
            self._left[name] = time.monotonic()
            for visitor in gone:
                visitor.gone = True
                while visitor.sources:
                    self._delete(visitor.sources.popitem()[1])
        for visitor in gone:
            if visitor.live is not None:
                visitor.live.after(visitor.bury)
                visitor.live.abandon()
                self.line.leave(visitor.live)
            visitor.bury()

    def sweep(self) -> None:
        """Lets those go who have not been heard of for long, and deletes what is due."""
        now = time.monotonic()
        with self._lock:
            self._left = {key: at for key, at in self._left.items() if now - at < GRAVE}
            due = [path for path, at in self._litter.items() if at <= now]
            for path in due:
                del self._litter[path]
            silent = [key for key, visitor in self._visitors.items() if self._silent(key, visitor)]
        for path in due:
            shutil.rmtree(path, ignore_errors=True)
        for key in silent:
            self.leave(key)

    def _silent(self, key: str, visitor: Visitor) -> bool:
        here = self._hearts[key.partition("/")[0]] > 0
        most = self.limits.idle if here else min(self.limits.idle, self.limits.alone)
        return not visitor.busy and time.monotonic() - visitor.seen > most

    def beats(self, session: str, change: int) -> None:
        """A page opened (1) or closed (-1) the connection by which it says that it is there."""
        with self._lock:
            self._hearts[session] += change
            if self._hearts[session] <= 0:
                del self._hearts[session]
            if visitor := self._visitors.get(session):
                visitor.seen = time.monotonic()

    def discard(self, folder: Path, after: float) -> None:
        """Deletes a folder in so many seconds."""
        with self._lock:
            self._litter[folder] = time.monotonic() + after
            self._watch_over()

    def _watch_over(self) -> None:
        """Sees to it that somebody sweeps while there is anything to sweep."""
        if self._sweeper is None:
            self._sweeper = threading.Thread(target=self._sweeping, name="sweeper", daemon=True)
            self._sweeper.start()

    def _sweeping(self) -> None:
        pause = max(0.05, min(SWEEP, self.limits.idle / 4))
        while True:
            time.sleep(pause)
            self.sweep()
            with self._lock:
                if not self._visitors and not self._litter:
                    self._sweeper = None
                    return

    def close(self) -> None:
        """Ends all that is going on and deletes all that there is; for the end of the process."""
        for key in list(self._visitors):
            self.leave(key)
        self.line.close()
        for folder in [*self._litter, self._root]:
            shutil.rmtree(folder, ignore_errors=True)

    def host(self, request: Any) -> str:
        """The network address that a request came from, as far as it can be known."""
        if self.limits.forwarded:
            last = str(request.headers.get("x-forwarded-for", "")).rpartition(",")[2].strip()
            if last:
                return last
        return str(request.client.host) if request.client else ""

    def _visitor(self, key: str | None) -> Visitor:
        """Who that is; whoever comes without a key gets one for this once."""
        self.sweep()
        name = str(key) if key else secrets.token_hex(16)
        with self._lock:
            visitor = self._visitors.get(name)
            if visitor is None:
                if name in self._left or name.partition("/")[0] in self._left:
                    raise SorryError(GONE)
                if len(self._visitors) >= self.limits.visitors:
                    raise SorryError(
                        "There are as many people here as this demo can serve: please try again "
                        "in a few minutes."
                    )
                self._watch_over()
                folder = self._root / secrets.token_hex(16)
                folder.mkdir(parents=True, mode=0o700)
                visitor = self._visitors[name] = Visitor(folder)
        visitor.seen = time.monotonic()
        return visitor


def is_token(text: str) -> bool:
    """Whether it could be one of a run.

    >>> is_token("../etc"), is_token("abcdefghijklmnopqrstuv")
    (False, True)
    """
    return re.fullmatch(r"[\w-]{22}", text) is not None
