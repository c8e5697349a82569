"""The demo's runs on a Dask cluster: whatever dies, everyone gets their own result."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from distributed import Event

from dip_lite import Record
from dip_lite.app import cluster as app_cluster
from dip_lite.app.cluster import NO_CLUSTER, NO_WORKER, ClusterExecutor
from dip_lite.app.launch import connect_executor
from dip_lite.app.metrics import health
from dip_lite.app.request import RunRequest
from dip_lite.app.sessions import Sessions
from dip_lite.errors import UserError
from dip_lite.sweep.pool import difference
from tests.app.helpers import ENDLESS, LIMITS, TINY, add, last, picture, running, until, wait_for
from tests.cluster import Cluster
from tests.sweep.helpers import DEAD

# so long that no slow machine comes to the end of a run that its steps are to end
PATIENT = replace(LIMITS, max_seconds=900)
WAIT_AT_GATE = "__import__('distributed').Event('gate').wait()"
LONG = RunRequest.parse(network="tiny", steps=600, ignore_stop=True, seconds=900)


class Class:
    """Visitors of a demo on a cluster."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.executor = ClusterExecutor(cluster.address)
        self.sessions = Sessions(PATIENT, folder / "visitors", self.executor)
        self.folder, self.results, self.states = folder, dict[str, bytes](), dict[str, Any]()
        self.left_behind = set[str]()  # by workers that were killed

    def visit(self, key: str, request: RunRequest, seed: int = 0) -> None:
        """A run from upload to result."""
        size = (48 + 2 * seed, 40)
        add(self.sessions, key, picture(self.folder / f"{key}.png", size, seed))
        self.states[key] = last(self.sessions.run(key, request))
        self.results[key] = self.sessions.result(key)

    def begin(self, *visitors: tuple[str, RunRequest, int]) -> list[threading.Thread]:
        threads = [threading.Thread(target=self.visit, args=visitor) for visitor in visitors]
        for thread in threads:
            thread.start()
        return threads

    def tasks(self) -> dict[str, list[str]]:
        """The runs that each worker has, by its address, as the scheduler sees it."""
        found = self.executor.pool.client.processing()
        return {address: [*map(str, keys)] for address, keys in found.items() if keys}

    def idle(self) -> bool:
        """Whether all workers are free, and have nothing of a visitor."""
        return not self.tasks() and self.cluster.streams() <= self.left_behind


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    threads, folder = torch.get_num_threads(), tmp_path_factory.mktemp("class")
    with closing(Cluster(folder)) as cluster:
        made = Class(cluster, folder)
        yield made
        made.sessions.close()
    torch.set_num_threads(threads)


def count_loops() -> int:
    """The threads of Dask's clients."""
    return [thread.name for thread in threading.enumerate()].count("IO loop")


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive()


def test_runs_wait_until_a_worker_joins(school: Class) -> None:
    run = school.sessions.run("first", RunRequest.parse(**TINY))
    assert next(run)["notice"] == NO_WORKER
    assert health(school.sessions)["status"] == "no workers"
    school.cluster.worker()
    assert last(run)["stop_reason"] == "steps: 12 made"
    school.cluster.worker("--memory-limit", "1.6GB")  # Dask allows no more than the machine has
    wait_for(lambda: school.sessions.queue.slots == 2, 120)
    assert 1_200_000_000 in school.executor.pool.workers.values()  # Dask pauses it at 1.28
    assert health(school.sessions) | {"memory_bytes": 0} == {
        "status": "ok", "waiting": 0, "running": 0, "workers": 2, "sessions": 1,
        "served_total": 1, "lost_total": 0, "memory_bytes": 0,
    }  # fmt: skip


def test_everyone_gets_their_own_result_and_record(school: Class, tmp_path: Path) -> None:
    request = RunRequest.parse(**TINY, keep_raw=True)
    join(school.begin(*[(f"own{seed}", request, seed) for seed in range(4)]))
    torch.set_num_threads(1)
    here = Sessions(LIMITS, tmp_path / "here")
    for seed in range(4):
        key = f"own{seed}"
        add(here, key, school.folder / f"{key}.png")
        state = last(here.run(key, request))
        assert here.result(key) == school.results[key]  # to the bit
        assert [row[0] for row in state["frames"]] == list(range(13))
        records = []
        for sessions, found in ((here, state), (school.sessions, school.states[key])):
            run = sessions.find_run(found["id"])
            assert run is not None
            records.append(run.folder / "record")
        files = [sorted(p.name for p in record.rglob("*.*")) for record in records]
        assert files[0] == files[1] and len(files[0]) == 13 * 2 + 3
        assert Record(records[0]).steps == Record(records[1]).steps


def test_a_run_whose_worker_is_killed_goes_on_as_if_it_were_not(school: Class) -> None:
    school.visit("unharmed", LONG)
    (thread,) = school.begin(("killed", LONG, 0))

    def saved() -> bool:
        """Its state; and it is the only run."""
        session = school.sessions._sessions.get("killed")
        alone = len(school.tasks()) == len(school.cluster.streams()) == 1
        record = session.run.folder / "record" if session and session.run else None
        return alone and record is not None and (record / "state.pt").exists()

    wait_for(saved, 120)
    run = school.sessions._sessions["killed"].run
    assert run is not None
    (address,) = school.tasks()
    (folder,) = school.cluster.streams()
    os.kill(school.executor.pool.client.run(os.getpid)[address], signal.SIGKILL)
    school.left_behind.add(folder)
    join([thread])
    notice = school.states["killed"]["notice"]
    assert notice.startswith("A worker was lost at step ") and "goes on from step" in notice
    assert school.results["killed"] == school.results["unharmed"]
    steps = [row[0] for row in school.states["killed"]["frames"]]
    assert len(steps) == len({*steps}) and Record(run.folder / "record").finished
    assert school.executor.lost == 1
    wait_for(school.idle)


def test_stop_and_leave_free_the_worker(school: Class) -> None:
    run = school.sessions.run("stops", RunRequest.parse(**ENDLESS))
    until(run, lambda state: len(state["frames"]) >= 3)
    school.sessions.stop("stops")
    assert last(run)["stop_reason"] == "stopped by you" and school.sessions.result("stops")
    wait_for(school.idle)
    run = school.sessions.run("leaves", RunRequest.parse(**ENDLESS))
    until(run, running)
    assert school.tasks()
    school.sessions.leave("leaves")
    wait_for(school.idle)  # ENDLESS would go on for longer


def test_a_worker_is_not_handed_out_while_a_run_that_was_left_goes_on(school: Class) -> None:
    pool, losses = school.executor.pool, school.executor.lost
    (address,) = pool.workers  # the other was killed
    assert pool.acquire(30) == address
    gate = Event("gate", client=pool.client)
    waits = pool.client.submit(eval, WAIT_AT_GATE, key="goes-on", workers=[address])
    wait_for(lambda: address in school.tasks())
    waits.cancel()  # as `WorkerStream.close` does: what runs already goes on
    pool.release(address, ended=False)
    assert pool.acquire(2) is None
    gate.set()
    wait_for(lambda: address in pool.workers)
    assert school.executor.lost == losses


def test_what_a_worker_raises_is_a_sentence(school: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="Paint over the area"):
        last(school.sessions.run("draw", RunRequest.parse(**TINY, task="inpaint", mask="draw")))
    monkeypatch.setattr(app_cluster, "MEMORY", 10**15)
    with pytest.raises(UserError, match=r"needs about 1000000\.0 GB .*use a smaller one"):
        last(school.sessions.run("large", RunRequest.parse(**TINY)))


def test_another_version_is_refused_by_name(school: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(school.executor.pool, "report", said.append)
    other = school.cluster.worker("--preload", "import dip_lite; dip_lite.__version__ = '9.9'")
    wait_for(lambda: bool(said), 120)
    other.kill()
    assert "The worker at tcp://127.0.0.1:" in said[0] and "dip_lite 9.9" in said[0]
    assert difference("3.99", False).startswith("it has Python 3.99, the demo has ")


def test_the_scheduler_goes_and_comes_back(school: Class) -> None:
    loops = count_loops()
    run = school.sessions.run("keeps", RunRequest.parse(**ENDLESS))
    until(run, lambda state: len(state["frames"]) >= 3)
    school.cluster.scheduler.kill()
    state = last(run)
    assert state["stop_reason"] == "the cluster was lost" and school.sessions.result("keeps")
    assert state["notice"].startswith("The cluster was lost: this is your picture as of step ")
    waits = school.sessions.run("waits", RunRequest.parse(**TINY))
    assert next(waits)["notice"] == NO_CLUSTER
    school.cluster.scheduler.wait()
    school.cluster.start_scheduler()
    school.cluster.worker()  # which deletes what others left behind
    assert last(waits)["stop_reason"] == "steps: 12 made"
    school.left_behind.clear()
    wait_for(school.idle)
    wait_for(lambda: count_loops() == loops)


@pytest.mark.parametrize(
    ("scheduler", "threads", "words"),
    [(DEAD, None, "no Dask scheduler answers at"), (None, 2, "--scheduler, too")],
)
def test_a_wrong_cluster_ends_the_demo_with_status_2(
    scheduler: str | None, threads: int | None, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        connect_executor(scheduler, threads, timeout=1)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ") and words in line and line.count(". ") == 0
