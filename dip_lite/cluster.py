"""Where the cells of a sweep run: on the cores of this machine, or on a Dask cluster.

    with connect(Site(workers=2)) as client: ...              # a cluster of our own
    with connect(Site("tcp://10.0.0.7:8786")) as client: ...  # one that is there

What can go wrong with a cluster raises `SweepError`, in one sentence; Dask's own words go nowhere.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import multiprocessing
import os
import re
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import __version__
from .cell import SweepError
from .decode import reason

if TYPE_CHECKING:
    from distributed import Client

SILENCE = (OSError, asyncio.TimeoutError)  # before Python 3.11 the second is not of the first


@dataclass(frozen=True)
class Site:
    """Which cluster.

    Raises:
        ValueError: from the constructor, for a number below one.
    """

    scheduler: str | None = None  # as tcp://host:port; None: a cluster of our own, on this machine
    workers: int | None = None  # of our own cluster; None: one for every `threads` cores
    threads: int = 1  # that PyTorch uses in one run
    timeout: float = 10.0  # seconds for the scheduler to answer
    patience: float = 30.0  # seconds a cluster may be without any worker

    def __post_init__(self) -> None:
        for name in ("workers", "threads"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(f"{name} must be a whole number from 1, got {value!r}")


@contextlib.contextmanager
def connect(site: Site, most: int = 2**31) -> Iterator[Client]:
    """A client that can compute at once; a cluster of our own ends with it.

    Args:
        site: which cluster.
        most: more workers than this are of no use.

    Raises:
        SweepError: nobody answers, there is no worker, or versions differ.
    """
    with _quiet():
        if site.scheduler is None:
            with _local(site, most) as client:
                yield client
            return
        with _remote(site.scheduler, site.timeout) as client:
            _await_worker(client, site)
            _compare(client, site.scheduler)
            yield client


# --- one of our own


@contextlib.contextmanager
def _local(site: Site, most: int) -> Iterator[Client]:
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster

    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SweepError(_GUARD)  # a worker, about to start workers of its own
    count = max(1, min(site.workers or CPU_COUNT // site.threads, most))
    try:
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,  # one run at a time; its threads are PyTorch's
            processes=True,
            dashboard_address="127.0.0.1:0",  # a free port for its counters, seen from here alone
            scheduler_kwargs={"dashboard": False},
            memory_limit=0,  # the machine's: a run is not killed for what it needs
            silence_logs=_LEVEL,
        )
    except RuntimeError as error:
        cause = " ".join(str(error.__cause__ or error).split())[:200]
        raise SweepError(
            f"No worker could be started on this machine ({cause}): {_GUARD}"
        ) from error
    with cluster, Client(cluster, set_as_default=False) as client:
        client.run(_leave_at_once)
        yield client


def _leave_at_once() -> None:
    """A worker of our own has nothing to tidy up, and unloading PyTorch takes a second."""
    atexit.register(os._exit, 0)


_GUARD = "in a script, call sweep under `if __name__ == '__main__':`, since every worker imports it"
_LEVEL = logging.CRITICAL + 1


# --- one that is there


def _remote(address: str, timeout: float) -> Client:
    from distributed import Client

    if not re.fullmatch(r"((tcp|tls|ws|wss)://)?[^\s/]+:\d{1,5}", address):
        raise SweepError(
            f"the address of a Dask scheduler looks like tcp://10.0.0.7:8786, got {address!r}"
        )
    try:
        with ThreadPoolExecutor(1) as pool:  # the caller may have an event loop of its own
            kind = pool.submit(asyncio.run, _knock(address, timeout)).result()
        if kind != "Scheduler":
            raise SweepError(f"{address} is a Dask {kind}: give the address of its scheduler")
        return Client(address, timeout=timeout, set_as_default=False)
    except SweepError:
        raise
    except Exception as error:  # every protocol has its own
        why = "" if isinstance(error, SILENCE) else f" ({reason(error)})"
        raise SweepError(
            f"No Dask scheduler answers at {address} within {timeout:g} s{why}: start one there "
            f"with `dask scheduler`, or leave the address out to use this machine's cores"
        ) from error


async def _knock(address: str, timeout: float) -> str:
    """What lives there. A client would wait for ever on one that listens and says nothing."""
    from distributed.core import rpc
    from distributed.security import Security

    options = Security().get_connection_args("client")
    async with rpc(address, timeout=timeout, connection_args=options) as there:
        told = await asyncio.wait_for(there.identity(), timeout)
    return str(told["type"])


def _await_worker(client: Client, site: Site) -> None:
    try:
        client.wait_for_workers(1, timeout=site.patience)
    except SILENCE as error:
        if client.status != "running":
            raise gone(site) from error
        raise deserted(site) from error


def _compare(client: Client, address: str) -> None:
    """Refuses a cluster whose machines do not have what we have."""
    theirs: Any = client.get_versions()
    nodes = {"the scheduler": theirs["scheduler"], **theirs["workers"]}
    ours = theirs["client"]["packages"]["distributed"]
    for name, told in nodes.items():
        if (other := told["packages"]["distributed"]) != ours:
            raise SweepError(_different(name, address, f"distributed {other}", ours))
    found: dict[str, Any] = client.run(_version, on_error="return")
    try:
        found["the scheduler"] = client.run_on_scheduler(_version)
    except Exception as error:
        found["the scheduler"] = error
    for name, version in found.items():
        if version != __version__:
            came = "no dip_lite" if isinstance(version, Exception) else f"dip_lite {version}"
            raise SweepError(_different(name, address, came, __version__))


def _different(name: str, address: str, came: str, ours: str) -> str:
    node = name if name.startswith("the ") else f"the worker {name}"
    return f"{node} of {address} has {came}, we have {ours}: install the same version on both"


def _version() -> str:
    return __version__


# --- the rest


def gone(site: Site) -> SweepError:
    """What to raise when the scheduler no longer answers."""
    place = f"at {site.scheduler}" if site.scheduler else "on this machine"
    return SweepError(
        f"The scheduler {place} has gone: what is finished is kept, so run the same sweep again"
    )


def deserted(site: Site) -> SweepError:
    """What to raise when there has been nobody to do the work for too long."""
    if site.scheduler is None:
        return SweepError("All workers on this machine died: is there memory left for them?")
    return SweepError(
        f"The scheduler at {site.scheduler} has no worker, after {site.patience:g} s: start some "
        f"with `dask worker {site.scheduler}`; what is finished is kept"
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Nothing from Dask's loggers, which tell developers what we tell in one sentence."""
    import distributed  # noqa: F401, it sets its loggers up

    names = [n for n in logging.root.manager.loggerDict if n.startswith(("distributed", "tornado"))]
    before = {logging.getLogger(name): logging.getLogger(name).level for name in names}
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.filterwarnings("ignore", message="\n?Mismatched versions")  # `_compare` says it
        for logger, level in before.items():
            stack.callback(logger.setLevel, level)
            if level:  # the others have their parent's
                logger.setLevel(_LEVEL)
        yield
