"""One run, in this process."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import dip_lite as dip
from dip_lite.sweep import Trial
from dip_lite.sweep.worker import digest, fetch

from .helpers import TINY, make_trials, run_here


def test_pictures_travel_as_bytes_and_unchanged(picture: str) -> None:
    values = fetch(picture)
    assert values.dtype.name == "uint8" and torch.equal(dip.load(values), dip.load(picture))
    assert digest(values) != digest(values[::-1]) != digest(fetch("sample:coins"))


def test_a_run_reports_what_fit_would(picture: str) -> None:
    trial = make_trials(picture, steps=25)[1]
    x_true = dip.load(picture)
    task = dip.denoise(dip.add_noise(x_true, 0.1, seed=1), 0.1, preset="tiny", seed=1)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        *_, last = dip.fit(task, steps=25, seed=1)
    finally:
        torch.set_num_threads(before)
    result = run_here(trial)
    assert result.row["psnr"] == dip.psnr(last.best.clamp(0, 1), x_true)
    assert result.row["stop_reason"] == last.stop_reason and result.row["steps"] == 25
    assert result.row["psnr_best"] >= dip.psnr(last.x_avg.clamp(0, 1), x_true)
    assert torch.get_num_threads() == before


def test_without_the_clean_picture_there_is_no_psnr(picture: str) -> None:
    row = run_here(Trial(picture, settings=TINY, steps=3)).row
    assert "psnr" not in row and row["steps"] == 3 and "error" not in row


@pytest.mark.parametrize(
    ("task", "how"),
    [
        ("jpeg", {"quality": 10}),
        ("inpaint", {"missing": 0.5}),
        ("super-resolve", {"factor": 2}),
        ("tv", {"sigma": 0.1}),
    ],
)
def test_the_task_is_given_what_the_degradation_knows(
    picture: str, task: str, how: dict[str, Any]
) -> None:
    settings = {} if task == "tv" else TINY
    row = run_here(Trial(picture, task, how, settings, steps=2)).row
    assert "error" not in row and row["psnr"] > 5 and row["psnr_input"] > 5


def test_settings_may_name_pictures(picture: str) -> None:
    settings = {**TINY, "mask": picture}
    trial = Trial(picture, "inpaint", {}, settings, steps=2)
    assert trial.files == [picture] and "error" not in run_here(trial).row
    without = run_here(Trial(picture, "inpaint", {}, TINY, steps=2)).row["error"]
    assert "inpaint" in without and "mask" in without
    small = {**TINY, "mask": "sample:coins"}
    assert (
        "of the same size" in run_here(Trial(picture, "inpaint", {}, small, steps=2)).row["error"]
    )
    flash = Trial(picture, "flash", {}, {**TINY, "flash": picture}, steps=2)
    assert "error" not in run_here(flash).row


@pytest.mark.parametrize(
    ("trial", "how", "words"),
    [
        ({"settings": {"preset": "huge"}}, {}, ["preset", "huge"]),
        ({"degrade": {"sigma": 3}}, {}, ["sigma", "3"]),
        ({}, {"device": "tpu9"}, ["tpu9"]),
        ({}, {"version": "9.9"}, ["9.9", dip.__version__]),
    ],
)
def test_what_fails_is_a_row_with_one_sentence(
    picture: str, trial: dict[str, Any], how: dict[str, Any], words: list[str]
) -> None:
    result = run_here(Trial(picture, **trial), **how)
    assert not result.files and list(result.row) == ["error"]
    assert result.row["error"][-1] in ".?" and all(w in result.row["error"] for w in words)
