"""What the demo does about workers that are lost, with a cluster that only pretends."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from dip_lite import Record, load, psnr
from dip_lite.app.cluster import ALL_BUSY, NO_WORKER, ClusterExecutor
from dip_lite.app.events import Event, Files, Finished, Notice, Progress, Started
from dip_lite.app.fitting import STOP
from dip_lite.app.limits import Limits
from dip_lite.app.request import RunRequest
from dip_lite.app.restoration import Inputs
from dip_lite.app.uploads import Picture
from dip_lite.app.worker import fit_on_worker
from dip_lite.errors import UserError, WorkerLostError
from tests.app.helpers import TEXTURE


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """`fit_on_worker` sets them for the process."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


Break = Callable[[Any], bool]  # whether a worker is lost before this item


class Stream:
    """`WorkerStream`, in this process."""

    def __init__(self, items: Iterator[Any], breaks: Break) -> None:
        self.items, self.breaks, self.done = items, breaks, False

    def take(self, signals: list[str]) -> list[Any]:
        item = next(self.items, None)
        self.done = item is None
        if item is not None and self.breaks(item):
            raise WorkerLostError("tcp://a")
        return [] if item is None else [item]

    def close(self, *signals: str) -> bool:
        self.items.close()  # type: ignore[attr-defined]
        return True


class Pool:
    """`WorkerPool`, in this process: each worker is lost when its `Break` says so."""

    def __init__(self, folder: Path, *breaks: Break) -> None:
        self.folder, self.breaks, self.streams = folder, [*breaks], 0
        self.connected, self.workers, self.lost = True, {"tcp://a": 0}, 0
        self.ended: bool | None = None  # the last stream, as far as is known

    def acquire(self, timeout: float, memory: int = 0) -> str | None:
        return next(iter(self.workers), None)

    def release(self, address: str, lost: bool = False, ended: bool = True) -> None:
        self.lost, self.ended = self.lost + lost, ended

    def stream(self, address: str, function: Any, arguments: tuple[Any, ...]) -> Stream:
        self.streams += 1
        here = self.folder / str(self.streams)
        here.mkdir(parents=True)
        items = (self.change(item) for item in function(*arguments, here))
        return Stream(items, self.breaks.pop(0))

    def change(self, item: Any) -> Any:
        """What a worker that differs from the others says; the first says this."""
        return item


def never(item: Any) -> bool:
    return False


def at_step(step: int) -> Break:
    return lambda item: isinstance(item, Progress) and (item.numbers["step"] or 0) >= step


def run(
    pool: Pool, folder: Path, monkeypatch: pytest.MonkeyPatch, steps: int = 12
) -> Iterator[Event]:
    monkeypatch.setattr("dip_lite.app.fitting.FIRST_STATE", 0.0)
    executor = object.__new__(ClusterExecutor)
    executor.pool, executor.threads = pool, 1  # type: ignore[assignment]
    request = RunRequest.parse(network="tiny", steps=steps)
    return executor.stream(request, Inputs(Picture(TEXTURE)), Limits(), folder)


def notices(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def test_a_run_goes_on_from_its_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [*run(Pool(tmp_path / "a", never), tmp_path / "whole", monkeypatch)]
    pool = Pool(tmp_path / "b", at_step(7), never)
    events = [*run(pool, tmp_path / "parts", monkeypatch)]
    (text,) = notices(events)
    found = re.fullmatch(
        r"A worker was lost at step (\d+): your run goes on from step (\d+) on another one.", text
    )
    assert found is not None
    shown, saved = map(int, found.groups())
    assert 0 < saved and shown == max(6, saved)  # 6 is the last step that the page saw
    clock = [event.numbers["seconds"] or 0 for event in events if isinstance(event, Progress)]
    assert clock == sorted(clock)
    assert isinstance(whole[-1], Finished) and isinstance(events[-1], Finished)
    assert events[-1].result == whole[-1].result and pool.lost == 1
    records = [Record(tmp_path / part / "record") for part in ("whole", "parts")]
    timeless = [[row | {"seconds": 0} for row in record.rows] for record in records]
    assert timeless[0] == timeless[1] and len(timeless[0]) == 13
    sent = [*(tmp_path / "b/2/record/frames").glob("*")]
    assert {path.name for path in sent} == {f"{step:06d}_avg.png" for step in range(saved + 1, 13)}


@pytest.mark.parametrize("ended", [True, False])
def test_the_pool_hears_whether_a_run_that_is_left_has_ended(
    ended: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(tmp_path, never)
    monkeypatch.setattr(Stream, "close", lambda *_: ended)
    events = run(pool, tmp_path / "run", monkeypatch)
    assert isinstance(next(events), Started)
    events.close()  # type: ignore[attr-defined]
    assert pool.ended is ended and pool.lost == 0


def test_three_losses_without_a_state_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, events = Pool(tmp_path, *[at_step(0)] * 3), list[Event]()
    with pytest.raises(UserError, match="3 workers in a row were lost with this picture"):
        for event in run(pool, tmp_path / "run", monkeypatch):
            events.append(event)
    assert (
        notices(events)
        == ["A worker was lost at step 0: your run starts again on another one."] * 2
    )


def test_stop_without_a_worker_keeps_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, pool = tmp_path / "run", Pool(tmp_path, at_step(5))
    events, curves = list[Event](), list[bytes]()

    def change(item: Any) -> Any:
        if isinstance(item, Files) and "curve.json" in item.contents:
            curves.append(item.contents["curve.json"])
        return item

    monkeypatch.setattr(pool, "change", change)
    for event in run(pool, folder, monkeypatch):
        events.append(event)
        if isinstance(event, Notice):
            pool.workers.clear()
            (folder / STOP).touch()
    assert isinstance(events[-1], Finished) and events[-1].stop_reason == "stopped by you"
    assert events[-1].result.startswith(b"\x89PNG")
    numbers = events[-1].numbers
    # of the last frame that arrived, which may be a little ahead of the page, which saw step 4
    assert numbers["best_step"] == numbers["step"] == json.loads(curves[-1])[-1]["step"] >= 4
    level = psnr(load(Image.open(io.BytesIO(events[-1].result))), TEXTURE)
    assert numbers["psnr"] == pytest.approx(level, abs=0.02)


def test_a_run_is_not_continued_with_other_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(tmp_path, at_step(5), never)

    def change(item: Any) -> Any:
        return (
            replace(item, note=f"of worker {pool.streams}") if isinstance(item, Started) else item
        )

    monkeypatch.setattr(pool, "change", change)
    with pytest.raises(UserError, match="the workers differ in AlexNet's weights"):
        [*run(pool, tmp_path / "run", monkeypatch)]
    assert pool.streams == 2


def test_a_run_without_a_worker_says_why_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(tmp_path, never)
    pool.workers.clear()
    events = run(pool, tmp_path / "run", monkeypatch)
    assert next(events) == Notice(NO_WORKER)
    pool.workers["tcp://b"] = 0
    assert next(events) == Notice("")
    assert isinstance([*events][-1], Finished)


def test_a_run_waits_after_a_loss_while_the_others_are_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, free = Pool(tmp_path, at_step(5), never), iter(["tcp://a", None, "tcp://a"])
    monkeypatch.setattr(pool, "acquire", lambda *_: next(free))
    events = [*run(pool, tmp_path / "run", monkeypatch)]
    loss, waits, goes_on = notices(events)
    assert "goes on from step" in loss and waits == ALL_BUSY and goes_on == loss
    assert isinstance(events[-1], Finished)


def test_a_worker_sends_each_file_of_the_record_once(tmp_path: Path) -> None:
    request = RunRequest.parse(network="tiny", steps=5)
    inputs = Inputs(Picture(TEXTURE))
    items = [*fit_on_worker(request, inputs, Limits(), Files({}), 1, 0.0, tmp_path)]
    sent = [name for item in items if isinstance(item, Files) for name in item.contents]
    frames = [name for name in sent if name.startswith("frames/")]
    assert len(frames) == len({*frames}) == 6
    assert sent.count("settings.json") == 1 and "state.pt" in sent
