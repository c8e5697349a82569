"""Results on disk: whole, or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import dip_lite as dip
from dip_lite.errors import SweepError
from dip_lite.sweep import Trial, sweep
from dip_lite.sweep.store import ResultStore
from dip_lite.sweep.worker import ExecutionOptions

from .helpers import DEAD, assert_one_sentence, fill, make_trials


def test_finished_trials_are_read_not_run(picture: str, tmp_path: Path) -> None:
    trials = make_trials(picture)
    rows = fill(trials, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*/*")}
    seen: list[Trial] = []
    table = sweep(
        [*trials, trials[0]],
        tmp_path,
        scheduler=DEAD,
        progress=lambda trial, row: seen.append(trial),
    )
    assert seen == trials and list(table["key"]) == [trial.key for trial in trials]
    assert list(table["psnr"]) == [row["psnr"] for row in rows]
    assert list(table["seed"]) == [0, 1, 2] and set(table["settings.preset"]) == {"tiny"}
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*/*")}
    assert (tmp_path / "table.csv").read_text().count("\n") == 4
    made = dip.load(tmp_path / trials[0].key / "best.png")
    assert dip.psnr(made, dip.load(picture)) == pytest.approx(rows[0]["psnr"], abs=0.05)


def test_half_a_trial_or_another_picture_is_not_finished(picture: str, tmp_path: Path) -> None:
    other = tmp_path / "moving.png"
    dip.save(dip.load(picture), other)
    trial = make_trials(str(other), 1)[0]
    folder = tmp_path / "sweep"
    fill([trial], folder)
    assert ResultStore(folder).finished(trial, ExecutionOptions()) is not None
    assert ResultStore(folder).finished(trial, ExecutionOptions(record=True)) is None  # it has none
    result = folder / trial.key / "result.json"
    whole = result.read_text()
    for degraded in ("", whole[:-20], "[]", whole.replace('"format": 1', '"format": 2')):
        result.write_text(degraded)
        assert ResultStore(folder).finished(trial, ExecutionOptions()) is None
    fill([trial], folder)  # takes its place
    assert ResultStore(folder).finished(trial, ExecutionOptions()) is not None
    dip.save(1 - dip.load(picture), other)
    assert ResultStore(folder).finished(trial, ExecutionOptions()) is None
    assert sorted(path.name for path in folder.iterdir()) == [trial.key]


def test_results_of_another_version_are_not_used(picture: str, tmp_path: Path) -> None:
    trial = make_trials(picture, 1)[0]
    fill([trial], tmp_path)
    assert ResultStore(tmp_path).finished(trial, ExecutionOptions()) is not None
    assert ResultStore(tmp_path).finished(trial, ExecutionOptions(version="0.0.9")) is None


def test_a_killed_writer_leaves_nothing_that_counts(
    picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = make_trials(picture, 1)[0]
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full")))
        assert_one_sentence(lambda: fill([trial], tmp_path), "disk full", kind=SweepError)
    assert ResultStore(tmp_path).finished(trial, ExecutionOptions()) is None and not [
        *tmp_path.iterdir()
    ]
    draft = tmp_path / ".dip-0123.tmp"
    draft.mkdir()
    ResultStore(tmp_path)
    assert draft.exists()  # another sweep may be writing it
    os.utime(draft, (1, 1))
    ResultStore(tmp_path)
    assert not draft.exists()


def test_a_folder_that_cannot_be_is_one_sentence(picture: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert_one_sentence(lambda: sweep([], tmp_path / "file"), "file", kind=SweepError)
