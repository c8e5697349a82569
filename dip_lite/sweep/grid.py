"""Many trials at once: the product of lists, in Python or from a TOML file.

    trials = expand_grid(["sample:chelsea"], settings={"energy": ["mse", "recorrupted"]})
    trials = read_grid("grid.toml")

    # grid.toml: every combination of the values in lists is run
    pictures = ["sample:chelsea", "photos/cat.png"]     # relative to this file
    seeds = [0, 1, 2]
    seconds = 60                                        # or steps = 200; stop = false

    [[tasks]]
    name = "denoise"
    degrade = { sigma = [15, 25] }                      # grey levels; below 1, a fraction
    settings = { energy = ["mse", "recorrupted"] }

    [[tasks]]
    name = "denoise"
    pictures = ["photos/noisy.png"]                     # for this task alone; also seeds, steps …
    settings = { preset = "fast" }

`degrade` is one of `dip_lite.sweep.degradation`; without it the pictures are taken as degraded
already, and no PSNR is known. `settings` are arguments of the task.
"""

import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import SweepError, name_of, reason
from ..images.noise import noise_level
from .trial import FILES, Trial
from .worker import fetch

BUDGET = ("steps", "seconds", "stop")
COMMON = ("pictures", "seeds", *BUDGET)
OWN = ("name", "degrade", "settings")
NOISE_LEVELS = ("sigma", "photons")  # in a file: grey levels, or a fraction below 1


def expand_grid(
    pictures: Iterable[str],
    task: str = "denoise",
    settings: Mapping[str, Any] | None = None,
    seeds: Iterable[int] = (0,),
    *,
    degrade: Mapping[str, Any] | None = None,
    **budget: Any,
) -> list[Trial]:
    """All trials of a product, with the pictures outermost and the seeds innermost.

    Args:
        pictures, task, seeds: see `Trial`.
        settings, degrade: see `Trial`; every value of a list is taken.
        budget: `steps`, `seconds` and `stop`, the same for all.

    Raises:
        ValueError: a combination that `Trial` refuses.

    >>> energies = ["mse", "recorrupted"]
    >>> trials = expand_grid(["sample:coins"], settings={"energy": energies}, seeds=range(3))
    >>> len(trials), trials[3].settings, trials[3].seed
    (6, {'energy': 'recorrupted'}, 0)
    """
    product = itertools.product(pictures, _combine(degrade or {}), _combine(settings or {}), seeds)
    return [Trial(picture, task, how, chosen, seed, **budget)
            for picture, how, chosen, seed in product]  # fmt: skip


def _combine(choices: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every choice of one value from each list: {"a": [1, 2], "b": 3} → a=1 b=3, a=2 b=3."""
    lists = [v if isinstance(v, (list, tuple, range)) else [v] for v in choices.values()]
    return (dict(zip(choices, values, strict=True)) for values in itertools.product(*lists))


def read_grid(path: str | os.PathLike[str]) -> list[Trial]:
    """The trials of a TOML file; each picture is read once, to find a bad one before any run.

    Raises:
        SweepError: no such file, no TOML, an unknown or missing key, a value of the wrong type.
        PictureError: a picture that is missing or damaged.
    """
    common, name = _parse(Path(path)), name_of(path)
    _check_keys(common, {*COMMON, "tasks"}, name)
    tasks = common.pop("tasks", None)
    if not isinstance(tasks, list) or not tasks or not all(isinstance(t, dict) for t in tasks):
        raise SweepError(f"{name} has no tasks: add a table [[tasks]] with a name")
    trials: list[Trial] = []
    for number, task in enumerate(tasks, 1):
        place = f"[[tasks]] number {number} of {name}"
        _check_keys(task, {*COMMON, *OWN}, place)
        trials += _trials({**common, **task}, Path(path).parent, place)
    for picture in dict.fromkeys(name for trial in trials for name in trial.files):
        fetch(picture)
    return list(dict.fromkeys(trials))


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
        raise SweepError(f"{name_of(path)} is not valid TOML ({reason(error)})") from error


def _check_keys(table: dict[str, Any], known: set[str], place: str) -> None:
    for name in table:
        if name not in known:
            raise SweepError(f"{place} has an unknown key {name!r}: use {', '.join(sorted(known))}")


def _trials(table: dict[str, Any], folder: Path, place: str) -> list[Trial]:
    """The trials of one task."""
    pictures = _list(table, "pictures", str, place)
    seeds = _list({"seeds": [0], **table}, "seeds", int, place)
    if not isinstance(table.get("name"), str):
        raise SweepError(f'{place} has no name: write name = "denoise"')
    for kind in ("degrade", "settings"):
        if not isinstance(table.get(kind, {}), dict):
            raise SweepError(f"{kind} of {place} must be a table, as {kind} = {{ … }}")
    try:
        degrade, settings = (
            {key: _value(key, value, folder) for key, value in table.get(kind, {}).items()}
            for kind in ("degrade", "settings")
        )
        budget = {key: table[key] for key in BUDGET if key in table}
        paths = [_resolve(folder, name) for name in pictures]
        return expand_grid(paths, table["name"], settings, seeds, degrade=degrade, **budget)
    except ValueError as error:
        raise SweepError(f"{place}: {error}") from error


def _list(table: dict[str, Any], key: str, kind: type, place: str) -> list[Any]:
    """A list of values of one type that is not empty."""
    values = table.get(key)
    if not isinstance(values, list) or not values or not all(type(v) is kind for v in values):
        expected = "names of pictures" if kind is str else "whole numbers"
        got = "nothing" if values is None else repr(values)
        raise SweepError(f"{key} of {place} must be a list of {expected}, got {got}")
    return values


def _value(key: str, value: Any, folder: Path) -> Any:
    """Noise levels on the [0, 1] scale, and names of files as paths; in a list, each."""
    if isinstance(value, list):
        return [_value(key, one, folder) for one in value]
    if key in NOISE_LEVELS and type(value) in (int, float):
        return noise_level(value)
    return _resolve(folder, value) if key in FILES and isinstance(value, str) else value


def _resolve(folder: Path, name: str) -> str:
    return name if name.startswith("sample:") else str(folder / name)
