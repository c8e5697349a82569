"""Pictures as the page shows them, small WebPs, encoded on a thread of its own.

with EventEncoder() as encoder:
    encoder.submit(make_events)             # → a list of events
    yield from encoder.ready()              # what is done, in order
    yield from encoder.drain()              # all the rest
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from ..images.io import data_uri as data_uri
from ..images.io import encode_webp as encode_webp
from .events import Event

MAX_PENDING = 3  # snapshots waiting to be encoded; each holds two or three pictures


class EventEncoder:
    """Turns snapshots into events, one after another, on a background thread.

    Leaving the context drops what is not yet begun, and waits for what is.

    Attributes:
        seconds: of processor time that the calls took.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._pool = ThreadPoolExecutor(1, "encoder")
        self._pending: deque[Future[list[Event]]] = deque()

    def __enter__(self) -> EventEncoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def behind(self) -> bool:
        """Whether something is still to be encoded."""
        return bool(self._pending) and not self._pending[-1].done()

    def submit(self, make: Callable[[], list[Event]]) -> None:
        """Has a call made in the background; `ready` and `drain` give what it returns."""
        self._pending.append(self._pool.submit(self._timed, make))

    def ready(self) -> Iterator[Event]:
        """The events that are done, in order; waits while too many calls are pending.

        Raises:
            Exception: whatever a call raised.
        """
        while self._pending and (self._pending[0].done() or len(self._pending) > MAX_PENDING):
            yield from self._pending.popleft().result()

    def drain(self) -> Iterator[Event]:
        """All events that are left; raises as `ready`."""
        while self._pending:
            yield from self._pending.popleft().result()

    def _timed(self, make: Callable[[], list[Event]]) -> list[Event]:
        started = time.thread_time()
        events = make()
        self.seconds += time.thread_time() - started
        return events
