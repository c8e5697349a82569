"""What a preset fixes, and what a task changes of it."""

import pytest

from dip_lite.tasks.presets import FAST, PAPER, PRESET_NAMES, TINY, choose, variants


def test_without_changes_there_are_the_three() -> None:
    assert tuple(variants()) == PRESET_NAMES
    assert [*variants().values()] == [FAST, PAPER, TINY]


def test_a_change_reaches_preset_or_settings_by_its_name_and_nothing_else() -> None:
    presets = variants(fast={"min_delta": 0.2, "z": "grid"}, paper={"steps": 7})
    assert (presets["fast"].settings.min_delta, presets["fast"].z) == (0.2, "grid")
    assert presets["fast"].settings.steps == FAST.settings.steps
    assert presets["paper"].settings.steps == 7 and presets["paper"].settings.lr == 0.01
    assert presets["tiny"] == TINY and FAST.settings.min_delta == 0  # the originals are as before


def test_a_preset_is_chosen_by_name() -> None:
    assert choose(variants(), "paper") == PAPER
    with pytest.raises(ValueError, match="preset must be one of fast, paper, tiny, got 'slow'"):
        choose(variants(), "slow")
