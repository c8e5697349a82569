"""Runs, from upload to downloads."""

from __future__ import annotations

import io
import time
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dip_lite import Record
from dip_lite.app.request import RunRequest
from dip_lite.app.runs import DemoRun
from dip_lite.app.sessions import Sessions
from dip_lite.errors import UserError
from tests.app.helpers import ENDLESS, LIMITS, TINY, add, last, picture, running, until, wait_for


def opened(found: bytes | Path) -> io.BytesIO:
    return io.BytesIO(found if isinstance(found, bytes) else found.read_bytes())


def test_a_run_from_upload_to_downloads(sessions: Sessions, tmp_path: Path) -> None:
    add(sessions, "a", picture(tmp_path / "a.png"))
    state = last(sessions.run("a", RunRequest.parse(**TINY, noise=25)))
    assert state["state"] == "done" and state["size"] == (48, 40)
    assert state["stop_reason"] == "steps: 12 made"
    assert [row[0] for row in state["frames"]][:2] == [0, 1] and len(state["frames"]) == 13
    demo_run = sessions.find_run(state["id"])
    assert isinstance(demo_run, DemoRun)
    pack = demo_run.fetch("frames", 0, 99)
    assert pack is not None and isinstance(pack[0], bytes)
    assert len(pack[0]) == sum(sum(row[5:]) for row in state["frames"])
    first = state["frames"][0]
    assert Image.open(io.BytesIO(pack[0][: first[5]])).size == (48, 40)
    part = demo_run.fetch("frames", 3, 5)
    assert part is not None and isinstance(part[0], bytes)
    assert len(part[0]) == sum(sum(row[5:]) for row in state["frames"][3:5])
    for name, kind in (("result.png", "PNG"), ("animation.webp", "WEBP"), ("animation.gif", "GIF")):
        found = demo_run.fetch(name)
        assert found is not None and Image.open(opened(found[0])).format == kind
    assert demo_run.fetch("../secret") is None and demo_run.fetch("truth") is not None
    archive = demo_run.fetch("record.zip")
    assert archive is not None
    zipfile.ZipFile(opened(archive[0])).extractall(tmp_path)
    record = Record(tmp_path / "record")
    assert record.finished and len(record) == 13
    assert record.settings["task"] == "denoise" and "psnr_true" in record.curve
    result = np.asarray(Image.open(io.BytesIO(sessions.result("a"))))
    best = record.frame(-1, "best")[0].permute(1, 2, 0).mul(255).round().numpy()
    assert np.array_equal(result, best)


def test_the_same_seed_gives_the_same_result(sessions: Sessions, tmp_path: Path) -> None:
    results = []
    for key in "ab":
        add(sessions, key, picture(tmp_path / "a.png"))
        last(sessions.run(key, RunRequest.parse(**TINY, noise=0)))
        results.append(sessions.result(key))
    assert results[0] == results[1]


def test_stop_keeps_what_there_is(sessions: Sessions) -> None:
    run = sessions.run("a", RunRequest.parse(**ENDLESS))
    until(run, lambda state: len(state["frames"]) >= 3)
    sessions.stop("a")
    started = time.monotonic()
    state = last(run)
    assert state["stop_reason"] == "stopped by you" and time.monotonic() - started < 15
    assert sessions.find_run(state["id"]).fetch("result.png") is not None  # type: ignore[union-attr]


def test_closing_the_generator_ends_the_run(sessions: Sessions) -> None:
    run = sessions.run("a", RunRequest.parse(**ENDLESS))
    state = until(run, running)
    demo_run = sessions.find_run(state["id"])
    run.close()  # type: ignore[attr-defined]
    assert demo_run is not None
    wait_for(lambda: demo_run.over)
    assert not sessions.busy("a")


def test_errors_of_a_run_are_sentences(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = RunRequest.parse(**TINY, task="inpaint", mask="draw")
    with pytest.raises(UserError, match="Paint over"):
        last(sessions.run("a", drawn))
    with pytest.raises(UserError, match="did not arrive"):
        last(sessions.run("a", drawn, drawing="data:x"))

    def broken(*arguments: Any) -> Iterator[Any]:
        raise RuntimeError("inner matters")
        yield

    monkeypatch.setattr(sessions.executor, "stream", broken)
    with pytest.raises(UserError, match="went wrong on our side") as caught:
        last(sessions.run("a", RunRequest.parse(**TINY)))
    assert "inner" not in str(caught.value) and "inner matters" in capsys.readouterr().err


def test_a_drawn_mask_is_filled_in(sessions: Sessions, tmp_path: Path) -> None:

    add(sessions, "a", picture(tmp_path / "a.png", (64, 64)))
    sheet = Image.new("L", (64, 64))
    sheet.paste(255, (20, 20, 30, 34))
    memory = io.BytesIO()
    sheet.save(memory, "PNG")
    drawing = "data:image/png;base64," + b64encode(memory.getvalue()).decode()
    last(sessions.run("a", RunRequest.parse(**TINY, task="inpaint", mask="draw"), drawing))
    before = np.asarray(Image.open(tmp_path / "a.png"))
    after = np.asarray(Image.open(io.BytesIO(sessions.result("a"))))
    changed = (before != after).any(axis=2)
    assert changed[20:34, 20:30].any()
    changed[20:34, 20:30] = False
    assert not changed.any()


def test_the_end_of_the_process_ends_the_runs(tmp_path: Path) -> None:
    sessions = Sessions(LIMITS, tmp_path / "v")
    run = sessions.run("a", RunRequest.parse(**ENDLESS))
    until(run, running)
    sessions.close()
    (thread,) = sessions.queue._threads
    assert not thread.is_alive() and not (tmp_path / "v").exists()
    with pytest.raises(UserError):
        last(run)
