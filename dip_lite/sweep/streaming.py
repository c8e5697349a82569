"""A generator on a worker of a Dask cluster, whose items come straight to the caller.

    with WorkerStream(client, address, function, arguments) as stream:
        while not stream.done:
            for item in stream.take(): ...        # yielded there by function(*arguments, folder)

To the scheduler it is a task like any other, so Dask's dashboard shows it; but what goes in and
what comes out travels between caller and worker alone, over Dask's own connections with the TLS
settings of its configuration. The caller pulls: it acknowledges what it has with every call, and
names the signals that were given, which on the worker are empty files in `folder`. The folder is
deleted at the end. The generator also ends when its caller has been silent for `SILENCE` seconds,
and when the worker closes, as it does without a scheduler.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import secrets
import shutil
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WorkerLostError

if TYPE_CHECKING:
    from distributed import Client

OPERATION = "dip_lite_stream"  # what a worker is asked for
SILENCE = 30.0  # seconds after which a worker gives its caller up
PATIENCE = 20.0  # seconds after which a caller gives its worker up
START_TIMEOUT = 60.0  # seconds for a stream to begin: a worker short of memory is paused by Dask
USABLE = 0.75  # of a worker's memory limit: Dask pauses it at 0.8
CONNECT_TIMEOUT, UPLOAD_TIMEOUT, TIMEOUT = 2.0, 60.0, 10.0  # seconds; the last: for a reply
LONG_POLL = 0.25  # seconds that a worker waits for an item before it replies
PAUSE = 0.15  # seconds between two calls, so that items come several at a time
MAX_ITEMS, MAX_BYTES = 200, 8_000_000  # waiting on a worker; in one reply, if it is not one item


# --- the caller's side


class WorkerStream:
    """See the module.

    Args:
        client: of the cluster.
        address: of a worker on which `prepare` was run.
        function: an importable generator function; its last argument is a temporary folder.
        arguments: the others; pickled.

    Attributes:
        done: whether all items were taken.
    """

    def __init__(
        self, client: Client, address: str, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> None:
        self.client, self.address, self.done = client, address, False
        self._name = f"dip_lite-{function.__name__}-{secrets.token_hex(8)}"
        self._payload = pickle.dumps((function, arguments))
        self._started, self._taken = False, 0
        self._submitted = self._heard = time.monotonic()
        self._future = client.submit(
            serve, self._name, key=self._name, workers=[address], allow_other_workers=False,
            retries=0, pure=False,
        )  # fmt: skip

    def __enter__(self) -> WorkerStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, signals: Iterable[str] = ()) -> list[Any]:
        """The items since the last call, waiting up to `LONG_POLL` seconds for one.

        Raises:
            WorkerLostError: see there.
            Exception: whatever the generator raised.
        """
        if self._started:
            time.sleep(max(0.0, self._heard + PAUSE - time.monotonic()))
        try:
            reply = self._ask(signals=[*signals])
            if reply is not None and reply["waits"]:
                reply = self._ask(payload=self._payload)
        except Exception as error:  # every protocol has its own
            time.sleep(LONG_POLL)  # so that the scheduler knows, too
            if not self._is_alive():
                raise WorkerLostError(self.address) from error
            return []
        self._heard = time.monotonic()
        if reply is None:
            self._check_future()
            time.sleep(0.05)
            return []
        self._started = True
        items = [pickle.loads(item) for item in reply["items"]]
        if items and isinstance(items[0], _Failure):
            items[0].reraise()
        failed = bool(items) and isinstance(items[-1], _Failure)  # the next call gets it again
        items = items[:-1] if failed else items
        self._taken += len(items)
        self.done = reply["finished"] and not failed
        return items

    def close(self, *signals: str) -> bool:
        """Ends the generator, at its next item unless a signal ends it sooner.

        Waits `PATIENCE` seconds for that, and at most `CONNECT_TIMEOUT` and `TIMEOUT` more for the
        last reply. A worker that does not reply is not asked again.

        Returns:
            whether it has ended; False if the worker did not say so.
        """
        deadline, ended = time.monotonic() + PATIENCE, False
        with contextlib.suppress(Exception):
            while not (ended := self._ask(signals=signals, leave=True) is None):
                if time.monotonic() > deadline:
                    break
                time.sleep(PAUSE)
        with contextlib.suppress(Exception):
            self._future.cancel()
        self._payload = b""
        return ended

    def _ask(self, **message: Any) -> dict[str, Any] | None:
        reply: dict[str, Any] | None = self.client.sync(self._send, message)
        return reply

    async def _send(self, message: dict[str, Any]) -> Any:
        connections = self.client.rpc  # by itself it would try for half a minute to connect
        connection = await connections.connect(self.address, timeout=CONNECT_TIMEOUT)
        connections.reuse(self.address, connection)
        call = getattr(connections(self.address), OPERATION)
        timeout = UPLOAD_TIMEOUT if "payload" in message else TIMEOUT
        return await asyncio.wait_for(call(name=self._name, after=self._taken, **message), timeout)

    def _is_alive(self) -> bool:
        """Whether it makes sense to ask the worker again, after a call that failed."""
        silent = time.monotonic() - self._heard
        try:
            workers = self.client.sync(list_workers, self.client)
        except Exception:  # no scheduler either
            return silent < CONNECT_TIMEOUT
        return silent < PATIENCE and self.address in workers

    def _check_future(self) -> None:
        """The worker does not know the stream: because it is not its turn yet?"""
        if self._future.status == "error":
            raise self._future.exception()
        late = time.monotonic() - self._submitted > START_TIMEOUT
        if self._started or self._future.status != "pending" or late or not self._is_alive():
            raise WorkerLostError(self.address)


async def list_workers(client: Client) -> set[str]:
    """The addresses of a cluster's workers.

    Raises:
        OSError, TimeoutError: the scheduler does not answer.
    """
    if client.status != "running" or client.scheduler is None:
        raise OSError("not connected")
    return set(await asyncio.wait_for(client.scheduler.ncores(), TIMEOUT))


# --- the worker's side

_JOBS: dict[str, _Job] = {}  # by name, from when a task begins until it ends


class _Failure:
    """What a generator raised, as its last item."""

    def __init__(self, error: Exception) -> None:
        self.text = "".join(traceback.format_exception(error))
        try:
            self.error = pickle.dumps(error)
            pickle.loads(self.error)
        except Exception:  # not every exception can be pickled
            self.error = pickle.dumps(RuntimeError(str(error)))

    def reraise(self) -> None:
        raise pickle.loads(self.error) from RuntimeError(f"on a worker:\n{self.text}")


class _Job:
    """A generator that runs here, and its items until they are taken."""

    def __init__(self, folder: Path, is_closing: Callable[[], bool] = lambda: False) -> None:
        self.folder, self.payload, self.begun = folder, b"", False
        self.is_closing = is_closing  # whether the worker ends
        self.items: deque[bytes] = deque()
        self.first = 0  # the number of the first of them
        self.finished = self.left = False
        self.heard, self.changed = time.monotonic(), threading.Condition()

    def run(self) -> None:
        """The whole of it; called by the task."""
        if not self._wait(lambda: self.begun):
            return
        (function, arguments), self.payload = pickle.loads(self.payload), b""
        try:
            with contextlib.closing(function(*arguments, self.folder)) as items:
                for item in items:
                    if not self._put(item):
                        return
        except Exception as error:
            self._put(_Failure(error))
        self.finished = True
        self._wait(lambda: False)  # until all is taken

    def _put(self, item: Any) -> bool:
        """Whether to go on."""
        with self.changed:
            self.items.append(pickle.dumps(item))
        return self._wait(lambda: len(self.items) < MAX_ITEMS)

    def _wait(self, ready: Callable[[], bool]) -> bool:
        """Waits for it; False if nobody is to have the items."""
        with self.changed:
            while not (ready() or self._is_over()):
                self.changed.wait(1.0)
            return not self._is_over()

    def _is_over(self) -> bool:
        return self.left or self.is_closing() or time.monotonic() - self.heard > SILENCE

    def hear(self, after: int, signals: Iterable[str], payload: bytes, leave: bool) -> None:
        """What the caller says."""
        for name in signals:
            (self.folder / Path(name).name).touch()
        with self.changed:
            self.heard, self.left = time.monotonic(), self.left or leave
            if payload and not self.begun:
                self.payload, self.begun = payload, True
            while self.first < after and self.items:
                self.items.popleft()
                self.first += 1
            self.changed.notify_all()

    def reply(self) -> dict[str, Any]:
        """The answer to the caller."""
        with self.changed:
            batch, size = list[bytes](), 0
            for item in self.items:
                if batch and size + len(item) > MAX_BYTES:
                    break
                batch.append(item)
                size += len(item)
            finished = self.finished and len(batch) == len(self.items)
        return {"items": batch, "finished": finished, "waits": not self.begun}


def prepare(warm_up: Callable[[], None]) -> int:
    """Makes a worker ready for streams; runs there as a task, and before any.

    Args:
        warm_up: called there, so that the first stream need not wait for imports.

    Returns:
        bytes that the worker can use before Dask pauses it, 0 for no limit.
    """
    from distributed import get_worker

    worker = get_worker()
    worker.handlers[OPERATION] = _handle
    warm_up()
    return int(USABLE * (worker.memory_manager.memory_limit or 0))


def serve(name: str) -> None:
    """The task of a stream."""
    from distributed import Status, get_worker

    worker = get_worker()
    folder = Path(tempfile.mkdtemp(prefix="stream-", dir=worker.local_directory))
    job = _JOBS[name] = _Job(folder, lambda: worker.status in (Status.closing, Status.closed))
    try:
        job.run()
    finally:
        del _JOBS[name]
        shutil.rmtree(folder, ignore_errors=True)


async def _handle(
    name: str, after: int, signals: Iterable[str] = (), payload: bytes = b"", leave: bool = False
) -> dict[str, Any] | None:
    """A caller's call, on the worker's event loop; None if there is no such stream."""
    if (job := _JOBS.get(name)) is None:
        return None
    job.hear(after, signals, payload, leave)
    deadline, idle = time.monotonic() + LONG_POLL, job.begun and not leave
    while idle and not job.items and not job.finished and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return job.reply()
