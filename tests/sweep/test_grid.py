"""Grids, in Python and from a TOML file."""

from __future__ import annotations

from pathlib import Path

import pytest

from dip_lite.sweep import expand_grid, read_grid

from .helpers import GRID, assert_one_sentence


def test_a_grid_is_the_product_in_order() -> None:
    trials = expand_grid(
        ["a.png", "b.png"],
        "denoise",
        {"preset": "tiny", "energy": ["mse", "recorrupted"]},
        range(2),
        degrade={"sigma": [0.05, 0.1]},
        steps=9,
    )
    assert len(trials) == len(set(trials)) == len({trial.key for trial in trials}) == 16
    assert [trial.seed for trial in trials[:4]] == [0, 1, 0, 1]
    assert [trial.settings["energy"] for trial in trials[:4]] == ["mse"] * 2 + ["recorrupted"] * 2
    assert [trial.degrade["sigma"] for trial in trials[:8:4]] == [0.05, 0.1]
    assert {trial.picture for trial in trials[:8]} == {"a.png"}
    assert {(trial.steps, trial.seconds, trial.stop) for trial in trials} == {(9, None, True)}


def test_a_grid_is_read(grid_file: Path) -> None:
    trials = read_grid(grid_file)
    assert len(trials) == 17
    assert trials[0].picture == str(grid_file.parent / "clean.png")
    assert trials[0].degrade == {"sigma": 15 / 255} and trials[4].degrade == {"sigma": 0.1}
    assert trials[8].picture == "sample:coins" and trials[0].steps == 6
    last = trials[-1]
    assert (last.seed, last.steps, last.seconds, last.stop) == (5, 6, 2.0, False)


@pytest.mark.parametrize("name", ["sigma", "photons"])
def test_noise_levels_from_1_on_are_grey_levels(grid_file: Path, name: str) -> None:
    grid_file.write_text(GRID.replace("sigma = [15, 0.1]", f"{name} = [25, 1, 0.99]"))
    levels = [trial.degrade[name] for trial in read_grid(grid_file)[:12:4]]
    assert levels == [25 / 255, 1 / 255, 0.99]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seeds = [0, 1]", "seeds = [0, 1", ["grid.toml", "not valid TOML", "line"]),
        ("seeds = [0, 1]", "seed = [0, 1]", ["grid.toml", "'seed'", "seeds"]),
        ("seeds = [0, 1]", "seeds = 3", ["seeds", "list", "3"]),
        ("seeds = [0, 1]", "seeds = [-1]", ["seed", "-1"]),
        ("steps = 6", "steps = true", ["steps", "True"]),
        ("seconds = 2", "seconds = -2", ["number 2", "seconds", "-2"]),
        ("clean.png", "dirty.png", ["dirty.png", "not exist"]),
        ("sample:coins", "sample:coin", ["coin", "coins"]),
        ('pictures = ["clean.png", "sample:coins"]', "", ["pictures", "nothing"]),
        ('name = "denoise"\ndegrade', "degrade", ["number 1", "name"]),
        ('"denoise"\ndegrade', '"repaint"\ndegrade', ["repaint", "denoise"]),
        ("sigma = [15, 0.1]", "blur = 3", ["blur", "sigma"]),
        ("degrade = { sigma = [15, 0.1] }", "degrade = 3", ["degrade", "table"]),
        ("energy =", "enregy =", ["enregy", "energy"]),
        ("[[tasks]]", "[[task]]", ["'task'"]),
        ("settings", "options", ["'options'", "settings"]),
        ("[15, 0.1]", "[2015-01-01]", ["sigma", "2015"]),
        ("[15, 0.1]", "[15, 300]", ["number 1", "255", "300"]),
        ("[15, 0.1]", "[15, nan]", ["number 1", "255", "nan"]),
    ],
)
def test_every_mistake_in_a_grid_is_one_sentence(
    grid_file: Path, old: str, new: str, words: list[str]
) -> None:
    assert old in GRID
    grid_file.write_text(GRID.replace(old, new))
    assert_one_sentence(lambda: read_grid(grid_file), *words)


def test_a_grid_that_is_no_text_is_one_sentence(grid_file: Path) -> None:
    assert_one_sentence(lambda: read_grid(grid_file.parent), "cannot be read")
    assert_one_sentence(lambda: read_grid(grid_file.parent / "no.toml"), "no.toml", "not exist")
    assert_one_sentence(lambda: read_grid(grid_file.parent / "clean.png"), "not text")
    grid_file.write_text("pictures = ['clean.png']")
    assert_one_sentence(lambda: read_grid(grid_file), "[[tasks]]")
