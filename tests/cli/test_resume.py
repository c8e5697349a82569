"""A resumed run ends as if it had never stopped, or says why it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import dip_lite as dip
from dip_lite.images.masks import scratches

from .scene import ARGUMENTS, SIZE, pixels, run, sentence, short


@pytest.mark.parametrize("task", ARGUMENTS)
def test_a_resumed_run_ends_where_it_would_have(task: str, folder: Path) -> None:
    """Its own options, mask and flash picture come from the record."""
    assert short(task, "-o", "whole.png", "--no-stop", steps=9) == 0
    assert short(task, "--no-stop", "--record", "rec", steps=4) == 0
    again = ("-o", "parts.png", "--resume", "rec", "--steps", 9)
    if task == "flash":  # which cannot be called without
        again += ("--flash", "flash.png")
    assert run(task, ARGUMENTS[task][0], *again) == 0
    assert np.array_equal(pixels("whole.png"), pixels("parts.png"))


def _other_mask() -> list[object]:
    dip.save(1 - scratches(SIZE, seed=2), "other.png")
    return ["--mask", "other.png"]


def _other_flash() -> list[object]:
    dip.save(dip.load("clean.png"), "other.png")
    return ["--flash", "other.png"]


def _changed_mask() -> list[object]:
    dip.save(1 - scratches(SIZE, seed=2), "mask.png")
    return []


OTHERWISE: dict[str, tuple[str, Callable[[], list[object]], str]] = {
    "another mask": ("inpaint", _other_mask, "another mask (mask.png)"),
    "a mask that changed": ("inpaint", _changed_mask, "another mask (mask.png)"),
    "the inverse mask": ("inpaint", lambda: ["--black-is-missing"], "another mask (mask.png)"),
    "another flash picture": ("flash", _other_flash, "another flash (flash.png)"),
    "another factor": ("super-resolve", lambda: ["--factor", 2], "factor 3, not 2"),
    "another kernel": ("super-resolve", lambda: ["--kernel", "box"], "kernel lanczos, not box"),
    "another kind": ("inpaint", lambda: ["--kind", "hole"], "kind"),
    "known pixels refitted": ("inpaint", lambda: ["--refit-known"], "--refit-known"),
    "another weight": ("tv", lambda: ["--weight", 1], "weight 0.05, not 1.0"),
    "other noise": ("denoise", lambda: ["--noise", "poisson"], "noise gaussian, not poisson"),
    "a mask where there was none": ("tv", lambda: ["--mask", "mask.png"], "another mask"),
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_resuming_refuses_what_was_otherwise(
    case: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task, change, expected = OTHERWISE[case]
    assert short(task, "--record", "rec") == 0
    capsys.readouterr()
    arguments = [*ARGUMENTS[task], *change()]
    assert run(task, *arguments, "-o", "o.png", "--resume", "rec", "--steps", 5) == 2
    assert expected in sentence(capsys)
    assert not Path("o.png").exists()


def test_resuming_with_another_command_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert short("denoise", "--record", "rec") == 0
    capsys.readouterr()
    assert run("jpeg", "noisy.png", "-o", "o.png", "--resume", "rec") == 2
    assert "the record of denoise, not of jpeg" in sentence(capsys)


def test_a_jpeg_is_resumed_with_the_compression_of_its_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not with a lossless copy, whose pixels may tell less, or nothing."""
    assert short("jpeg", "--record", "rec", "--report", "r.json") == 0
    assert json.loads(Path("r.json").read_text())["compression"] == "4:2:0"
    assert short("jpeg", "--blind", "-o", "blind.png", "--report", "b.json") == 0
    assert json.loads(Path("b.json").read_text())["compression"] == "unknown"
    dip.save(dip.load("blocky.jpg"), "copy.png")
    capsys.readouterr()
    assert run("jpeg", "copy.png", "-o", "out.png", "--preset", "tiny", "--resume", "rec") == 2
    assert "rec is the record of another compression" in sentence(capsys)
    assert run("jpeg", "blocky.jpg", "-o", "o.png", "--resume", "rec", "--steps", 5) == 0


def test_settings_are_told_as_they_are_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert short("denoise", "--record", "rec") == 0
    capsys.readouterr()
    again = ("noisy.png", "-o", "o.png", "--resume", "rec")
    assert run("denoise", *again, "--sigma", 50) == 2
    assert "with --sigma 25, not 50" in sentence(capsys)
    assert run("denoise", *again, "--energy", "mse") == 2
    assert "without --energy" in sentence(capsys)


@pytest.fixture
def threads() -> Iterator[int]:
    """Another number of threads than usual; the usual one is put back."""
    usual = torch.get_num_threads()
    yield usual + 1
    torch.set_num_threads(usual)


def test_a_resumed_run_uses_the_recorded_number_of_threads(
    threads: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = torch.get_num_threads()
    assert short("denoise", "-o", "whole.png", "--no-stop", steps=9) == 0
    assert short("denoise", "--no-stop", "--record", "rec", steps=4) == 0
    torch.set_num_threads(threads)
    capsys.readouterr()
    again = ("-o", "parts.png", "--resume", "rec", "--steps", 9, "--report", "r.json")
    assert run("denoise", "noisy.png", *again) == 0
    error = capsys.readouterr().err
    assert f"Note: using {usual} CPU threads instead of {threads}, as recorded in rec" in error
    assert error.count("Note:") == 1
    assert json.loads(Path("r.json").read_text())["threads"] == usual
    assert torch.get_num_threads() == threads  # the caller's own
    assert np.array_equal(pixels("whole.png"), pixels("parts.png"))


@pytest.mark.parametrize("recorded", ["many", 0])
def test_a_number_of_threads_that_cannot_be_used_is_refused(
    recorded: object, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert short("denoise", "--record", "rec") == 0
    path = Path("rec/settings.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"threads": recorded}))
    capsys.readouterr()
    assert run("denoise", "noisy.png", "-o", "o.png", "--resume", "rec") == 2
    assert f"used {recorded} threads" in sentence(capsys)
    assert not Path("o.png").exists()
