"""Every command builds its task from its files and options, and reports what it used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import dip_lite as dip
from dip_lite.cli.inputs import build_task, read_inputs
from dip_lite.cli.options import COMMANDS
from dip_lite.cli.request import RestoreRequest
from dip_lite.images.resample import upsample
from dip_lite.tasks import TASKS

from .scene import ARGUMENTS, SIZE, TINY, pixels, run, short


@pytest.mark.parametrize("task", ARGUMENTS)
def test_each_command_writes_a_picture_and_a_report(task: str, folder: Path) -> None:
    reference = "large.png" if task == "super-resolve" else "clean.png"
    assert short(task, "--report", "r.json", "--reference", reference) == 0
    report = json.loads(Path("r.json").read_text())
    width = 60 if task == "super-resolve" else 61
    assert pixels("out.png").shape == (48, width, 3)
    assert (report["task"], report["width"], report["height"]) == (task, width, 48)
    assert report["stop_reason"] == "steps: 3 made"
    assert set(COMMANDS[task].defaults) <= set(report)
    assert ("sigma" in report) == (task == "denoise")
    assert report["psnr"] > 5
    if task == "inpaint":  # its picture is the reference; JSON has no infinity
        assert report["psnr_input"] is None
    else:
        assert report["psnr_input"] > 15


def test_every_restoration_has_a_command() -> None:
    assert set(COMMANDS) == set(ARGUMENTS) == set(TASKS) - {"prior", "invert"}


def test_the_report_of_inpainting_says_what_was_picked(folder: Path) -> None:
    assert short("inpaint", "--report", "r.json", "--reference", "clean.png") == 0
    report = json.loads(Path("r.json").read_text())
    share = 1 - float(dip.load("inverse.png").mean())
    assert (report["kind"], report["energy"]) == ("thin", "held-out")
    assert report["missing"] == pytest.approx(share, abs=1e-4)
    assert "psnr_guess" in report and report["psnr_guess"] < 99
    assert short("inpaint", "--report", "r.json", "--kind", "hole") == 0
    report = json.loads(Path("r.json").read_text())
    assert (report["kind"], report["energy"]) == ("hole", "mse")


def test_what_came_is_measured_at_the_results_size(folder: Path) -> None:
    assert short("super-resolve", "--report", "r.json", "--reference", "large.png") == 0
    report = json.loads(Path("r.json").read_text())
    guess = dip.psnr(upsample(dip.load("small.png"), 3), dip.load("large.png"))
    assert (report["factor"], report["kernel"]) == (3, "lanczos")
    assert report["psnr_input"] == report["psnr_guess"] == pytest.approx(guess, abs=1e-3)
    words = "--report", "r.json", "--reference", "large.png", "--guide", "classical"
    assert short("super-resolve", *words) == 0
    fused = json.loads(Path("r.json").read_text())
    assert fused["psnr_input"] == report["psnr_input"] != fused["psnr_guess"]


@pytest.mark.parametrize("task", ARGUMENTS)
def test_every_option_reaches_its_task(task: str, folder: Path) -> None:
    """From Python, with nothing but what the task cannot do without."""
    needs = {"inpaint": {"mask": "mask.png"}, "flash": {"flash": "flash.png"}}
    picture, options = str(ARGUMENTS[task][0]), needs.get(task, {})
    request = RestoreRequest(picture, "out.png", task, options, preset="tiny", seed=4)
    built, settings = build_task(request, read_inputs(request))
    assert built.name == task and settings.keys() >= COMMANDS[task].defaults.keys()


def test_the_kind_of_noise_is_passed_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def spy(x0: torch.Tensor, **arguments: Any) -> dip.Task:
        seen.append(arguments)
        return dip.denoise(x0, preset="tiny")

    monkeypatch.setitem(TASKS, "denoise", spy)
    assert short("denoise") == short("denoise", "--noise", "poisson") == 0
    assert [report["noise"] for report in seen] == ["gaussian", "poisson"]
    assert all(report["sigma"] > 0 for report in seen)  # estimated


def test_salt_and_pepper_has_no_sigma(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert short("denoise", "--noise", "salt-pepper", "--sigma", "25") == 2
    assert "leave --sigma out" in capsys.readouterr().err


# --- masks


def test_four_ways_to_say_what_is_missing_are_one(folder: Path) -> None:
    """The missing pixels are not looked at, so the pictures agree to the bit."""
    missing = pixels("mask.png") > 127
    painted, cut = pixels("clean.png"), np.dstack([pixels("clean.png"), 255 - pixels("mask.png")])
    painted[missing] = (255, 0, 255)
    Image.fromarray(painted).save("painted.png")
    Image.fromarray(cut).save("cut.png")
    ways: list[list[object]] = [
        ["clean.png", "--mask", "mask.png"],
        ["clean.png", "--mask", "inverse.png", "--black-is-missing"],
        ["painted.png", "--missing-color", "#ff00ff"],
        ["cut.png"],
    ]
    for number, way in enumerate(ways):
        assert run("inpaint", *way, "-o", f"{number}.png", *TINY, "--steps", 3) == 0
    results = [pixels(f"{number}.png") for number in range(4)]
    assert all(np.array_equal(results[0], other) for other in results[1:])
    assert np.array_equal(results[0][~missing], pixels("clean.png")[~missing])
    assert not np.array_equal(results[0][missing], pixels("clean.png")[missing])


def test_known_pixels_may_be_the_networks_too(folder: Path) -> None:
    assert short("inpaint", "--refit-known") == 0
    known = pixels("mask.png") < 128
    assert not np.array_equal(pixels("out.png")[known], pixels("clean.png")[known])


def test_tv_fills_in_too(folder: Path) -> None:
    """Margin: 35.7 dB at the missing pixels, where white paint has 1.8; 30 asked."""
    missing = pixels("mask.png") > 127
    painted = pixels("clean.png")
    painted[missing] = 255
    Image.fromarray(painted).save("painted.png")
    arguments = ("-o", "out.png", "--mask", "mask.png", "--weight", 0.01, "--steps", 60)
    assert run("tv", "painted.png", *arguments) == 0
    away = (pixels("out.png")[missing] / 255 - pixels("clean.png")[missing] / 255) ** 2
    assert -10 * np.log10(away.mean()) > 30


@pytest.mark.parametrize("extra", [[], ["--black-is-missing"]])
def test_a_mask_that_hides_most_in_one_piece_is_asked_about(
    extra: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mostly = np.full(SIZE, 255, np.uint8)
    mostly[:10, :20] = 0
    Image.fromarray(255 - mostly if extra else mostly).save("mask.png")
    assert short("inpaint", *extra) == 0
    asked = next(line for line in capsys.readouterr().err.splitlines() if line[:5] == "Note:")
    advice = "leave --black-is-missing out" if extra else "add --black-is-missing"
    assert "93%" in asked and advice in asked
