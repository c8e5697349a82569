"""The shipped long runs, and the script that makes them."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import dip_lite as dip
from benchmarks import long_runs as maker
from dip_lite import long_run, psnr
from dip_lite.engine.loop import Run
from dip_lite.records.long_runs import FOLDER, LONG_RUNS, LongRun
from dip_lite.viz.scrubber import Scrubber

LOSSLESS = {"jpeg": (100, 2400, 50_000), "noise": (1800, 3000)}
MARKS = {"jpeg": (100, 2400, 50_000), "noise": (100, 1500, 1800, 3000)}


@pytest.mark.parametrize("name", LONG_RUNS)
def test_a_shipped_run_is_small_and_has_its_checkpoints(name: str) -> None:
    run = long_run(name)
    steps = [snap.step for snap in run.snaps]
    assert set(MARKS[name]) <= set(steps) and steps == sorted(set(steps))
    assert run.snaps[-1].stop_reason.startswith("steps:") and not run.snaps[-2].stop_reason
    assert steps[0] == 0 and steps[-1] == run.info["numbers"]["step"] == MARKS[name][-1]
    assert len(run.pack) == run.ends[-1] <= 600_000
    for snap in run.snaps:
        assert snap.x.shape == snap.x_avg.shape == run.x0.shape == run.x_true.shape


@pytest.mark.parametrize("name", LONG_RUNS)
def test_scores_are_those_of_the_pictures(name: str) -> None:
    """To the rounding where frames are kept without loss; elsewhere WebP takes colour and noise."""
    run = long_run(name)
    for snap in run.snaps:
        average, output = run.scores[snap.step]
        assert abs(psnr(snap.x_avg, run.x_true) - average) < 1.2
        assert abs(psnr(snap.x, run.x_true) - output) < (
            0.02 if snap.step in LOSSLESS[name] else 1.2
        )
    curve = run.curve
    assert len(curve["step"]) <= 1000 and curve["step"][-1] == run.snaps[-1].step
    for step in MARKS[name]:
        at = curve["step"].index(step)
        found = curve["average"][at], curve["output"][at]
        assert found == pytest.approx(run.scores[step], abs=1e-3)


def test_the_blocks_come_back() -> None:
    """Fig. 3 of the paper: a blur at 100, nearer than the input at 2400, worse at 50 000."""
    run = long_run("jpeg")
    early, right, late = (run.scores[step][1] for step in MARKS["jpeg"])
    assert early < run.info["input"] < right
    assert late < max(run.curve["output"]) - 0.2


def test_the_noise_comes_back() -> None:
    run = long_run("noise")
    outputs, averages = run.curve["output"], run.curve["average"]
    assert max(outputs) > run.info["input"] + 5 and outputs[-1] < max(outputs) - 0.5
    assert max(averages) > max(outputs)  # that is what the moving average is for


def test_the_scrubber_shows_the_scores_of_the_run() -> None:
    run = long_run("noise")
    scrubber = Scrubber(run.snaps, run.x_true, "x", x0=run.x0, scores=run.scores)
    assert scrubber.run["truth"] and scrubber.run["before"] and scrubber.run["kind"] == "raw"
    for row in scrubber.run["frames"]:
        assert tuple(row[3:5]) == run.scores[row[0]]
    without = Scrubber(run.snaps[-3:], run.x_true)
    assert all(row[3] is not None for row in without.run["frames"])


def test_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match="name must be one of jpeg, noise, got 'snail'"):
        long_run("snail")


# --- how they are made


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> maker.Case:
    monkeypatch.setattr(maker, "PSNR_EVERY", 2)
    x_true = dip.sample("coffee")[..., 100:164, 200:264]
    x0 = dip.add_noise(x_true, 0.1)
    task = dip.denoise(x0, sigma=0.1, preset="tiny")
    return maker.Case(x_true, x0, task, 30, (7,), 15, "Tiny", "Took {minutes} minutes.", "coffee")


class KilledError(Exception):
    pass


def test_a_killed_run_goes_on_to_the_bit(
    case: maker.Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(self: maker.Case, step: int) -> bool:
        if step == 21:  # after rows of the curve, before their state
            raise KilledError
        return wanted(self, step)

    wanted = maker.Case.wanted
    maker.resume(case, tmp_path / "whole")
    with monkeypatch.context() as patched, pytest.raises(KilledError):
        patched.setattr(maker.Case, "wanted", dies)
        maker.resume(case, tmp_path / "killed")
    assert len((tmp_path / "killed/psnr.csv").read_text().splitlines()) == 10
    with pytest.raises(SystemExit, match="the run is at step"):
        maker.ship(case, tmp_path / "killed", tmp_path / "shipped")
    maker.resume(case, tmp_path / "killed")
    whole, killed = (dip.Record(tmp_path / name) for name in ("whole", "killed"))
    assert whole.finished and killed.finished and whole.steps == killed.steps and 7 in whole.steps
    for step in whole.steps:
        assert torch.equal(whole.frame(step, "x"), killed.frame(step, "x"))
    curves = [(tmp_path / name / "psnr.csv").read_text() for name in ("whole", "killed")]
    assert curves[0] == curves[1] and curves[0].count("\n") == 15


def test_a_run_killed_before_its_first_snapshot_begins_anew(
    case: maker.Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(self: Run, **options: bool) -> None:
        raise KilledError

    with monkeypatch.context() as patched, pytest.raises(KilledError):
        patched.setattr(Run, "snapshot", dies)
        maker.resume(case, tmp_path)
    maker.resume(case, tmp_path)
    assert dip.Record(tmp_path).finished and dip.Record(tmp_path).steps[:2] == [0, 1]


def test_the_record_of_another_run_is_refused(case: maker.Case, tmp_path: Path) -> None:
    maker.resume(case, tmp_path / "record")
    other = replace(case, picture="chelsea")
    for use in (maker.resume, lambda *both: maker.ship(*both, tmp_path / "shipped")):
        with pytest.raises(SystemExit, match="of the task denoise with coffee, not of denoise"):
            use(other, tmp_path / "record")
    assert not (tmp_path / "shipped").exists()


def test_a_finished_run_is_packed(case: maker.Case, tmp_path: Path) -> None:
    maker.resume(case, tmp_path / "record")
    maker.ship(case, tmp_path / "record", tmp_path / "shipped")
    run, record = LongRun(tmp_path / "shipped"), dip.Record(tmp_path / "record")
    assert {path.name for path in (tmp_path / "shipped").iterdir()} == {
        path.name for path in (FOLDER / "jpeg").iterdir()
    }
    assert [snap.step for snap in run.snaps] == record.steps
    assert run.info["caption"] == "Took 0 minutes."
    for snap in run.snaps:
        assert psnr(snap.x, record.frame(snap.step, "x")) > 24
        assert math.isfinite(snap.loss) and snap.seconds >= 0
    with open(tmp_path / "record/psnr.csv", newline="") as file:
        assert [float(row[1]) for row in csv.reader(file)] == run.curve["output"]


def test_a_long_record_is_thinned() -> None:
    rows = [{"step": n, "psnr_true": -abs(n - 61), "psnr_output": -abs(n - 33)} for n in range(200)]
    steps = [row["step"] for row in maker._thinned(rows, (7,))]
    assert steps == sorted(set(steps)) and len(steps) <= maker.FRAMES + 4
    assert {0, 7, 33, 61, 199} <= set(steps)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--ship"], "holds no record"),
        (["--picture", "nonsense"], "is not a sample picture"),
    ],
)
def test_wrong_options_are_one_sentence(
    wrong: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["long_runs", "jpeg", "--record", str(tmp_path / "no"), *wrong])
    with pytest.raises(SystemExit, match=words):
        maker.main()
    assert not (tmp_path / "no").exists()
