"""The table of a sweep: one line for each trial, written to table.csv.

    table = make_table([(trial, row), ...])

A column for each setting that any trial has, and `MEASURED`, what a run reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .trial import Trial
from .worker import Row

if TYPE_CHECKING:
    from pandas import DataFrame

MEASURED = (
    "steps", "step_returned", "seconds", "stop_reason", "psnr", "ssim", "psnr_input", "psnr_best",
)  # fmt: skip


def make_table(rows: list[tuple[Trial, Row]]) -> DataFrame:
    """One line for each trial; a column for every setting that any of them has."""
    import pandas

    lines = [_line(trial, row) for trial, row in rows]
    names = dict.fromkeys(name for line in lines for name in line)
    swept = [name for kind in ("degrade.", "settings.") for name in names if name.startswith(kind)]
    columns = ["picture", "task", *swept, "seed", "budget", *MEASURED, "error", "key"]
    table = pandas.DataFrame(lines, columns=columns)
    return table.astype({"steps": "Int64", "step_returned": "Int64"})  # whole numbers or missing


def _line(trial: Trial, row: Row) -> dict[str, Any]:
    budget = [f"{trial.steps} steps"] if trial.steps is not None else []
    budget += [f"{trial.seconds:g} s"] if trial.seconds is not None else []
    budget += [] if trial.stop else ["no stop"]
    line = {"picture": trial.picture, "task": trial.task, "seed": trial.seed, "key": trial.key}
    line |= {f"degrade.{name}": value for name, value in trial.degrade.items()}
    line |= {f"settings.{name}": value for name, value in trial.settings.items()}
    numbers = {name: row.get(name) for name in MEASURED}
    return {**line, "budget": ", ".join(budget), **numbers, "error": row.get("error", "")}
