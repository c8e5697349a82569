"""One run at a time, in order."""

from __future__ import annotations

import threading
import time

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


def test_as_many_at_a_time_as_there_are_slots() -> None:
    queue, waiters = RunQueue(6, per_address=6, slots=0), [Waiter() for _ in range(6)]
    for waiter in waiters:
        queue.join(waiter)
    assert [queue.position(waiter) for waiter in waiters] == [1, 2, 3, 4, 5, 6]
    queue.resize(2)
    assert all(waiter.started.wait(5) for waiter in waiters[:2])
    assert [queue.position(waiter) for waiter in waiters] == [0, 0, 1, 2, 3, 4]
    assert [queue.longest_wait(waiter) for waiter in waiters] == [0, 0, 30, 30, 60, 60]
    queue.resize(1)  # a worker left: the next one's turn comes when both are done
    queue.leave(waiters[0])
    assert not waiters[2].started.wait(0.1)
    queue.leave(waiters[1])
    assert waiters[2].started.wait(5) and queue.served == 2
    queue.close()
    assert not queue.running and not len(queue)


def test_free_slots_are_for_everyone_and_an_idle_queue_closes_at_once() -> None:
    queue, waiters = RunQueue(2, per_address=1, slots=0), [Waiter() for _ in range(4)]
    for waiter in waiters:
        waiter.address = "10.0.0.1"
    queue.join(waiters[0])
    with pytest.raises(UserError, match="from your network address"):
        queue.join(waiters[1])
    queue.slots = 3  # the first one's thread has not come yet
    queue.join(waiters[1])
    queue.join(waiters[2])
    for waiter in waiters[:3]:
        assert waiter.started.wait(5)
        waiter.go.set()
    deadline = time.monotonic() + 5
    while queue.running and time.monotonic() < deadline:
        time.sleep(0.01)
    begun = time.monotonic()
    queue.close(timeout=30)
    assert time.monotonic() - begun < 15
