"""Every verb of the command line does what it says, from file to file, and can be resumed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import dip_lite as dip
from dip_lite.__main__ import main
from dip_lite.job import OPTIONS, Job
from dip_lite.masks import scratches
from dip_lite.resample import Downsample, upsample
from dip_lite.tasks import TASKS
from dip_lite.verbs import make, read

SIZE = (48, 61)  # H, W
# what each verb needs beside its picture, and the size of what comes out
WORDS: dict[str, list[object]] = {
    "denoise": ["noisy.png", "--sigma", 25],
    "jpeg": ["blocky.jpg"],
    "inpaint": ["clean.png", "--mask", "mask.png"],
    "super-resolve": ["small.png", "--factor", 3],
    "flash": ["noisy.png", "--flash", "flash.png"],
    "tv": ["noisy.png", "--weight", 0.05],
}
TINY = ("--preset", "tiny")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a test: one scene, spoilt in every way."""
    monkeypatch.chdir(tmp_path)
    clean = dip.sample("chelsea")[..., 100:148, 150:211]
    mask = scratches(SIZE, seed=1, number=4)
    dip.save(clean, "clean.png")
    dip.save(dip.add_noise(clean, 25 / 255), "noisy.png")
    dip.save((clean * 0.8 + 0.2), "flash.png")
    dip.save(1 - mask, "mask.png")
    dip.save(mask, "inverse.png")
    Image.open("clean.png").save("blocky.jpg", quality=10)
    dip.save(Downsample((48, 60), 3)(clean[..., :60]).clamp(0, 1), "small.png")
    dip.save(clean[..., :60], "large.png")
    return tmp_path


def run(*words: object) -> int:
    return main([str(word) for word in words])


def short(verb: str, *words: object, steps: int = 3) -> int:
    """A few steps of a verb on its own picture, into out.png."""
    preset = () if verb == "tv" else TINY
    budget = () if {"--steps", "--resume"} & set(words) else ("--steps", steps)
    return run(verb, *WORDS[verb], *([] if "-o" in words else ["-o", "out.png"]), *preset,
               *budget, *words)  # fmt: skip


def pixels(name: str) -> np.ndarray:
    with Image.open(name) as picture:
        return np.array(picture)


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of stderr that is no progress bar and no note."""
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    lines = [line for line in lines if line and "%|" not in line and line[:5] != "Note:"]
    assert len(lines) == 1, lines
    assert lines[0].endswith("."), lines
    return lines[0]


# --- what comes out


@pytest.mark.parametrize("verb", WORDS)
def test_each_verb_writes_a_picture_and_a_report(verb: str, folder: Path) -> None:
    reference = "large.png" if verb == "super-resolve" else "clean.png"
    assert short(verb, "--report", "r.json", "--reference", reference) == 0
    told = json.loads(Path("r.json").read_text())
    width = 60 if verb == "super-resolve" else 61
    assert pixels("out.png").shape == (48, width, 3)
    assert (told["task"], told["width"], told["height"]) == (verb, width, 48)
    assert told["why"] == "steps: 3 made"
    assert set(OPTIONS[verb]) <= set(told)
    assert ("sigma" in told) == (verb == "denoise")
    assert told["psnr"] > 5
    if verb == "inpaint":  # its picture is the reference; JSON has no infinity
        assert told["psnr_input"] is None
    else:
        assert told["psnr_input"] > 15


def test_the_tables_of_verbs_agree() -> None:
    assert set(OPTIONS) == set(WORDS) == set(TASKS) - {"prior", "invert"}


def test_the_report_of_inpainting_says_what_was_picked(folder: Path) -> None:
    assert short("inpaint", "--report", "r.json", "--reference", "clean.png") == 0
    told = json.loads(Path("r.json").read_text())
    share = 1 - float(dip.load("inverse.png").mean())
    assert (told["kind"], told["energy"]) == ("thin", "hidden")
    assert told["missing"] == pytest.approx(share, abs=1e-4)
    assert "psnr_guess" in told and told["psnr_guess"] < 99
    assert short("inpaint", "--report", "r.json", "--kind", "hole") == 0
    told = json.loads(Path("r.json").read_text())
    assert (told["kind"], told["energy"]) == ("hole", "mse")


def test_what_came_is_measured_at_the_results_size(folder: Path) -> None:
    assert short("super-resolve", "--report", "r.json", "--reference", "large.png") == 0
    told = json.loads(Path("r.json").read_text())
    guess = dip.psnr(upsample(dip.load("small.png"), 3), dip.load("large.png"))
    assert (told["factor"], told["kernel"]) == (3, "lanczos")
    assert told["psnr_input"] == told["psnr_guess"] == pytest.approx(guess, abs=1e-3)


def test_each_verb_has_its_own_time() -> None:
    assert Job("a", "b").budget() == 60
    assert Job("a", "b", "inpaint").budget() == 120
    assert Job("a", "b", "inpaint", preset="tiny").budget() is None
    assert Job("a", "b", "tv").budget() is None
    assert Job("a", "b", "tv", seconds=3.0).budget() == 3
    assert Job("a", "b", "jpeg", steps=7).budget() is None


@pytest.mark.parametrize(
    ("job", "expected"),
    [(Job("a", "b", "polish"), "polish"), (Job("a", "b", "jpeg", {"sigma": 1}), "sigma")],
)
def test_a_job_refuses_what_there_is_not(job: Job, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        job.complete()


@pytest.mark.parametrize("verb", WORDS)
def test_every_option_reaches_its_task(verb: str, folder: Path) -> None:
    """From Python, with nothing but what the verb cannot do without."""
    needs = {"inpaint": {"mask": "mask.png"}, "flash": {"flash": "flash.png"}}
    job = Job(str(WORDS[verb][0]), "out.png", verb, needs.get(verb, {}), preset="tiny", seed=4)
    task, told = make(job.complete(), read(job.complete()))
    assert task.name == verb and told.keys() >= OPTIONS[verb].keys()


def test_the_kind_of_noise_is_passed_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def spy(x0: torch.Tensor, **arguments: Any) -> dip.Task:
        seen.append(arguments)
        return dip.denoise(x0, preset="tiny")

    monkeypatch.setitem(TASKS, "denoise", spy)
    assert short("denoise") == short("denoise", "--noise", "poisson") == 0
    assert [told["noise"] for told in seen] == ["gaussian", "poisson"]
    assert all(told["sigma"] > 0 for told in seen)  # estimated


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
    words = ("-o", "out.png", "--mask", "mask.png", "--weight", 0.01, "--steps", 60)
    assert run("tv", "painted.png", *words) == 0
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


# --- records


@pytest.mark.parametrize("verb", WORDS)
def test_a_resumed_run_ends_where_it_would_have(verb: str, folder: Path) -> None:
    """Its own options, mask and flash picture come from the record."""
    assert short(verb, "-o", "whole.png", "--no-stop", steps=9) == 0
    assert short(verb, "--no-stop", "--record", "rec", steps=4) == 0
    again = ("-o", "parts.png", "--resume", "rec", "--steps", 9)
    if verb == "flash":  # which cannot be called without
        again += ("--flash", "flash.png")
    assert run(verb, WORDS[verb][0], *again) == 0
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
    verb, change, expected = OTHERWISE[case]
    assert short(verb, "--record", "rec") == 0
    capsys.readouterr()
    words = [*WORDS[verb], *change()]
    assert run(verb, *words, "-o", "o.png", "--resume", "rec", "--steps", 5) == 2
    assert expected in sentence(capsys)
    assert not Path("o.png").exists()


def test_resuming_with_another_verb_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert short("denoise", "--record", "rec") == 0
    capsys.readouterr()
    assert run("jpeg", "noisy.png", "-o", "o.png", "--resume", "rec") == 2
    assert "the record of denoise, not of jpeg" in sentence(capsys)


# --- wrong input

WRONG: dict[str, tuple[list[object], str]] = {
    "mask of another size": (["inpaint", "clean.png", "--mask", "small.png"], "the mask is 20×16"),
    "mask that hides nothing": (["inpaint", "clean.png", "--mask", "black.png"], "hides nothing"),
    "mask that hides all": (["inpaint", "clean.png", "--mask", "white.png"], "hides everything"),
    "inverse mask that hides nothing": (
        ["inpaint", "clean.png", "--mask", "white.png", "--black-is-missing"],
        "white.png must be black",
    ),
    "mask that is not there": (["inpaint", "clean.png", "--mask", "no.png"], "no.png"),
    "mask that is no picture": (["inpaint", "clean.png", "--mask", "text.png"], "text.png"),
    "nothing to say what is missing": (["inpaint", "clean.png"], "--mask"),
    "transparency that hides nothing": (["inpaint", "opaque.png"], "--mask"),
    "two ways to say it": (
        ["inpaint", "clean.png", "--mask", "mask.png", "--missing-color", "red"],
        "not both",
    ),
    "no such colour": (["inpaint", "clean.png", "--missing-color", "sky"], "'sky'"),
    "a colour nobody painted": (["inpaint", "clean.png", "--missing-color", "#ff00ff"], "#ff00ff"),
    "polarity of no mask": (["inpaint", "clean.png", "--black-is-missing"], "--mask"),
    "unknown kind": (["inpaint", "clean.png", "--mask", "mask.png", "--kind", "big"], "big"),
    "factor 1": (["super-resolve", "small.png", "--factor", 1], "'1'"),
    "factor 5": (["super-resolve", "small.png", "--factor", 5], "'5'"),
    "factor a word": (["super-resolve", "small.png", "--factor", "twice"], "twice"),
    "unknown kernel": (["super-resolve", "small.png", "--kernel", "magic"], "magic"),
    "too large a result": (["super-resolve", "long.png", "--factor", 8], "4096"),
    "reference of the small size": (
        ["super-resolve", "small.png", "--factor", 3, "--reference", "small.png"],
        "the result 60×48",
    ),
    "flash of another size": (["flash", "noisy.png", "--flash", "small.png"], "20×16"),
    "no flash": (["flash", "noisy.png"], "--flash"),
    "negative weight": (["tv", "noisy.png", "--weight", -1], "-1"),
    "weight NaN": (["tv", "noisy.png", "--weight", "nan"], "nan"),
    "tv with a preset": (["tv", "noisy.png", "--preset", "tiny"], "--preset"),
    "unknown noise": (["denoise", "noisy.png", "--noise", "pink"], "pink"),
    "unwritable output": (["jpeg", "blocky.jpg", "-o", "text.png/o.png"], "text.png"),
    "output with no known suffix": (["jpeg", "blocky.jpg", "-o", "o.xyz"], ".xyz"),
    "a sweep of nothing": (["sweep", "none.toml"], "none.toml"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_sentence_and_leaves_nothing(
    case: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text.png").write_text("<html>no picture</html>")
    Image.new("L", (61, 48)).save("black.png")
    Image.new("L", (61, 48), 255).save("white.png")
    Image.new("RGBA", (61, 48), (9, 9, 9, 255)).save("opaque.png")
    Image.new("RGB", (1000, 16)).save("long.png")
    before = sorted(path.name for path in folder.iterdir())
    words, expected = WRONG[case]
    output = [] if "-o" in words or words[0] == "sweep" else ["-o", "o.png"]
    assert run(*words, *output) == 2
    assert expected in sentence(capsys)
    assert sorted(path.name for path in folder.iterdir()) == before


# --- help


@pytest.mark.parametrize("verb", WORDS)
def test_each_verbs_help_has_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(verb, "--help") == 0
    assert f"python -m dip_lite {verb} " in capsys.readouterr().out


def test_help_imports_neither_dask_nor_pandas() -> None:
    words = [sys.executable, "-X", "importtime", "-m", "dip_lite", "--help"]
    done = subprocess.run(words, cwd=Path(dip.__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0 and "sweep" in done.stdout
    modules = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "torch" in modules and not modules & {"dask", "distributed", "pandas", "matplotlib"}
