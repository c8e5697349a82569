"""A sweep written down: a TOML file, read into cells.

    cells = read_grid("grid.toml")

    # grid.toml: a list is swept, in every combination
    pictures = ["sample:chelsea", "photos/cat.png"]     # beside this file
    seeds = [0, 1, 2]
    seconds = 60                                        # or steps = 200; stop = false

    [[tasks]]
    name = "denoise"
    spoil = { sigma = [15, 25] }                        # grey levels, or below 1 a fraction
    settings = { energy = ["mse", "recorrupted"] }

    [[tasks]]
    name = "denoise"
    pictures = ["photos/noisy.png"]                     # of this task alone, as seeds, steps …
    settings = { preset = "fast" }

`spoil` is one of the ways of `dip_lite.spoil`; without it the pictures are spoilt already, and no
PSNR is known. `settings` are the options of the task's maker.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from .cell import FILES, Cell, SweepError, grid
from .decode import name_of, reason
from .perform import fetch

COMMON = ("pictures", "seeds", "steps", "seconds", "stop")
OWN = ("name", "spoil", "settings")
TOLD = {"steps": "a whole number", "seconds": "a number", "stop": "true or false"}
KINDS = {"steps": (int,), "seconds": (int, float), "stop": (bool,)}


def read_grid(path: str | os.PathLike[str]) -> list[Cell]:
    """The cells of a TOML file, its pictures read once to see that they can be.

    Raises:
        SweepError: no such file, no TOML, an unknown or missing key, a value of the wrong kind.
        PictureError: a picture that is missing or damaged.
        ValueError: what `Cell` refuses.
    """
    told, name = _parse(Path(path)), name_of(path)
    _check_keys(told, {*COMMON, "tasks"}, name)
    tasks = told.pop("tasks", None)
    if not isinstance(tasks, list) or not tasks or not all(isinstance(t, dict) for t in tasks):
        raise SweepError(f"{name} says not what to do: write a table [[tasks]] with a name")
    cells: list[Cell] = []
    for number, task in enumerate(tasks, 1):
        place = f"[[tasks]] number {number} of {name}"
        _check_keys(task, {*COMMON, *OWN}, place)
        cells += _cells({**told, **task}, Path(path).parent, place)
    for picture in dict.fromkeys(name for cell in cells for name in cell.files):
        fetch(picture)
    return list(dict.fromkeys(cells))


def _parse(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SweepError(f"{name_of(path)} does not exist: check the path") from error
    except OSError as error:
        raise SweepError(f"{name_of(path)} cannot be read ({reason(error)})") from error
    except UnicodeDecodeError as error:
        raise SweepError(f"{name_of(path)} is not text: a grid is a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise SweepError(f"{name_of(path)} is not TOML ({reason(error)}): mend it there") from error


def _check_keys(told: dict[str, Any], known: set[str], place: str) -> None:
    for name in told:
        if name not in known:
            raise SweepError(
                f"{place} has an unknown key {name!r}: take {', '.join(sorted(known))}"
            )


def _cells(told: dict[str, Any], folder: Path, place: str) -> list[Cell]:
    """The cells of one task."""
    pictures = [_beside(folder, name) for name in _list(told, "pictures", str, None, place)]
    seeds = _list(told, "seeds", int, [0], place)
    name = told.get("name")
    if not isinstance(name, str):
        raise SweepError(f'{place} has no name: write name = "denoise"')
    tables = {}
    for kind in ("spoil", "settings"):
        table = told.get(kind, {})
        if not isinstance(table, dict):
            raise SweepError(f"{kind} of {place} must be a table, as {kind} = {{ … }}")
        tables[kind] = {key: _values(key, value, folder) for key, value in table.items()}
    for key, kinds in KINDS.items():
        if key in told and type(told[key]) not in kinds:
            raise SweepError(f"{key} of {place} must be {TOLD[key]}, got {told[key]!r}")
    budget = {key: told[key] for key in KINDS if key in told}
    try:
        return grid(pictures, name, tables["settings"], seeds, spoil=tables["spoil"], **budget)
    except ValueError as error:
        raise SweepError(f"{place}: {error}") from error


def _list(
    told: dict[str, Any], key: str, kind: type, default: list[Any] | None, place: str
) -> list[Any]:
    """A list that is not empty, of one kind."""
    values = told.get(key, default)
    if not isinstance(values, list) or not values or not all(type(v) is kind for v in values):
        kinds = "names of pictures" if kind is str else "whole numbers"
        came = "nothing" if values is None else repr(values)
        raise SweepError(f"{key} of {place} must be a list of {kinds}, got {came}")
    return values


def _values(key: str, value: Any, folder: Path) -> Any:
    """Grey levels as a fraction, and the names of files as paths; in a list, each."""
    if isinstance(value, list):
        return [_values(key, one, folder) for one in value]
    if key == "sigma" and isinstance(value, (int, float)) and value >= 1:
        return value / 255
    return _beside(folder, value) if key in FILES and isinstance(value, str) else value


def _beside(folder: Path, name: str) -> str:
    return name if name.startswith("sample:") else str(folder / name)
