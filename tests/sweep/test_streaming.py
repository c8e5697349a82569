"""What a caller does about a worker that is silent, with a client that only pretends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dip_lite.errors import WorkerLostError
from dip_lite.sweep import streaming
from dip_lite.sweep.streaming import WorkerStream

ADDRESS = "tcp://a"


def make_stream(reply: Any) -> WorkerStream:
    """A stream whose worker is alive, and replies to everything with this."""
    future = SimpleNamespace(status="pending", cancel=lambda: None)

    def sync(function: Any, *_: Any) -> Any:
        return {ADDRESS} if function is streaming.list_workers else reply

    client: Any = SimpleNamespace(submit=lambda *_, **__: future, sync=sync)
    return WorkerStream(client, ADDRESS, print, ())


def test_a_stream_that_does_not_begin_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = make_stream(None)  # the worker does not know of it yet
    assert stream.take() == [] and not stream.done
    monkeypatch.setattr(streaming, "START_TIMEOUT", 0.0)
    with pytest.raises(WorkerLostError):
        stream.take()


def test_leaving_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = make_stream({"items": [], "finished": False, "waits": False})  # and never ends
    monkeypatch.setattr(streaming, "PATIENCE", 0.0)
    monkeypatch.setattr(streaming, "PAUSE", 0.0)
    stream.close()
    assert not stream.done
