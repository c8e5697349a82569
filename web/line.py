"""One run at a time, the others in a line.

    line = Line(length=12)
    line.join(run)       # or SorryError; run.work() is called when its turn comes
    line.place(run)         # 0 while it runs, 1 next, …; None once it is over
    line.leave(run)         # it no longer waits, or is told to stop

All runs are done by one thread, which starts with the first: PyTorch keeps its workers by thread,
so two of them would fight over the cores. A fit of the whole machine is faster than two halves.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

from .choices import SorryError


class Turn(Protocol):
    """What can stand in the line."""

    host: str  # the network address it came from, empty for none

    @property
    def left(self) -> float:
        """Seconds that it may still take, for those who wait."""

    def work(self) -> None:
        """Does it all; called once, by the line's thread."""

    def stop(self) -> None:
        """Asks it to end soon."""

    def drop(self) -> None:
        """Tells it that its turn will not come."""


class Line:
    """First come, first served; see the module.

    Args:
        length: how many may wait, beside the one whose turn it is.
        each: how many of them from one network address; 0 for half.
    """

    def __init__(self, length: int, each: int = 0) -> None:
        self.length, self.each = length, each or max(1, length // 2)
        self._closed = False
        self.now: Turn | None = None
        self._waiting: deque[Turn] = deque()
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, turn: Turn) -> None:
        """Puts a run at the end of the line.

        Raises:
            SorryError: the line is full; it says for how long, about.
        """
        with self._news:
            busy = self.now is not None or bool(self._waiting)
            if busy and len(self._waiting) >= self.length:
                raise SorryError(self._full())
            theirs = sum(bool(turn.host) and other.host == turn.host for other in self._waiting)
            if theirs >= self.each:
                raise SorryError(
                    f"From your network address {theirs} are waiting already: please try again "
                    "when one of them is done."
                )
            if self._closed:
                raise SorryError("The demo is just closing: please try again later.")
            self._waiting.append(turn)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="fits", daemon=True)
                self._thread.start()
            self._news.notify()

    def place(self, turn: Turn) -> int | None:
        """How many are before it: 0 when it is its turn, None when it is not in the line."""
        with self._news:
            if self.now is turn:
                return 0
            return self._waiting.index(turn) + 1 if turn in self._waiting else None

    def wait(self, turn: Turn) -> float:
        """Seconds until its turn, at most, if nobody stops before."""
        with self._news:
            before = [*([self.now] if self.now else [])]
            for other in self._waiting:
                if other is turn:
                    break
                before.append(other)
        return sum(other.left for other in before)

    def leave(self, turn: Turn) -> None:
        """Takes a run out of the line, and asks it to stop if it runs."""
        with self._news:
            waiting = turn in self._waiting
            if waiting:
                self._waiting.remove(turn)
        if waiting:
            turn.drop()
        else:
            turn.stop()

    def close(self, patience: float = 5.0) -> None:
        """Takes nobody more, asks all to end, and waits so many seconds for the one at work."""
        with self._news:
            self._closed = True
            turns, thread = [*self._waiting, *([self.now] if self.now else [])], self._thread
            self._news.notify()
        for turn in turns:
            self.leave(turn)
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience)

    def _full(self) -> str:
        waiting = sum(turn.left for turn in self._waiting)
        minutes = max(1, round((waiting + (self.now.left if self.now else 0)) / 60))
        people = "One person is" if self.length == 1 else f"{self.length} people are"
        people = "Somebody is being served" if self.length == 0 else f"{people} waiting already"
        plural = "" if minutes == 1 else "s"
        return f"{people}: the line is full, please try again in about {minutes} minute{plural}."

    def _serve(self) -> None:
        while True:
            with self._news:
                self.now = None
                while not self._waiting:
                    if self._closed:
                        return
                    self._news.wait()
                self.now = self._waiting.popleft()
            self.now.work()
