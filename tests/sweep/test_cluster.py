"""On a Dask cluster nothing is lost, whatever dies."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dip_lite.errors import SweepError
from dip_lite.sweep import Trial, sweep
from dip_lite.sweep.cluster import ClusterConfig, connect
from tests.cluster import Cluster

from .helpers import DEAD, assert_one_sentence, make_trials, run_here


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.close()


def holder(client: Any, trial: Trial) -> str | None:
    """The address of the worker that runs a trial now."""
    for address, keys in client.processing().items():
        if any(trial.key in str(key) for key in keys):
            return str(address)
    return None


def test_a_worker_is_killed_and_nothing_is_lost(
    picture: str, tmp_path: Path, cluster: Cluster
) -> None:
    """The one that dies is in the midst of a run; the other makes that run again."""
    trials = [replace(trial, stop=False) for trial in make_trials(picture, 5, steps=8)]
    trials[0] = replace(trials[0], steps=150)
    workers = [cluster.worker(), cluster.worker()]
    killed: list[str] = []
    seen: list[str] = []
    folder = tmp_path / "out"
    with connect(ClusterConfig(cluster.address)) as client:
        client.wait_for_workers(2, timeout=30)
        pids = client.run(os.getpid)

        def progress(trial: Trial, row: dict[str, Any]) -> None:
            seen.append(trial.key)
            if not killed and (address := holder(client, trials[0])):
                killed.append(address)
                os.kill(pids[address], signal.SIGKILL)

        table = sweep(trials, folder, scheduler=cluster.address, progress=progress)
    assert killed and sum(worker.poll() is not None for worker in workers) == 1
    assert sorted(seen) == sorted(trial.key for trial in trials)  # each once
    assert list(table["key"]) == [trial.key for trial in trials] and not any(table["error"])
    assert list(table["psnr"]) == [run_here(trial).row["psnr"] for trial in trials]
    assert len([*folder.glob("*/result.json")]) == len(trials)
    again = sweep(trials, folder, scheduler=DEAD)  # needs no cluster: nothing is run again
    assert again.equals(table)


def test_a_cluster_of_threads_gives_the_same_and_may_go(
    picture: str, tmp_path: Path, cluster: Cluster
) -> None:
    trials = make_trials(picture, 4)
    config = ClusterConfig(cluster.address, worker_timeout=0.5)
    assert_one_sentence(lambda: connect(config).__enter__(), "no worker", kind=SweepError)
    cluster.worker("--nthreads", 4)
    table = sweep(trials, tmp_path / "out", scheduler=cluster.address)
    assert list(table["psnr"]) == [run_here(trial).row["psnr"] for trial in trials]

    def progress(trial: Trial, row: dict[str, Any]) -> None:
        cluster.scheduler.kill()

    endless = replace(trials[0], steps=10**6, stop=False)
    short = replace(trials[0], seed=9)
    assert_one_sentence(
        lambda: sweep(
            [short, endless], tmp_path / "out", scheduler=cluster.address, progress=progress
        ),
        "no longer answers",
        kind=SweepError,
    )
    assert (tmp_path / "out" / short.key / "result.json").exists()


def test_a_worker_without_the_package_is_one_sentence(tmp_path: Path, cluster: Cluster) -> None:
    preload = "import sys; sys.modules['dip_lite'] = None"
    cluster.worker("--preload", preload)
    assert_one_sentence(
        lambda: connect(ClusterConfig(cluster.address)).__enter__(),
        "no dip_lite",
        "worker",
        kind=SweepError,
    )


def test_a_scheduler_that_does_not_answer_is_one_sentence(picture: str, tmp_path: Path) -> None:
    start = time.monotonic()
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        for address in (DEAD, f"tcp://127.0.0.1:{deaf.getsockname()[1]}"):
            assert_one_sentence(
                lambda at=address: sweep(make_trials(picture), tmp_path, scheduler=at, timeout=1),
                address,
                "within 1 s",
                kind=SweepError,
            )
    assert time.monotonic() - start < 8
    assert_one_sentence(
        lambda: sweep(make_trials(picture), tmp_path, scheduler="here"), "here", kind=SweepError
    )


def test_two_clusters_of_one_machine_take_no_port_from_each_other() -> None:
    """In a notebook a warning of Dask's would be an error, and the sweep would not begin."""
    with connect(ClusterConfig(workers=1)) as first, connect(ClusterConfig(workers=1)) as second:
        assert first.submit(sum, [1, 2]).result(timeout=60) == 3
        assert second.submit(sum, [3, 4]).result(timeout=60) == 7
        addresses = {
            client.scheduler_info()["services"].get("dashboard") for client in (first, second)
        }
        assert len(addresses) == 2 and 8787 not in addresses
