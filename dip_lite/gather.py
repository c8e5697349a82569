"""Many small jobs on a Dask cluster, of which none is lost and none comes twice.

    with connect(site) as client:
        for item, result in gather(client, site, items, send): ...  # as they come

Dask runs what a lost worker had again, perhaps more than once; every job is one future here, and a
future comes once.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from .cluster import SILENCE, Site, deserted, gone

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
AHEAD = 16  # items sent before they are needed, at least; each waits in memory
COLLECT = 120.0  # seconds for a result to come from its worker before we look what is wrong


def gather(
    client: Client, site: Site, items: Iterable[T], send: Callable[[T], Future]
) -> Generator[tuple[T, Any]]:
    """Sends items and yields each once, with its result or its exception, as they come.

    What a lost worker had or made, Dask has another one make. Few are sent ahead of the workers.

    Args:
        client, site: from `connect`.
        items: what to compute, in this order.
        send: submits one of them.

    Raises:
        SweepError: the scheduler has gone, or all workers have and none comes back.
    """
    left = deque(items)
    done: queue.SimpleQueue[Future] = queue.SimpleQueue()
    running: dict[Any, tuple[T, Future]] = {}
    try:
        while left or running:
            room = _room(client, site) - len(running) if left else 0
            for _ in range(min(room, len(left))):
                future = _send(client, site, send, item := left.popleft())
                running[future.key] = (item, future)
                future.add_done_callback(done.put)
            if (ready := _next(client, site, done)) is None:
                continue
            if (result := _result(client, site, ready)) is ready:
                done.put(ready)  # its worker has gone meanwhile: it is made again
                continue
            item, _ = running.pop(ready.key)
            ready.release()
            yield item, result
    finally:
        if running and client.status == "running":
            with contextlib.suppress(*SILENCE):
                client.cancel([future for _, future in running.values()], force=True)


def _send(client: Client, site: Site, send: Callable[[T], Future], item: T) -> Future:
    try:
        return send(item)
    except Exception as error:
        if client.status != "running":
            raise gone(site) from error
        raise


def _room(client: Client, site: Site) -> int:
    """How many items may be with the cluster at a time."""
    return max(AHEAD, 4 * sum(_threads(client, site).values()))


def _threads(client: Client, site: Site) -> dict[str, int]:
    """The number of threads of every worker."""
    try:
        return dict(client.nthreads())
    except Exception as error:
        raise gone(site) from error


def _next(client: Client, site: Site, done: queue.SimpleQueue[Future]) -> Future | None:
    """The next future that is done; None when it is as well to look whether there is more room."""
    start = time.monotonic()
    while time.monotonic() - start < site.patience:
        with contextlib.suppress(queue.Empty):
            return done.get(timeout=1.0)
        if client.status != "running":
            raise gone(site)
        if _threads(client, site):
            return None
    raise deserted(site)


def _result(client: Client, site: Site, future: Future) -> Any:
    """Its result, or what it raised; the future itself when its result was lost on the way."""
    if future.status == "cancelled":
        raise gone(site)
    try:
        return future.result(timeout=COLLECT)
    except asyncio.CancelledError as error:
        raise gone(site) from error
    except SILENCE as error:
        if client.status != "running":
            raise gone(site) from error
        return future if future.status != "error" else error
    except Exception as error:
        return error
