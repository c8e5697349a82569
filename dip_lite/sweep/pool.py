"""The workers of a Dask cluster, one of which a caller takes at a time.

    pool = WorkerPool("tcp://10.0.0.7:8786", warm_up, on_change)
    address = pool.acquire(timeout=0.5)                 # None: all are busy, or there are none
    stream = pool.stream(address, function, arguments)
    pool.release(address, ended=stream.close())

A thread watches the scheduler. It connects again when it was lost, and admits workers that join:
those with this version of the package and of Python, after they have called `warm_up`.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import reason
from .cluster import check_installed, connect_remote, hide_logs
from .streaming import WorkerStream, list_workers, prepare

if TYPE_CHECKING:
    from distributed import Client, Future

INTERVAL = 0.5  # seconds between two looks at the scheduler
PYTHON = "{}.{}".format(*sys.version_info[:2])
# sent as text, because a worker of another version may not have our functions
VERSIONS = (
    "('%d.%d' % __import__('sys').version_info[:2], __import__('sys').version_info[:2] == "
    f"{tuple(sys.version_info[:2])} and __import__('dip_lite').__version__)"
)


class WorkerPool:
    """See the module.

    Args:
        address: of the scheduler, tcp://host:port or tls://host:port.
        warm_up: an importable function that a worker calls before it is used.
        on_change: called with the number of workers at every look; it must not wait.
        report: called with one sentence about a worker that is refused.
        timeout: seconds for the scheduler to answer at first.

    Attributes:
        connected: whether the scheduler answers.
        workers: bytes that each admitted worker can use (0 for no limit), by address.
        refused: why others were not admitted, by address.
        lost: how many workers were lost in the middle of a stream.

    Raises:
        SweepError: Dask is not installed, or no scheduler answers.
    """

    def __init__(
        self, address: str, warm_up: Callable[[], None],
        on_change: Callable[[int], None] = lambda count: None,
        report: Callable[[str], None] = print, timeout: float = 10.0,
    ) -> None:  # fmt: skip
        check_installed()
        self.address, self.on_change, self.report = address, on_change, report
        self.workers, self.refused, self.lost = dict[str, int](), dict[str, str](), 0
        self._warm_up, self._busy = warm_up, set[str]()
        self._pending: dict[str, Future] = {}
        self._changed, self._closed = threading.Condition(), threading.Event()
        self._logs = contextlib.ExitStack()
        self._logs.enter_context(hide_logs())
        self.client: Client = connect_remote(address, timeout)
        self.connected = True
        threading.Thread(target=self._watch, name="cluster", daemon=True).start()

    def acquire(self, timeout: float, memory: int = 0) -> str | None:
        """The address of a worker that is now the caller's, None if none is free in time.

        Args:
            timeout: in seconds.
            memory: bytes that it must be allowed to use.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for address, limit in self.workers.items():
                    if address not in self._busy and (not limit or limit >= memory):
                        self._busy.add(address)
                        return address
                if (left := deadline - time.monotonic()) <= 0:
                    return None
                self._changed.wait(left)

    def release(self, address: str, lost: bool = False, ended: bool = True) -> None:
        """Gives a worker back; one that was lost or is still busy has to be admitted again.

        Args:
            address: of the worker.
            lost: whether it was lost in the middle of a stream.
            ended: whether its stream has ended. If not, what admits it waits there for its turn.
        """
        with self._changed:
            self._busy.discard(address)
            self.lost += lost
            if lost or not ended:
                self.workers.pop(address, None)
                self.on_change(len(self.workers))
            self._changed.notify_all()

    def stream(
        self, address: str, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> WorkerStream:
        """A generator on that worker, see `WorkerStream`."""
        return WorkerStream(self.client, address, function, arguments)

    def close(self) -> None:
        """Disconnects; streams must have ended."""
        self._closed.set()
        with contextlib.suppress(Exception):
            self.client.close(timeout=2)
        self._logs.close()

    def _watch(self) -> None:
        while not self._closed.wait(INTERVAL):
            try:
                if self.client.status == "closed" and not self._busy:  # streams use its thread
                    self.client._loop_runner.stop()  # close() has left it running
                    self.client = connect_remote(self.address, timeout=5)
                found = self.client.sync(list_workers, self.client)
            except Exception:  # not there, or not yet there again
                self._update(set(), connected=False)
            else:
                self._update(found, connected=True)

    def _update(self, found: set[str], connected: bool) -> None:
        """Forgets workers that left, and admits those that joined."""
        with self._changed:
            self.connected = connected
            for known in (self.workers, self.refused, self._pending):
                for address in known.keys() - found:
                    del known[address]  # type: ignore[attr-defined]
            new = found - self.workers.keys() - self.refused.keys()
        for address in new:  # without the lock, because a worker may take a while to answer
            with contextlib.suppress(Exception):  # the next look tries again
                self._admit(address)
        with self._changed:
            self.on_change(len(self.workers))
            self._changed.notify_all()

    def _admit(self, address: str) -> None:
        """The next step of admitting a worker; each is a task there, which may take a while."""
        future = self._pending.pop(address, None)
        status = "lost" if future is None else future.status
        if future is None or status in ("cancelled", "lost"):
            self._pending[address] = self._submit(address, eval, VERSIONS)
        elif status == "pending":
            self._pending[address] = future
        elif status == "error":
            self._refuse(address, f"it cannot be used ({reason(future.exception())})")
        elif isinstance(result := future.result(timeout=5), int):
            with self._changed:
                self.workers[address] = result
        elif why := difference(*result):
            self._refuse(address, why)
        else:
            self._pending[address] = self._submit(address, prepare, self._warm_up)

    def _submit(self, address: str, function: Callable[..., Any], argument: Any) -> Future:
        key = f"dip_lite-admit-{secrets.token_hex(8)}"
        options: dict[str, Any] = {"workers": [address], "allow_other_workers": False}
        return self.client.submit(function, argument, key=key, pure=False, **options)

    def _refuse(self, address: str, why: str) -> None:
        self.refused[address] = f"The worker at {address} is refused: {why}."
        self.report(self.refused[address])


def difference(python: str, package: str | bool) -> str:
    """Why a worker with these versions is refused; empty if it is not.

    >>> difference("2.7", False).partition(",")[0]
    'it has Python 2.7'
    """
    if python != PYTHON:
        return f"it has Python {python}, the demo has {PYTHON}: install the same on both"
    if package != __version__:
        return (
            f"it has dip_lite {package}, the demo has {__version__}: install the same version on "
            f"both"
        )
    return ""
