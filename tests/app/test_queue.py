"""One run at a time, in order."""

from __future__ import annotations

import threading

import pytest

from dip_lite.app.queue import RunQueue
from dip_lite.errors import UserError


class Waiter:
    seconds_left, address = 30.0, ""

    def __init__(self) -> None:
        self.go, self.started, self.calls = threading.Event(), threading.Event(), ""

    def work(self) -> None:
        self.started.set()
        self.go.wait(10)

    def stop(self) -> None:
        self.calls += "stop"
        self.go.set()

    def drop(self) -> None:
        self.calls += "drop"


def test_one_at_a_time_and_first_come_first_served() -> None:
    queue, waiters = RunQueue(2), [Waiter() for _ in range(4)]
    for waiter in waiters[:3]:
        queue.join(waiter)
        if waiter is waiters[0]:
            assert waiter.started.wait(5)
    assert [queue.position(waiter) for waiter in waiters] == [0, 1, 2, None]
    assert queue.longest_wait(waiters[2]) == 60
    with pytest.raises(UserError, match=r"2 people are waiting.*about 2 minutes"):
        queue.join(waiters[3])
    queue.leave(waiters[1])
    assert waiters[1].calls == "drop" and queue.position(waiters[2]) == 1
    assert not waiters[2].started.is_set()
    queue.leave(waiters[0])
    assert waiters[0].calls == "stop" and waiters[2].started.wait(5)
    waiters[2].go.set()


def test_the_queue_outlives_a_run_that_raises(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(Waiter):
        def work(self) -> None:
            raise RuntimeError("inner matters")

        def drop(self) -> None:
            super().drop()
            raise RuntimeError("drop fails too")

    queue, broken, waiter = RunQueue(2), Broken(), Waiter()
    queue.join(broken)
    queue.join(waiter)
    assert waiter.started.wait(5) and queue.position(broken) is None
    waiter.go.set()
    assert broken.calls == "drop" and "inner matters" in capsys.readouterr().err
