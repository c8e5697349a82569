"""The `sweep` command."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dip_lite.cli.sweep import sweep as sweep_command
from dip_lite.errors import SweepError
from dip_lite.sweep import Trial, read_grid, sweep

from ..sweep.helpers import DEAD, fill, write_grid


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid_file = write_grid(tmp_path)
    trials = read_grid(grid_file)
    fill(trials, grid_file.parent / "out")
    words = [str(grid_file), "--output", str(grid_file.parent / "out"), "--scheduler", DEAD]
    done = CliRunner().invoke(sweep_command, words)
    assert done.exit_code == 0, done.output
    assert "17 of 17" in done.output and trials[0].label() in done.output

    def failing(trials: list[Trial], folder: str, **more: Any) -> Any:
        wrong = replace(trials[0], picture="nowhere.png")
        return sweep([*trials, wrong], folder, **more)

    monkeypatch.setattr("dip_lite.sweep.runner.sweep", failing)
    done = CliRunner().invoke(sweep_command, words)
    assert done.exit_code == 1 and "nowhere.png does not exist" in done.output

    def interrupted(trials: list[Trial], folder: str, **more: Any) -> Any:
        more["progress"](trials[0], {"steps": 3, "seconds": 1.0})
        raise KeyboardInterrupt

    monkeypatch.setattr("dip_lite.sweep.runner.sweep", interrupted)
    done = CliRunner().invoke(sweep_command, words)
    assert done.exit_code == 130 and "1 of 17 runs are finished" in done.output


def test_a_missing_package_names_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dask", None)
    words = [str(write_grid(tmp_path)), "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(sweep_command, words)
    assert isinstance(done.exception, SweepError)
    assert 'pip install "dip_lite[sweep]"' in str(done.exception)
