"""When snapshots are taken, and when a fit ends."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dip_lite import Run
from dip_lite.app import fitting
from dip_lite.app.fitting import Finished, Frame, SnapshotSchedule, stream_fit
from dip_lite.app.limits import Limits
from dip_lite.app.request import RunRequest
from dip_lite.app.restoration import Inputs, Restoration, build_restoration
from dip_lite.app.uploads import Picture
from dip_lite.engine.rollback import Guard
from tests.app.helpers import LIMITS, TEXTURE


@pytest.mark.parametrize("steps", [60, 400, 3000])
def test_snapshots_are_many_and_spread(steps: int) -> None:
    schedule = SnapshotSchedule(64, seconds=60.0)
    kept = []
    for step in range(1, steps + 1):
        schedule(step, 60.0 * step / steps)
        if schedule.is_frame:
            kept.append(step)
    assert 35 <= len(kept) <= 100
    assert kept[0] <= max(2, steps // 50) and kept[-1] >= 0.95 * steps
    assert max(b - a for a, b in itertools.pairwise(kept)) <= steps / 12


def test_seconds_are_those_of_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, taken = Run.snapshot, []

    def slow(run: Run, *values: Any, **named: Any) -> Any:
        taken.append(run.step)
        time.sleep(0.3)
        return snapshot(run, *values, **named)

    monkeypatch.setattr(Run, "snapshot", slow)
    started = time.perf_counter()
    request = RunRequest.parse(network="tiny", seconds=3, ignore_stop=True)
    *events, end = stream_fit(request, Inputs(Picture(TEXTURE)), LIMITS, tmp_path)
    assert 3 <= time.perf_counter() - started < 12  # and not 72 snapshots of 0.3 seconds
    assert isinstance(end, Finished) and end.stop_reason == "seconds: 3 used"
    frames = [each for each in events if isinstance(each, Frame)]
    assert 2 <= len(frames) <= 9  # the steps have their share
    assert max(frame.seconds for frame in frames) >= 3


def test_the_automatic_stop_has_a_frame_when_steps_were_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that the guard takes back count as steps of the run, but not of the stopping rule."""
    check, calls = Guard.check, itertools.count(1)

    def refuse_some(guard: Guard, *values: Any) -> str:
        return "made up" if next(calls) in (4, 5, 6) else check(guard, *values)

    def impatient(*values: Any) -> Restoration:
        restoration = build_restoration(*values)
        settings = replace(restoration.task.settings, warmup=20, patience=15)
        return replace(restoration, task=replace(restoration.task, settings=settings))

    monkeypatch.setattr(Guard, "check", refuse_some)
    monkeypatch.setattr(fitting, "build_restoration", impatient)
    request = RunRequest.parse(network="tiny", steps=2000, seconds=60, snapshots=40)
    *events, end = stream_fit(request, Inputs(Picture(TEXTURE)), Limits(), tmp_path)
    assert isinstance(end, Finished) and end.stop_reason.startswith("steady")
    assert end.numbers["auto_step"] == end.numbers["best_step"]
    frames = [event.step for event in events if isinstance(event, Frame)]
    assert end.numbers["auto_step"] in frames
