"""What the tests of sweeps share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dip_lite as dip
from dip_lite.sweep import Trial, expand_grid
from dip_lite.sweep.store import ResultStore
from dip_lite.sweep.worker import ExecutionOptions, TrialResult, fetch, run_trial

TINY = {"preset": "tiny"}
DEAD = "tcp://127.0.0.1:9"  # nobody listens there: whatever needs a cluster fails


GRID = """
pictures = ["clean.png", "sample:coins"]
seeds = [0, 1]
steps = 6
[[tasks]]
name = "denoise"
degrade = { sigma = [15, 0.1] }
settings = { preset = "tiny", energy = ["mse", "recorrupted"] }
[[tasks]]
name = "denoise"
pictures = ["clean.png"]
seeds = [5]
seconds = 2
stop = false
settings = { preset = "tiny" }
"""


def save_clean(path: Path) -> str:
    """Saves a clean picture of 64×48 pixels."""
    dip.save(dip.sample("chelsea")[..., 100:148, 150:214], path)
    return str(path)


def write_grid(folder: Path) -> Path:
    """Writes GRID and the picture it names."""
    save_clean(folder / "clean.png")
    (folder / "grid.toml").write_text(GRID)
    return folder / "grid.toml"


def make_trials(picture: str, count: int = 3, steps: int = 12, **more: Any) -> list[Trial]:
    seeds = range(count)
    return expand_grid(
        [picture], "denoise", TINY, seeds, degrade={"sigma": 0.1}, steps=steps, **more
    )


def run_here(trial: Trial, **how: Any) -> TrialResult:
    """The trial run in this process."""
    return run_trial(trial, {name: fetch(name) for name in trial.files}, ExecutionOptions(**how))


def fill(trials: list[Trial], folder: Path) -> list[dict[str, Any]]:
    """Puts the results of runs in this process into a sweep's folder."""
    store = ResultStore(folder)
    return [store.keep(trial, ExecutionOptions(), run_here(trial)) for trial in trials]


def assert_one_sentence(call: Callable[[], object], *words: str, kind: type = ValueError) -> None:
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert message.splitlines() == [message]
    for word in words:
        assert word in message
