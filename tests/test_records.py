"""A record survives its run: killed anywhere, it goes on and ends where it would have."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dip_lite import Run, Snapshot, add_noise, denoise, fit, logarithmic, psnr
from dip_lite.errors import PictureError, RecordError
from dip_lite.records import Record, Recorder
from dip_lite.records.record import FORMAT

STEPS = 30


def picture() -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(0, 1, 32), torch.linspace(0, 1, 40), indexing="ij")
    return torch.stack([x, y, (x > 0.5).float()])[None]


def new_run() -> Run:
    return Run(denoise(add_noise(picture(), 0.1), 0.1, preset="tiny"), seed=3, device="cpu")


def record(run: Run, recorder: Recorder, steps: int = STEPS, pause: float = 0.0) -> Snapshot:
    """Fits and records to the end."""
    for snap in fit(run, steps=steps):
        recorder.add(snap, run.state(), psnr_true=psnr(snap.x_avg.clamp(0, 1), picture()))
        time.sleep(pause)
    return snap


def resume(folder: Path, steps: int = STEPS) -> Snapshot:
    run = new_run()
    return record(run, Recorder.reopen(folder, run), steps)


def contents(folder: Path) -> dict[str, Any]:
    """All that a record says, but for the times and the state."""
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    rows = json.loads(files.pop("curve.json"))
    del files["state.pt"]
    return {**files, "rows": [{k: v for k, v in row.items() if k != "seconds"} for row in rows]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Snapshot]:
    """A record that nobody disturbed, and its last snapshot."""
    folder = tmp_path_factory.mktemp("records") / "whole"
    return folder, record(new_run(), Recorder(folder, {"task": "denoise", "seed": 3}))


@pytest.fixture(scope="module")
def three_steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records") / "young"
    record(new_run(), Recorder(folder, {"seed": 3}), steps=3)
    return folder


@pytest.fixture
def young(tmp_path: Path, three_steps: Path) -> Path:
    """A record of a few steps, to be damaged."""
    return Path(shutil.copytree(three_steps, tmp_path / "young"))


def one_sentence(call: Callable[[], object], *phrases: str) -> None:
    with pytest.raises(RecordError) as caught:
        call()
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.endswith(".") and not message.endswith("..")
    for phrase in phrases:
        assert phrase in message


# --- what a record holds


def test_a_record_opens_in_one_line(whole: tuple[Path, Snapshot]) -> None:
    kept, last = Record(whole[0]), whole[1]
    assert kept.settings["task"] == "denoise" and kept.settings["format"] == FORMAT
    assert kept.steps[:3] == [0, 1, 2] and kept.steps[-1] == STEPS
    assert (
        len(kept)
        == len(kept.steps)
        == len(kept.curve["loss"])
        == 1 + sum(map(logarithmic, range(1, STEPS + 1)))
    )
    assert kept.finished and kept.curve["stop_reason"][-1] == last.stop_reason
    assert kept.curve["loss"][-1] == last.loss and kept.curve["best_step"][-1] == last.best_step
    assert np.isnan(kept.curve["variance"][0])  # infinite before the stopping rule begins
    assert kept.curve["psnr_true"][-1] > kept.curve["psnr_true"][0]


def test_frames_are_the_snapshots_rounded(whole: tuple[Path, Snapshot]) -> None:
    kept, last = Record(whole[0]), whole[1]
    for which in ("x_avg", "x", "best"):
        expected = getattr(last, which).clamp(0, 1)
        assert torch.allclose(kept.frame(STEPS, which), expected, atol=0.501 / 255)
        assert torch.equal(kept.frame(-1, which), kept.frame(STEPS, which))
        for step in kept.steps:
            assert kept.frame(step, which).shape == last.x.shape
    one_sentence(lambda: kept.frame(19), "step 19", "nearest")
    one_sentence(lambda: kept.frame(0, "y"), "'y'", "x_avg")


def test_the_best_picture_may_be_older_than_any_snapshot(tmp_path: Path) -> None:
    run, recorder = new_run(), Recorder(tmp_path / "a", {})
    recorder.add(run.snapshot(), run.state())
    for _ in range(5):
        run.advance()
    recorder.add(
        replace(run.snapshot(), best=picture(), network=picture(), best_step=3), run.state()
    )
    kept = Record(tmp_path / "a")
    assert kept.steps == [0, 5] and kept.curve["best_step"][-1] == 3
    assert torch.allclose(kept.frame(-1, "best"), picture(), atol=0.501 / 255)
    assert not torch.allclose(kept.frame(-1, "x_avg"), picture(), atol=0.1)
    before = contents(tmp_path / "a")
    Recorder.reopen(tmp_path / "a")
    assert contents(tmp_path / "a") == before


def test_the_state_loads_safely_and_is_the_run_s(whole: tuple[Path, Snapshot]) -> None:
    state = Record(whole[0]).state()
    assert state is not None and state["step"] == STEPS
    run = new_run()
    run.load(state)
    assert torch.equal(run.snapshot().best, whole[1].best)


def test_grey_pictures_and_more_columns(tmp_path: Path) -> None:
    run = Run(denoise(picture()[:, :1], 0.1, preset="tiny"), device="cpu")
    recorder = Recorder(tmp_path / "deep" / "grey", {})
    for snap in fit(run, steps=2):
        recorder.add(snap, run.state(), psnr_noisy=float("inf"))
    kept = Record(tmp_path / "deep" / "grey")
    assert kept.frame(2).shape == (1, 1, 32, 40) and np.isnan(kept.curve["psnr_noisy"]).all()


def test_a_snapshot_and_its_state_are_of_one_step(tmp_path: Path) -> None:
    run, recorder = new_run(), Recorder(tmp_path / "a", {})
    snap = run.snapshot()
    run.advance()
    one_sentence(lambda: recorder.add(snap, run.state()), "step 0", "state of step 1")


# --- kills and resumes


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import torch
torch.set_num_threads(int(sys.argv[3]))
from tests.test_records import Recorder, new_run, record
run, recorder = new_run(), Recorder(Path(sys.argv[1]), {"task": "denoise", "seed": 3})
print("ready", flush=True)
record(run, recorder, pause=0.02)
"""


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.2, 0.35])
def test_a_killed_run_ends_where_it_would_have(
    tmp_path: Path, whole: tuple[Path, Snapshot], delay: float
) -> None:
    folder, root = tmp_path / "run", Path(__file__).resolve().parents[1]
    arguments = [str(folder), str(root), str(torch.get_num_threads())]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        time.sleep(delay)
        child.kill()  # SIGKILL
    assert child.returncode != 0, "the run was over before the kill"
    reached = len(Record(folder))  # whatever is there opens
    last = resume(folder)
    assert reached < len(Record(folder))
    assert last.loss == whole[1].loss and torch.equal(last.best, whole[1].best)
    assert contents(folder) == contents(whole[0])


class KilledError(BaseException):
    """As good as SIGKILL: nothing of ours catches it."""


def test_a_kill_between_any_two_files_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move, left = os.replace, 0
    expected = record(new_run(), Recorder(tmp_path / "whole", {"seed": 3}), steps=4)

    def failing(source: Any, target: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KilledError
        move(source, target)

    for moves in (*range(1, 10), 17, 18, 19, 20):  # settings, then four files a snapshot
        folder, run, left = tmp_path / str(moves), new_run(), moves
        with monkeypatch.context() as patch, pytest.raises(KilledError):
            patch.setattr(os, "replace", failing)
            record(run, Recorder(folder, {"seed": 3}), steps=4)
        last = resume(folder, steps=4)
        assert last.loss == expected.loss and torch.equal(last.best, expected.best)
        assert contents(folder) == contents(tmp_path / "whole")


def test_leftovers_of_a_kill_are_removed_and_other_files_kept(young: Path) -> None:
    before = contents(young)
    (young / ".dip-0123456789ab.tmp").write_bytes(b"half")
    (young / "frames" / ".dip-0123456789ab.tmp").write_bytes(b"half")
    for kind in ("avg", "out"):  # of a snapshot whose row was never written
        (young / "frames" / f"000099_{kind}.png").write_bytes(b"half")
    Record(young).frame(-1)
    Recorder.reopen(young)
    assert contents(young) == before
    (young / "notes.txt").write_text("mine")
    Recorder.reopen(young)
    assert (young / "notes.txt").read_text() == "mine"


def test_a_finished_record_can_be_resumed_and_lengthened(young: Path) -> None:
    before = contents(young)
    assert resume(young, steps=3).step == 3 and contents(young) == before
    resume(young, steps=5)
    kept = Record(young)
    assert kept.steps == [0, 1, 2, 3, 4, 5] and kept.finished
    assert [bool(why) for why in kept.curve["stop_reason"]] == [False] * 5 + [True]


def test_without_a_state_the_record_goes_back_to_the_last(tmp_path: Path) -> None:
    run, other = new_run(), new_run()
    for folder, kept, keep in (("a", run, True), ("b", other, False)):
        recorder = Recorder(tmp_path / folder, {})
        for snap in fit(kept, steps=6):
            recorder.add(snap, kept.state() if keep or snap.step <= 3 else None)
    assert Record(tmp_path / "b").steps == Record(tmp_path / "a").steps
    again = new_run()
    recorder = Recorder.reopen(tmp_path / "b", again)
    assert again.step == 3 and Record(tmp_path / "b").steps[-1] == 3
    for snap in fit(again, steps=6):
        recorder.add(snap, again.state())
    assert contents(tmp_path / "b") == contents(tmp_path / "a")


def test_a_record_without_any_state_can_be_read_and_not_resumed(tmp_path: Path) -> None:
    run, recorder = new_run(), Recorder(tmp_path / "a", {})
    for snap in fit(run, steps=3):
        recorder.add(snap)
    assert not (tmp_path / "a" / "state.pt").exists()
    assert Record(tmp_path / "a").frame(-1).shape == (1, 3, 32, 40)
    one_sentence(lambda: Recorder.reopen(tmp_path / "a"), "state.pt", "missing")


@pytest.mark.parametrize("sync", [True, False])
def test_the_disk_is_waited_for_unless_asked_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: bool
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    run, recorder = new_run(), Recorder(tmp_path / "a", {}, sync=sync)
    recorder.add(run.snapshot(), run.state())
    assert bool(calls) == sync
    calls.clear()
    Recorder.reopen(tmp_path / "a", sync=sync).add(run.snapshot(), run.state())
    assert bool(calls) == sync


# --- what is refused


def test_a_folder_with_a_record_or_a_file_is_refused(young: Path, tmp_path: Path) -> None:
    before = contents(young)
    one_sentence(lambda: Recorder(young, {}), "young", "already", "resume")
    assert contents(young) == before
    (tmp_path / "file").write_text("x")
    one_sentence(lambda: Recorder(tmp_path / "file", {}), "is a file")
    one_sentence(lambda: Recorder(tmp_path / "file" / "under", {}), "cannot be written")
    one_sentence(lambda: Recorder(tmp_path / "new", {"a": object()}), "plain JSON")
    assert not (tmp_path / "new").exists()


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        one_sentence(lambda folder=folder: Record(folder), "holds no record", "settings.json")
    one_sentence(lambda: Recorder.reopen(tmp_path), "holds no record")
    (tmp_path / "settings.json").write_text("{}")
    one_sentence(lambda: Record(tmp_path), "format")


def test_another_format_names_its_version(young: Path) -> None:
    settings = Record(young).settings
    (young / "settings.json").write_text(json.dumps({**settings, "version": "0.9.9"}))
    assert Record(young).settings["version"] == "0.9.9" and Recorder.reopen(young).rows
    (young / "settings.json").write_text(
        json.dumps({**settings, "format": FORMAT + 1, "version": "9.9"})
    )
    one_sentence(lambda: Record(young), "dip_lite 9.9", f"format {FORMAT + 1}", f"format {FORMAT}")
    one_sentence(lambda: Recorder.reopen(young), "dip_lite 9.9")


@pytest.mark.parametrize("file", ["settings.json", "curve.json", "state.pt"])
@pytest.mark.parametrize("content", [b"", b"[{", b"\xff\xfe\x00", b"3", b'[{"step": "a"}]'])
def test_damage_is_one_sentence(young: Path, file: str, content: bytes) -> None:
    (young / file).write_bytes(content)
    one_sentence(lambda: Recorder.reopen(young), file, "is damaged")


def test_half_a_state_and_a_state_that_runs_code_are_refused(young: Path) -> None:
    path = young / "state.pt"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    one_sentence(lambda: Recorder.reopen(young), "state.pt", "is damaged")
    torch.save({"step": Path("x")}, path)  # not among the plain types
    one_sentence(lambda: Recorder.reopen(young), "state.pt", "is damaged")
    path.unlink()
    one_sentence(lambda: Recorder.reopen(young), "state.pt", "missing")
    assert len(Record(young)) == 4 and Record(young).frame(-1).shape == (1, 3, 32, 40)


def test_a_missing_or_damaged_picture_is_one_sentence(young: Path) -> None:
    (young / "frames" / "000002_avg.png").write_bytes(b"\x89PNG")
    one_sentence(lambda: Record(young).frame(2), "000002_avg.png")
    (young / "frames" / "000002_avg.png").unlink()
    one_sentence(lambda: Record(young).frame(2), "000002_avg.png", "does not exist")


def test_a_run_of_another_task_is_refused_before_anything_is_dropped(young: Path) -> None:
    before = contents(young)
    other = Run(denoise(picture()[:, :1], 0.1, preset="tiny"), device="cpu")
    one_sentence(lambda: Recorder.reopen(young, other), "another task")
    assert contents(young) == before


@pytest.mark.parametrize("moves", [0, 1, 2, 3])
def test_a_full_disk_is_one_sentence_and_the_record_still_opens(
    young: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    run = new_run()
    recorder, left, move = Recorder.reopen(young, run), moves, os.replace

    def full(source: Any, target: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        move(source, target)

    run.advance()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        one_sentence(lambda: recorder.add(run.snapshot(), run.state()), "No space left")
    assert not [*young.rglob(".dip-*")]
    kept = Record(young)
    assert kept.steps[:4] == [0, 1, 2, 3] and kept.frame(-1).shape == (1, 3, 32, 40)
    recorder.add(run.snapshot(), run.state())  # room again
    assert Record(young).steps == [0, 1, 2, 3, 4]


# --- what is made of it


@pytest.mark.parametrize("name", ["run.gif", "run.webp"])
def test_animations_have_a_frame_a_snapshot(
    tmp_path: Path, whole: tuple[Path, Snapshot], name: str
) -> None:
    kept, path = Record(whole[0]), tmp_path / name
    kept.animate(path)
    with Image.open(path) as animation:
        assert animation.format == path.suffix[1:].upper() and animation.n_frames == len(kept)
        assert animation.size == (240, 192 + 24)
    kept.animate(path, which="best", seconds=0.5)
    with Image.open(path) as animation:
        assert animation.n_frames == 6


def rows_of(page: str) -> list[list[float]]:
    found = re.search(r"still\(document.body, (\{.*?\}), decode", page)
    assert found
    return list(json.loads(found[1])["frames"])


def test_a_page_has_a_frame_a_snapshot_and_the_curve(whole: tuple[Path, Snapshot]) -> None:
    kept = Record(whole[0])
    rows = rows_of(kept.to_html())
    assert [row[0] for row in rows] == kept.steps
    assert [row[3] for row in rows] == pytest.approx([*kept.curve["psnr_true"]])
    assert all(row[6] > 0 for row in rows)  # raw outputs
    compared = kept.to_html(which="x", x0=picture(), x_true=picture(), fragment=True)
    assert compared.count("data:image/webp") == 3 and "&quot;kind&quot;: &quot;raw" in compared
    assert all(row[6] == 0 for row in rows_of(kept.to_html(which="best")))
    one_sentence(lambda: kept.to_html(which="y"), "which must be one of", "'y'")


def test_an_empty_record_has_no_page(young: Path) -> None:
    (young / "curve.json").unlink()
    one_sentence(lambda: Record(young).to_html(), "no snapshot yet")


def test_contact_sheet_and_refusals(tmp_path: Path, whole: tuple[Path, Snapshot]) -> None:
    kept = Record(whole[0])
    kept.contact_sheet(tmp_path / "sheet.png", count=12)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 6 * 160 and sheet.height > 2 * 128
    one_sentence(lambda: kept.animate(tmp_path / "run.mp4"), ".gif", ".webp")
    with pytest.raises(PictureError, match="does not exist"):
        kept.contact_sheet(tmp_path / "nowhere" / "sheet.png")
    Recorder(tmp_path / "empty", {})
    one_sentence(lambda: Record(tmp_path / "empty").animate(tmp_path / "a.gif"), "no snapshot")
    assert Record(tmp_path / "empty").curve == {} and not Record(tmp_path / "empty").finished


@pytest.fixture(autouse=True)
def nothing_half_written(tmp_path: Path) -> Iterator[None]:
    yield
    assert not [*tmp_path.rglob(".dip-*")], "a temporary file was left behind"
