"""Sessions: for everyone with the page open, their pictures, a run and a folder, until they leave.

    sessions = Sessions(Limits())
    with sessions.pictures(key) as pictures:            # see `SessionPictures`
        pictures.add_upload(path)
    for state in sessions.run(key, request): ...        # what the page shows, twice a second
    sessions.stop(key); sessions.leave(key)

A key is known to one browser only: Gradio's session hash. A call of the API is a session as well,
under the key `HASH/random`, and ends with its page's. PyTorch is imported with the first session.
"""

from __future__ import annotations

import atexit
import contextlib
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .executors import Executor, LocalExecutor
from .limits import Limits
from .queue import RunQueue
from .request import RunRequest
from .temp_files import UploadCounts, temp_folder

if TYPE_CHECKING:
    from .runs import DemoRun
    from .session_pictures import SessionPictures

UPDATE_INTERVAL = 0.5  # seconds between two updates of the page, at most
CLEANUP_INTERVAL = 10.0  # seconds
REJOIN_DELAY = 5.0  # seconds in which a request sent before leaving does not open a new session
BUSY = "Your last run is not finished: stop it first."


@dataclass
class Session:
    """What one visitor has here."""

    folder: Path
    pictures: SessionPictures
    run: DemoRun | None = None
    previous: DemoRun | None = None  # the run before it, until `run` has a result
    last_seen: float = field(default_factory=time.monotonic)

    @property
    def busy(self) -> bool:
        """Whether its run is not over."""
        return self.run is not None and not self.run.over

    def settle(self) -> Path | None:
        """Once the run is over, drops the one before it, or takes that back if this one failed.

        Returns the folder to delete, if any.
        """
        if self.run is None or self.previous is None or not self.run.over:
            return None
        dropped, self.previous = self.previous, None
        if self.run.error:
            self.run, dropped = dropped, self.run
        return dropped.folder

    def cleanup(self) -> None:
        """Deletes the folder of a session that has ended, unless a run still writes there."""
        if self.pictures.closed and not self.busy:
            shutil.rmtree(self.folder, ignore_errors=True)


class Sessions:
    """All sessions of one process; see the module.

    Args:
        limits: what the operator allows.
        root: where their folders go; None for a temporary folder.
        executor: what fits their runs; None for this process.
    """

    def __init__(
        self, limits: Limits, root: Path | None = None, executor: Executor | None = None
    ) -> None:
        self.limits, self.executor = limits, executor or LocalExecutor()
        self.queue = RunQueue(limits.queue, limits.per_address, self.executor.slots)
        self.executor.on_change = self.queue.resize
        self.queue.resize(self.executor.slots)  # it may have changed meanwhile
        self._root = root or temp_folder("dip_lite-")
        self._sessions: dict[str, Session] = {}
        self._counts = UploadCounts()
        self._left_at: dict[str, float] = {}
        self._open_pages: Counter[str] = Counter()
        self._pending_deletes: dict[Path, float] = {}  # folders, and when they are due
        self._cleaner: threading.Thread | None = None
        self._lock = threading.RLock()
        if root is None:
            atexit.register(self.close)

    def __len__(self) -> int:
        return len(self._sessions)

    @contextlib.contextmanager
    def pictures(self, key: str | None) -> Iterator[SessionPictures]:
        """A session's pictures, to add, replace or remove one.

        Raises:
            UserError: the session has ended, or the demo is full.
        """
        session = self._open(key)
        try:
            yield session.pictures
        finally:
            session.last_seen = time.monotonic()
            session.cleanup()

    def run(
        self,
        key: str | None,
        request: RunRequest,
        drawing: Any = "",
        shown: Mapping[str, Any] | None = None,
        address: str = "",
    ) -> Iterator[dict[str, Any]]:
        """Queues and does a run; yields what the page shows, at least twice a second.

        Closing the generator ends the run.

        Args:
            key: of the session.
            request: what to do.
            drawing: the mask that was painted, a data URI.
            shown: the pictures on the page, see `SessionPictures.sync`.
            address: the visitor's network address, see `Limits.client_address`.

        Raises:
            UserError: it cannot be done, or not now.
        """
        session = self._open(key)
        try:
            run = self._new_run(session, request, drawing, shown or {}, address)
            try:
                self.queue.join(run)
                yield from self._updates(run, session)
            except UserError as error:
                run.drop(str(error))
                raise
            finally:
                run.abandon()
                self.queue.leave(run)
                self._settle(session)
        finally:
            session.cleanup()

    def _new_run(
        self, session: Session, request: RunRequest, drawing: Any, shown: Mapping[str, Any],
        address: str,
    ) -> DemoRun:  # fmt: skip
        """A run in place of the session's last one, see `Session.settle`."""
        from .runs import DemoRun
        from .session_pictures import CLOSED

        if session.busy:
            raise UserError(BUSY)
        session.pictures.sync(shown)
        inputs = session.pictures.inputs(request, drawing)
        with self._lock:
            if session.pictures.closed:
                raise UserError(CLOSED)
            if session.busy:
                raise UserError(BUSY)
            dropped, folder = session.settle(), session.folder / secrets.token_hex(8)
            arguments = (folder, request, inputs, self.limits, self.executor, address)
            session.previous, session.run = session.run, DemoRun(*arguments)
        _delete(dropped)
        return session.run

    def _settle(self, session: Session) -> None:
        with self._lock:
            dropped = session.settle()
        _delete(dropped)

    def _updates(self, run: DemoRun, session: Session) -> Iterator[dict[str, Any]]:
        while not run.over:
            run.changed.wait(UPDATE_INTERVAL)
            run.changed.clear()
            session.last_seen = time.monotonic()
            if not run.over:
                yield run.state_dict(self.queue.position(run), self.queue.longest_wait(run))
        if run.error:
            raise UserError(run.error)
        yield run.state_dict()

    def stop(self, key: str | None) -> None:
        """Ends a session's run, with the result so far."""
        session = self._sessions.get(str(key))
        if session is not None and session.run is not None:
            self.queue.leave(session.run)

    def busy(self, key: str) -> bool:
        """Whether a page or one of its API calls has a run that is not over."""
        return any(session.busy for session in self._family(key).values())

    def finished(self, key: str | None) -> dict[str, Any] | None:
        """What the page showed at the end of a session's last run of the picture it shows now.

        None if there is none.

        Raises:
            UserError: the run is not over.
        """
        session = self._sessions.get(str(key))
        if session is None or session.run is None:
            return None
        if session.busy:
            raise UserError(BUSY)
        self._settle(session)
        same = session.run.source == session.pictures.source
        return session.run.state_dict() if same and not session.run.error else None

    def result(self, key: str) -> bytes:
        """The PNG that a session's run ended with.

        Raises:
            UserError: there is none.
        """
        session = self._sessions.get(key)
        found = session.run.fetch("result.png") if session and session.run else None
        if found is None or not isinstance(found[0], bytes):
            raise UserError("There is no result: try again.")
        return found[0]

    def find_run(self, token: str) -> DemoRun | None:
        """The run with that token, while its session lasts."""
        sessions = list(self._sessions.values())
        runs = [run for session in sessions for run in (session.run, session.previous) if run]
        same = [run for run in runs if secrets.compare_digest(run.token.encode(), token.encode())]
        return same[0] if same else None

    def leave(self, key: str | None) -> None:
        """Ends a page's session and its API calls: stops their runs, deletes what is theirs."""
        with self._lock:
            ended = self._family(str(key))
            self._left_at[str(key)] = time.monotonic()
            for each, session in ended.items():
                del self._sessions[each]
                session.pictures.close()
        for session in ended.values():
            if session.run is not None:
                session.run.call_at_end(session.cleanup)
                session.run.abandon()
                self.queue.leave(session.run)
            session.cleanup()

    def count_page(self, key: str, change: int) -> None:
        """Counts a page that connected (1) or disconnected (-1)."""
        with self._lock:
            self._open_pages[key] += change
            if self._open_pages[key] <= 0:
                del self._open_pages[key]
            if session := self._sessions.get(key):
                session.last_seen = time.monotonic()

    def delete_later(self, folder: Path, seconds: float) -> None:
        """Deletes a folder after so many seconds."""
        with self._lock:
            self._pending_deletes[folder] = time.monotonic() + seconds
            self._start_cleaner()

    def close(self) -> None:
        """Ends all sessions and deletes everything, at the end of the process."""
        for key in list(self._sessions):
            self.leave(key)
        self.queue.close()
        self.executor.close()
        for folder in [*self._pending_deletes, self._root]:
            shutil.rmtree(folder, ignore_errors=True)

    def _family(self, key: str) -> dict[str, Session]:
        """A page's session and those of its API calls."""
        sessions = list(self._sessions.items())
        return {each: s for each, s in sessions if each == key or each.startswith(f"{key}/")}

    def _open(self, key: str | None) -> Session:
        """The session with that key, a new one if need be; None gets one that is used once."""
        from .session_pictures import CLOSED, SessionPictures

        self._cleanup()
        name = str(key) if key else secrets.token_hex(16)
        with self._lock:
            session = self._sessions.get(name)
            if session is None:
                if name in self._left_at or name.partition("/")[0] in self._left_at:
                    raise UserError(CLOSED)
                if len(self._sessions) >= self.limits.max_sessions:
                    raise UserError("The demo is full: try again in a few minutes.")
                self._start_cleaner()
                folder = self._root / secrets.token_hex(16)
                folder.mkdir(parents=True, mode=0o700)
                pictures = SessionPictures(folder, self._counts, self.limits.max_pixels)
                session = self._sessions[name] = Session(folder, pictures)
        session.last_seen = time.monotonic()
        return session

    def _cleanup(self) -> None:
        """Ends sessions that have been idle too long, and deletes folders that are due."""
        now = time.monotonic()
        with self._lock:
            self._left_at = {k: at for k, at in self._left_at.items() if now - at < REJOIN_DELAY}
            due = [path for path, at in self._pending_deletes.items() if at <= now]
            for path in due:
                del self._pending_deletes[path]
            idle = [key for key, session in self._sessions.items() if self._is_idle(key, session)]
        for path in due:
            shutil.rmtree(path, ignore_errors=True)
        for key in idle:
            self.leave(key)

    def _is_idle(self, key: str, session: Session) -> bool:
        allowed = self.limits.idle
        if not self._open_pages[key.partition("/")[0]]:
            allowed = min(allowed, self.limits.idle_without_page)
        return not session.busy and time.monotonic() - session.last_seen > allowed

    def _start_cleaner(self) -> None:
        """Starts the thread that cleans up for as long as there is anything."""
        if self._cleaner is None:
            self._cleaner = threading.Thread(target=self._clean, name="cleaner", daemon=True)
            self._cleaner.start()

    def _clean(self) -> None:
        pause = max(0.05, min(CLEANUP_INTERVAL, self.limits.idle / 4))
        while True:
            time.sleep(pause)
            self._cleanup()
            with self._lock:
                if not self._sessions and not self._pending_deletes:
                    self._cleaner = None
                    return


def _delete(folder: Path | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
