"""A trial is checked, and its key depends on its content alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dip_lite.sweep import Trial

from .helpers import TINY, assert_one_sentence


def test_keys_are_of_the_content_alone() -> None:
    trial = Trial(
        "a.png", degrade={"sigma": 0.1, "seed": 1}, settings={"preset": "tiny"}, seconds=60
    )
    assert trial.key == "3e3b0838ef8b117b"  # written down: a change loses everybody's results
    same = Trial("a.png", "denoise", {"seed": 1.0, "sigma": 0.1}, TINY, seconds=60.0)
    assert same == trial and same.key == trial.key and hash(same) == hash(trial)
    changes = [{"seed": 1}, {"stop": False}, {"steps": 5}, {"degrade": {"sigma": 0.2}}]
    assert len({replace(trial, **change).key for change in [{}, *changes]}) == 5  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"task": "repaint"}, ["task", "denoise", "repaint"]),
        ({"settings": {"enregy": "mse"}}, ["enregy", "energy", "preset"]),
        ({"settings": {"sigma": float("nan")}}, ["sigma", "finite", "nan"]),
        ({"settings": {"sigma": [1]}}, ["sigma", "[1]"]),
        ({"degrade": {"blur": 1}}, ["blur", "sigma"]),
        ({"degrade": {"sigma": 0.1, "quality": 10}}, ["one of"]),
        ({"degrade": {"seed": 1}}, ["one of"]),
        ({"degrade": {"sigma": "much"}}, ["sigma", "much"]),
        ({"degrade": {"mask": 3}}, ["mask", "string", "3"]),
        ({"degrade": {"factor": 2.5}}, ["factor", "whole", "2.5"]),
        ({"degrade": {"sigma": 0.1, "seed": -1}}, ["seed", "-1"]),
        ({"seed": -1}, ["seed", "-1"]),
        ({"steps": -1}, ["steps", "-1"]),
        ({"seconds": float("inf")}, ["seconds", "inf"]),
        ({"stop": 1}, ["stop", "1"]),
    ],
)
def test_what_cannot_be_a_trial_is_one_sentence(wrong: dict[str, Any], words: list[str]) -> None:
    assert_one_sentence(lambda: Trial("a.png", **wrong), *words)
