"""Where the trials of a sweep run: on this machine's cores, or on a Dask cluster.

    with connect(ClusterConfig(workers=2)) as client: ...              # a cluster of our own
    with connect(ClusterConfig("tcp://10.0.0.7:8786")) as client: ...  # a running one
        for trial, result in compute(client, config, trials, submit): ...

What can go wrong with a cluster raises `SweepError`; Dask's own log messages are hidden.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import multiprocessing
import os
import re
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from .. import __version__
from ..errors import SweepError, missing_extra, reason

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
AHEAD = 16  # items submitted before they are needed, at least; each waits in memory
POLL = 0.1  # seconds between two looks at the cluster
TIMEOUTS = (OSError, asyncio.TimeoutError)  # two classes before Python 3.11
_OFF = logging.CRITICAL + 1
_MAIN_GUARD = "in a script, call sweep under `if __name__ == '__main__':`: every worker imports it"


@dataclass(frozen=True)
class ClusterConfig:
    """Which cluster to use.

    Raises:
        ValueError: from the constructor, for workers or threads below 1.
    """

    scheduler: str | None = None  # tcp://host:port; None: a cluster of our own, on this machine
    workers: int | None = None  # of our own cluster; None: one for every `threads` cores
    threads: int = 1  # of PyTorch in one run
    timeout: float = 10.0  # seconds for the scheduler to answer
    worker_timeout: float = 30.0  # seconds that a cluster may be without a worker

    def __post_init__(self) -> None:
        for name in ("workers", "threads"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(f"{name} must be a whole number from 1, got {value!r}")


def check_installed() -> None:
    """Checks that the packages of the extra `sweep` are there, without importing them.

    Raises:
        SweepError: one is missing; the message names the command that installs it.
    """
    if message := missing_extra("sweep", "a sweep"):
        raise SweepError(message)


@contextlib.contextmanager
def connect(config: ClusterConfig, max_workers: int = 2**31) -> Iterator[Client]:
    """A client of a cluster that has a worker; a cluster of our own is closed with it.

    Args:
        config: which cluster.
        max_workers: start at most this many on this machine.

    Raises:
        SweepError: the scheduler does not answer, there is no worker, or versions differ.
    """
    with hide_logs():
        if config.scheduler is None:
            with _start_local(config, max_workers) as client:
                yield client
            return
        with connect_remote(config.scheduler, config.timeout) as client:
            _await_worker(client, config)
            _check_versions(client, config.scheduler)
            yield client


def compute(
    client: Client, config: ClusterConfig, items: Iterable[T], submit: Callable[[T], Future]
) -> Generator[tuple[T, Any]]:
    """Submits items and yields each once, with its result or its exception, as they finish.

    Dask computes again what a lost worker had. Few items are submitted ahead of the workers.
    Closing the generator cancels what is running.

    Raises:
        SweepError: the scheduler is lost, or all workers are and none comes back.
    """
    from distributed import as_completed

    waiting, last_worker = deque(items), time.monotonic()
    running: dict[Any, tuple[T, Future]] = {}
    finished = as_completed(loop=client.loop, with_results=True, raise_errors=False)
    try:
        while waiting or running:
            if threads := _count_threads(client, config):
                last_worker = time.monotonic()
            elif time.monotonic() - last_worker > config.worker_timeout:
                raise no_workers(config)
            for _ in range(min(len(waiting), max(AHEAD, 4 * threads) - len(running))):
                future = submit(item := waiting.popleft())
                running[future.key] = (item, future)
                finished.add(future)
            if not (batch := finished.next_batch(block=False)):
                time.sleep(POLL)
            for future, result in batch:
                if future.cancelled():  # the client does so when it loses the scheduler
                    raise scheduler_lost(config)
                item, _ = running.pop(future.key)
                yield item, result[1] if future.status == "error" else result
    except Exception as error:
        if client.status == "running" or isinstance(error, SweepError):
            raise
        raise scheduler_lost(config) from error
    finally:
        if running and client.status == "running":
            with contextlib.suppress(*TIMEOUTS):
                client.cancel([future for _, future in running.values()], force=True)


def _count_threads(client: Client, config: ClusterConfig) -> int:
    """Of all workers."""
    if client.status == "running":
        with contextlib.suppress(Exception):
            return sum(client.nthreads().values())
    raise scheduler_lost(config)


def scheduler_lost(config: ClusterConfig) -> SweepError:
    """The error for a scheduler that no longer answers."""
    place = f"at {config.scheduler}" if config.scheduler else "on this machine"
    return SweepError(
        f"the scheduler {place} no longer answers: run the same sweep again, finished runs are kept"
    )


def no_workers(config: ClusterConfig) -> SweepError:
    """The error for a cluster that has had no worker for too long."""
    if config.scheduler is None:
        return SweepError("all workers on this machine died: is there enough memory for them?")
    return SweepError(
        f"the scheduler at {config.scheduler} has had no worker for {config.worker_timeout:g} s: "
        f"start one with `dask worker {config.scheduler}`; finished runs are kept"
    )


# --- a cluster of our own


@contextlib.contextmanager
def _start_local(config: ClusterConfig, max_workers: int) -> Iterator[Client]:
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster

    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SweepError(_MAIN_GUARD)  # a worker is about to start workers of its own
    try:
        cluster = LocalCluster(
            n_workers=max(1, min(config.workers or CPU_COUNT // config.threads, max_workers)),
            threads_per_worker=1,  # one run at a time; its threads are PyTorch's
            processes=True,
            dashboard_address="127.0.0.1:0",  # a free port for its counters, seen from here alone
            scheduler_kwargs={"dashboard": False},
            memory_limit=0,  # no limit but the machine's: never kill a run for its memory
            silence_logs=_OFF,
        )
    except RuntimeError as error:
        cause = " ".join(str(error.__cause__ or error).split())[:200]
        raise SweepError(
            f"no worker could be started on this machine ({cause}): {_MAIN_GUARD}"
        ) from error
    with cluster, Client(cluster, set_as_default=False) as client:
        client.run(_exit_at_once)
        yield client


def _exit_at_once() -> None:
    """Skips the cleanup of our own workers: they hold nothing, and PyTorch's takes a second."""
    atexit.register(os._exit, 0)


# --- a running cluster


def connect_remote(address: str, timeout: float) -> Client:
    """A client of the scheduler at an address.

    Raises:
        SweepError: none answers there within so many seconds.
    """
    from distributed import Client

    if not re.fullmatch(r"((tcp|tls|ws|wss)://)?[^\s/]+:\d{1,5}", address):
        raise SweepError(
            f"the address of a Dask scheduler looks like tcp://10.0.0.7:8786, got {address!r}"
        )
    try:
        with ThreadPoolExecutor(1) as pool:  # the caller may have an event loop of its own
            kind = pool.submit(asyncio.run, _identify(address, timeout)).result()
        if kind != "Scheduler":
            raise SweepError(f"{address} is a Dask {kind}: give the address of its scheduler")
        return Client(address, timeout=timeout, set_as_default=False)
    except SweepError:
        raise
    except Exception as error:  # every protocol has its own
        cause = "" if isinstance(error, TIMEOUTS) else f" ({reason(error)})"
        raise SweepError(
            f"no Dask scheduler answers at {address} within {timeout:g} s{cause}: start one with "
            f"`dask scheduler`, or leave the address out to use this machine's cores"
        ) from error


async def _identify(address: str, timeout: float) -> str:
    """What listens there. A client would wait for ever for a server that never replies."""
    from distributed.core import rpc
    from distributed.security import Security

    options = Security().get_connection_args("client")
    async with rpc(address, timeout=timeout, connection_args=options) as server:
        identity = await asyncio.wait_for(server.identity(), timeout)
    return str(identity["type"])


def _await_worker(client: Client, config: ClusterConfig) -> None:
    try:
        client.wait_for_workers(1, timeout=config.worker_timeout)
    except TIMEOUTS as error:
        lost = client.status != "running"
        raise (scheduler_lost if lost else no_workers)(config) from error


def _check_versions(client: Client, address: str) -> None:
    """Refuses a cluster whose versions of dip_lite or distributed differ from ours."""
    found: dict[str, Any] = client.run(_versions, on_error="return")
    found = {f"the worker {name}": versions for name, versions in found.items()}
    try:
        found["the scheduler"] = client.run_on_scheduler(_versions)
    except Exception as error:
        found["the scheduler"] = error
    for node, theirs in found.items():
        if theirs != (ours := _versions()):
            theirs = "no dip_lite" if isinstance(theirs, Exception) else theirs
            raise SweepError(
                f"{node} of {address} has {theirs}, this machine has {ours}: install the same "
                f"versions on both"
            )


def _versions() -> str:
    import distributed

    return f"dip_lite {__version__} and distributed {distributed.__version__}"


@contextlib.contextmanager
def hide_logs() -> Iterator[None]:
    """Hides the messages of Dask's loggers; `SweepError` says the same in one sentence."""
    import distributed  # noqa: F401, it configures its loggers

    names = [n for n in logging.root.manager.loggerDict if n.startswith(("distributed", "tornado"))]
    levels = {logging.getLogger(name): logging.getLogger(name).level for name in names}
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.filterwarnings("ignore", message="\n?Mismatched versions")  # see _check_versions
        for logger, level in levels.items():
            stack.callback(logger.setLevel, level)
            if level:  # the others have their parent's
                logger.setLevel(_OFF)
        yield
