"""One run at a time, the others wait in a queue.

    queue = RunQueue(length=12)
    queue.join(run)                # or UserError; run.work() is called when its turn comes
    queue.position(run)            # 0 while it runs, 1 next, …; None once it is over
    queue.leave(run)               # it no longer waits, or is asked to stop

One thread does all runs: PyTorch keeps its workers by thread, so two would compete for the cores,
and one fit on the whole machine is faster than two on halves.
"""

import contextlib
import threading
import traceback
from collections import deque
from typing import Protocol

from ..errors import UserError


class QueuedRun(Protocol):
    """What can wait in the queue."""

    address: str  # the network address it came from; empty for none

    @property
    def seconds_left(self) -> float:
        """How long it may still take."""

    def work(self) -> None:
        """Does it all; called once, by the queue's thread."""

    def stop(self) -> None:
        """Asks it to end soon."""

    def drop(self) -> None:
        """Tells it that it will not run, or not to its end."""


class RunQueue:
    """First come, first served; see the module.

    Args:
        length: how many may wait, besides the one that runs.
        per_address: how many of them from one network address; 0 for half.
    """

    def __init__(self, length: int, per_address: int = 0) -> None:
        self.length, self.per_address = length, per_address or max(1, length // 2)
        self.current: QueuedRun | None = None
        self._waiting: deque[QueuedRun] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, run: QueuedRun) -> None:
        """Appends a run.

        Raises:
            UserError: the queue is full; it says for how long, about.
        """
        with self._changed:
            busy = self.current is not None or bool(self._waiting)
            if busy and len(self._waiting) >= self.length:
                raise UserError(self._full())
            same = sum(
                bool(run.address) and run.address == other.address for other in self._waiting
            )
            if same >= self.per_address:
                raise UserError(
                    f"{same} runs from your network address are waiting already: try again when "
                    "one of them is done."
                )
            if self._closed:
                raise UserError("The demo is shutting down: try again later.")
            self._waiting.append(run)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="fits", daemon=True)
                self._thread.start()
            self._changed.notify()

    def position(self, run: QueuedRun) -> int | None:
        """How many runs are before it: 0 when it is its turn, None when it is not in the queue."""
        with self._changed:
            if self.current is run:
                return 0
            return self._waiting.index(run) + 1 if run in self._waiting else None

    def longest_wait(self, run: QueuedRun) -> float:
        """Seconds until its turn, if no run before it stops early."""
        with self._changed:
            runs = self._all()
            ahead = runs[: runs.index(run)] if run in runs else runs
        return sum(other.seconds_left for other in ahead)

    def _all(self) -> list[QueuedRun]:
        """The current run, and those that wait."""
        return [*([self.current] if self.current else []), *self._waiting]

    def leave(self, run: QueuedRun) -> None:
        """Takes a run out of the queue, or asks it to stop if it runs."""
        with self._changed:
            waiting = run in self._waiting
            if waiting:
                self._waiting.remove(run)
        if waiting:
            run.drop()
        else:
            run.stop()

    def close(self, timeout: float = 5.0) -> None:
        """Refuses new runs, ends all others and waits up to `timeout` seconds for the current."""
        with self._changed:
            self._closed = True
            runs, thread = self._all(), self._thread
            self._changed.notify()
        for run in runs:
            self.leave(run)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _full(self) -> str:
        minutes = max(1, round(sum(run.seconds_left for run in self._all()) / 60))
        people = "1 person is" if self.length == 1 else f"{self.length} people are"
        why = f"The queue is full, {people} waiting" if self.length else "The demo is in use"
        return f"{why}: try again in about {minutes} minute{'s' if minutes > 1 else ''}."

    def _serve(self) -> None:
        while True:
            with self._changed:
                self.current = None
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                self.current = self._waiting.popleft()
            try:
                self.current.work()
            except Exception:  # the next run is not to blame
                traceback.print_exc()
                with contextlib.suppress(Exception):
                    self.current.drop()
