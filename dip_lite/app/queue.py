"""The runs that are served, and those that wait: first come, first served.

    queue = RunQueue(length=12)
    queue.join(run)                # or UserError; run.work() is called when its turn comes
    queue.position(run)            # 0 while it runs, 1 next, …; None once it is over
    queue.leave(run)               # it no longer waits, or is asked to stop

One thread does all runs: PyTorch keeps its workers by thread, so two would compete for the cores,
and one fit on the whole machine is faster than two on halves. A cluster's workers are `slots` of
their own; then as many threads look after a run each.
"""

import contextlib
import heapq
import threading
import time
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
        """Does it all; called once, by one of the queue's threads."""

    def stop(self) -> None:
        """Asks it to end soon."""

    def drop(self) -> None:
        """Ends it: it will not run, or not to its end."""


class RunQueue:
    """First come, first served; see the module.

    Args:
        length: how many may wait, besides those that run.
        per_address: how many of them from one network address; 0 for half.
        slots: how many run at a time.

    Attributes:
        running: the runs whose turn it is.
        served: how many have been.
    """

    def __init__(self, length: int, per_address: int = 0, slots: int = 1) -> None:
        self.length, self.per_address = length, per_address or max(1, length // 2)
        self.slots, self.served, self.running = slots, 0, list[QueuedRun]()
        self._waiting: deque[QueuedRun] = deque()
        self._changed = threading.Condition()
        self._threads = list[threading.Thread]()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def resize(self, slots: int) -> None:
        """Has so many run at a time from now on; those that run already are left alone."""
        with self._changed:
            self.slots = slots
            self._start_threads()
            self._changed.notify_all()

    def join(self, run: QueuedRun) -> None:
        """Appends a run.

        Raises:
            UserError: the queue is full; it says for how long, about.
        """
        with self._changed:
            served_at_once = len(self.running) + len(self._waiting) < self.slots
            if not served_at_once and len(self._waiting) >= self.length:
                raise UserError(self._full())
            same = sum(
                bool(run.address) and run.address == other.address for other in self._waiting
            )
            if not served_at_once and same >= self.per_address:
                raise UserError(
                    f"{same} runs from your network address are waiting already: try again when "
                    "one of them is done."
                )
            if self._closed:
                raise UserError("The demo is shutting down: try again later.")
            self._waiting.append(run)
            self._start_threads()
            self._changed.notify()

    def position(self, run: QueuedRun) -> int | None:
        """How many runs are before it: 0 when it is its turn, None when it is not in the queue."""
        with self._changed:
            if run in self.running:
                return 0
            return self._waiting.index(run) + 1 if run in self._waiting else None

    def longest_wait(self, run: QueuedRun) -> float:
        """Seconds until its turn, if no run before it stops early; 0 once it has come."""
        with self._changed:
            waiting = [*self._waiting]
            ahead = waiting[: waiting.index(run)] if run in waiting else waiting
            return 0.0 if run in self.running else self._wait(ahead)

    def _wait(self, ahead: list[QueuedRun]) -> float:
        """Seconds until a slot is free for whoever comes after these."""
        slots = max(self.slots, 1)
        busy = sorted(run.seconds_left for run in self.running)[-slots:]
        free = [0.0] * (slots - len(busy)) + busy  # a heap, as it is sorted
        for run in ahead:
            heapq.heapreplace(free, free[0] + run.seconds_left)
        return free[0]

    def leave(self, run: QueuedRun) -> None:
        """Takes a run out of the queue, or asks it to stop if it runs."""
        with self._changed:
            waiting = run in self._waiting
            if waiting:
                self._waiting.remove(run)
            self._changed.notify_all()
        if waiting:
            run.drop()
        else:
            run.stop()

    def close(self, timeout: float = 5.0) -> None:
        """Refuses new runs, ends the others, waits up to `timeout` seconds for those that run."""
        with self._changed:
            self._closed = True
            runs, threads = [*self.running, *self._waiting], [*self._threads]
            self._changed.notify_all()
        for run in runs:
            self.leave(run)
        deadline = time.monotonic() + timeout
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _full(self) -> str:
        minutes = max(1, round(self._wait([*self._waiting]) / 60))
        people = "1 person is" if self.length == 1 else f"{self.length} people are"
        why = f"The queue is full, {people} waiting" if self.length else "The demo is in use"
        return f"{why}: try again in about {minutes} minute{'s' if minutes > 1 else ''}."

    def _start_threads(self) -> None:
        """As many as are needed now; they stay."""
        needed = min(self.slots, len(self.running) + len(self._waiting))
        for _ in range(needed - len(self._threads)):
            thread = threading.Thread(target=self._serve, name="fits", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _next(self) -> QueuedRun | None:
        """The run whose turn it is, once there is one; None at the end."""
        with self._changed:
            while not self._waiting or len(self.running) >= self.slots:
                if self._closed and not self._waiting:
                    return None
                self._changed.wait()
            self.running.append(run := self._waiting.popleft())
            return run

    def _serve(self) -> None:
        while (run := self._next()) is not None:
            try:
                run.work()
            except Exception:  # the next run is not to blame
                traceback.print_exc()
                with contextlib.suppress(Exception):
                    run.drop()
            with self._changed:
                self.running.remove(run)
                self.served += 1
                del run
                self._changed.notify_all()
