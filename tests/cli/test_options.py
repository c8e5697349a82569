"""Options: units, help, and one sentence for whatever is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import dip_lite as dip

from .scene import ARGUMENTS, TINY, run, sentence

WRONG: dict[str, tuple[list[object], str]] = {
    "mask of another size": (["inpaint", "clean.png", "--mask", "small.png"], "The mask is 20×16"),
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
        "the result is 60×48",
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
    arguments, expected = WRONG[case]
    output = [] if "-o" in arguments or arguments[0] == "sweep" else ["-o", "o.png"]
    assert run(*arguments, *output) == 2
    assert expected in sentence(capsys)
    assert sorted(path.name for path in folder.iterdir()) == before


# --- units


@pytest.mark.parametrize(("given", "sigma"), [("1", 1 / 255), ("25", 25 / 255), ("0", 0.0)])
def test_sigma_is_in_grey_levels(given: str, sigma: float, folder: Path) -> None:
    assert run("denoise", "noisy.png", "-o", "o.png", "--sigma", given, *TINY,
               "--steps", 1, "--report", "r.json") == 0  # fmt: skip
    assert json.loads(Path("r.json").read_text())["sigma"] == pytest.approx(sigma)


@pytest.mark.parametrize(("given", "advice"), [("0.1", "25.5"), ("0.99", "252.45")])
def test_a_fraction_is_refused_with_the_grey_levels_it_may_mean(
    given: str, advice: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("denoise", "noisy.png", "-o", "o.png", "--sigma", given) == 2
    assert (
        f"sigma is in grey levels from 0 to 255, got {given}: for {given} of full scale write "
        f"{advice}"
    ) in sentence(capsys)
    assert not Path("o.png").exists()


# --- help


@pytest.mark.parametrize("task", ARGUMENTS)
def test_each_commands_help_has_an_example(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(task, "--help") == 0
    assert f"python -m dip_lite {task} " in capsys.readouterr().out


def test_help_imports_neither_dask_nor_pandas() -> None:
    arguments = [sys.executable, "-X", "importtime", "-m", "dip_lite", "--help"]
    done = subprocess.run(
        arguments, cwd=Path(dip.__file__).parents[1], capture_output=True, text=True
    )
    assert done.returncode == 0 and "sweep" in done.stdout
    modules = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "torch" in modules and not modules & {"dask", "distributed", "pandas", "matplotlib"}
