"""When snapshots are taken, and when a fit ends."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dip_lite import Record, Run
from dip_lite.app import encoder, fitting, schedule
from dip_lite.app.encoder import MAX_PENDING, EventEncoder
from dip_lite.app.events import Finished, Frame, Progress
from dip_lite.app.fitting import stream_fit
from dip_lite.app.limits import Limits
from dip_lite.app.request import RunRequest
from dip_lite.app.restoration import Inputs, Restoration, build_restoration
from dip_lite.app.schedule import SnapshotSchedule
from dip_lite.app.uploads import Picture
from dip_lite.engine.rollback import Guard
from dip_lite.errors import RecordError
from dip_lite.records import Recorder
from tests.app.helpers import LIMITS, TEXTURE


@pytest.mark.parametrize("steps", [60, 400, 3000])
def test_snapshots_are_many_and_spread(steps: int) -> None:
    plan = SnapshotSchedule(64, seconds=60.0)
    kept = []
    for step in range(1, steps + 1):
        plan(step, 60.0 * step / steps)
        if plan.is_frame:
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


def test_frames_arrive_in_order_and_before_the_end(tmp_path: Path) -> None:
    request = RunRequest.parse(network="tiny", steps=30, snapshots=40, keep_raw=True)
    *events, end = stream_fit(request, Inputs(Picture(TEXTURE)), LIMITS, tmp_path)
    frames = [event for event in events if isinstance(event, Frame)]
    steps = [frame.step for frame in frames]
    assert isinstance(end, Finished) and steps == sorted({*steps}) and steps[-1] == 30
    assert steps[0] == 0 and Record(tmp_path / "record").steps == steps
    assert all(frame.average and frame.raw for frame in frames)


def test_raw_outputs_are_kept_only_when_asked(tmp_path: Path) -> None:
    request = RunRequest.parse(network="tiny", steps=5)
    events = [*stream_fit(request, Inputs(Picture(TEXTURE)), LIMITS, tmp_path)]
    rows = [event.row() for event in events if isinstance(event, Frame)]
    assert rows and all(row[4] is None and row[5] and row[6] == 0 for row in rows)
    record = Record(tmp_path / "record")
    assert not record.has_raw and record.frame(-1).shape == record.frame(-1, "best").shape
    record.animate(tmp_path / "a.webp")
    with pytest.raises(RecordError, match="without raw outputs: choose x_avg or best"):
        record.frame(-1, "x")
    with pytest.raises(RecordError, match="without raw outputs"):
        record.animate(tmp_path / "b.webp", "x")


def test_a_slow_encoder_skips_previews_but_no_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, most, job = list[bool](), list[int](), fitting._RunLogger.job

    def slow(*values: Any, **named: Any) -> bytes:
        time.sleep(0.1)
        return encoder.encode_webp(*values, **named)

    def counted(logger: Any, snap: Any, is_frame: bool, is_preview: bool) -> Any:
        asked.append(is_frame)
        return job(logger, snap, is_frame, is_preview)

    def watched(encoder: EventEncoder, make: Any) -> None:
        encoder._pending.append(encoder._pool.submit(encoder._timed, make))
        most.append(len(encoder._pending))

    monkeypatch.setattr(schedule, "PREVIEW_INTERVAL", 0.0)
    monkeypatch.setattr(schedule, "MAX_OVERHEAD", 100.0)
    monkeypatch.setattr(fitting, "encode_webp", slow)
    monkeypatch.setattr(fitting._RunLogger, "job", counted)
    monkeypatch.setattr(EventEncoder, "submit", watched)
    request = RunRequest.parse(network="tiny", steps=20, snapshots=40)
    *events, end = stream_fit(request, Inputs(Picture(TEXTURE)), LIMITS, tmp_path)
    frames = [event for event in events if isinstance(event, Frame)]
    shown = [event for event in events if isinstance(event, Progress) and event.preview]
    assert isinstance(end, Finished) and len(frames) == sum(asked) >= 15
    assert len(shown) < len(frames) / 2 and max(most) <= MAX_PENDING + 1


def test_an_error_of_the_encoder_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*values: Any, **named: Any) -> None:
        raise RecordError("The disk is full.")

    monkeypatch.setattr(Recorder, "add", broken)
    request = RunRequest.parse(network="tiny", seconds=20, ignore_stop=True)
    with pytest.raises(RecordError, match="disk is full"):
        list(stream_fit(request, Inputs(Picture(TEXTURE)), LIMITS, tmp_path))


@pytest.mark.parametrize(("plain", "fused"), [(False, True), (True, None)])
def test_a_result_says_whether_it_is_fused(tmp_path: Path, plain: bool, fused: bool | None) -> None:
    request = RunRequest.parse(steps=2, plain_prior=plain)
    *_, end = stream_fit(request, Inputs(Picture(TEXTURE)), LIMITS, tmp_path)
    assert isinstance(end, Finished) and end.numbers.get("fused") is fused


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
