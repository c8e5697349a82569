"""What a caller and a worker do about each other's silence, with a client that only pretends."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dip_lite.errors import WorkerLostError
from dip_lite.sweep import streaming
from dip_lite.sweep.streaming import WorkerStream, _Job
from tests.app.helpers import wait_for

ADDRESS = "tcp://a"


GOES_ON = {"items": [], "finished": False, "waits": False}


class Worker:
    """One that is alive and makes these replies in turn, the last one again and again."""

    def __init__(self, *replies: Any) -> None:
        self.replies, self.calls, self.cancelled = [*replies], list[dict[str, Any]](), False

    def stream(self) -> WorkerStream:
        future = SimpleNamespace(status="pending", cancel=self.cancel)
        client: Any = SimpleNamespace(submit=lambda *_, **__: future, sync=self.sync)
        return WorkerStream(client, ADDRESS, print, ())

    def cancel(self) -> None:
        self.cancelled = True

    def sync(self, function: Any, message: Any) -> Any:
        if function is streaming.list_workers:
            return {ADDRESS}
        self.calls.append(message)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply


def test_a_stream_that_does_not_begin_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Worker(None).stream()  # the worker does not know of it yet
    assert stream.take() == [] and not stream.done
    monkeypatch.setattr(streaming, "START_TIMEOUT", 0.0)
    with pytest.raises(WorkerLostError):
        stream.take()


@pytest.mark.parametrize(
    ("replies", "calls", "ended"),
    [
        ([GOES_ON, GOES_ON, None], 3, True),
        ([GOES_ON], 4, False),  # at 0, 10, 20 and 30 seconds
        ([OSError("gone")], 1, False),
    ],
)
def test_leaving_waits_for_the_end_but_not_for_ever(
    replies: list[Any], calls: int, ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(streaming, "PATIENCE", 20.0)
    monkeypatch.setattr(streaming, "PAUSE", 10.0)
    monkeypatch.setattr(streaming, "time", SimpleNamespace(
        monotonic=lambda: clock[0], sleep=lambda seconds: clock.append(clock.pop() + seconds)
    ))  # fmt: skip
    worker = Worker(*replies)
    assert worker.stream().close("stop") is ended
    assert worker.calls == [{"signals": ("stop",), "leave": True}] * calls and worker.cancelled


def endless(ended: Path, _: Path) -> Iterator[int]:
    try:
        while True:
            yield 0
    finally:
        ended.touch()


def test_a_run_ends_when_its_worker_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "SILENCE", 3600.0)
    closing = threading.Event()
    job = _Job(tmp_path, closing.is_set)
    thread = threading.Thread(target=job.run, daemon=True)
    thread.start()
    job.hear(0, (), pickle.dumps((endless, (tmp_path / "ended",))), leave=False)
    wait_for(lambda: bool(job.items))
    assert not (tmp_path / "ended").exists()
    closing.set()
    thread.join(60)
    assert not thread.is_alive() and (tmp_path / "ended").exists()
