"""One run of a sweep, as plain data.

    cells = grid(["sample:chelsea"], "denoise", {"energy": ["mse", "recorrupted"]}, range(3),
                 spoil={"sigma": 25 / 255}, steps=200)
    cells[0].key, cells[0].label()

A cell has a hash, a JSON and a `key` that names its folder. `perform` runs one, `sweep` many.
"""

from __future__ import annotations

import hashlib
import inspect
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .spoil import check_spoil
from .tasks import TASKS

FILES = ("mask", "file", "flash")  # in spoil and options: a string is the name of a picture


class SweepError(ValueError):
    """A sweep cannot begin or go on; the message is one sentence for the user."""


@dataclass(frozen=True)
class Cell:
    """One run: which picture, spoilt how, restored how, for how long.

    Attributes:
        picture: a path, or "sample:chelsea" for a bundled photograph.
        task: a name in `dip_lite.tasks.TASKS`.
        spoil: how the clean picture is spoilt first, see `dip_lite.spoil`; empty: it is already.
        options: of the task's maker, as preset and energy; those in `FILES` may name a picture.
        seed: of the spoiling (unless `spoil` has its own), of z, of the weights and of all noise.
        steps, seconds, stop: as for `fit`; with neither budget, the task's own.

    Raises:
        ValueError: from the constructor, with what came and what was expected.

    >>> cell = Cell("sample:chelsea", spoil={"sigma": 0.1}, seed=2, steps=60)
    >>> cell.label()
    'chelsea denoise sigma=0.1 seed=2'
    >>> cell.key == Cell("sample:chelsea", "denoise", {"sigma": 0.1}, seed=2, steps=60).key
    True
    """

    picture: str
    task: str = "denoise"
    spoil: Mapping[str, Any] = field(default_factory=dict, hash=False)
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    seed: int = 0
    steps: int | None = None
    seconds: float | None = None
    stop: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "picture", str(self.picture))
        for name in ("spoil", "options"):
            object.__setattr__(self, name, _plain(name, getattr(self, name)))
        _check_numbers(self)
        if self.seconds is not None:
            object.__setattr__(self, "seconds", float(self.seconds))
        check_spoil(self.spoil)
        _check_task(self)

    @property
    def key(self) -> str:
        """16 letters that are the same for the same content, in every process."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def files(self) -> list[str]:
        """The names of all pictures it needs: its own, and those of masks and the like."""
        named = [*self.spoil.items(), *self.options.items()]
        more = [value for name, value in named if name in FILES and isinstance(value, str)]
        return list(dict.fromkeys([self.picture, *more]))

    def label(self) -> str:
        """A name for people."""
        named = [*self.spoil.items(), *self.options.items(), ("seed", self.seed)]
        told = [f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in named]
        name = self.picture.removeprefix("sample:")
        return " ".join([Path(name).name, self.task, *told])


def grid(
    pictures: Iterable[str],
    task: str = "denoise",
    settings: Mapping[str, Any] | None = None,
    seeds: Iterable[int] = (0,),
    *,
    spoil: Mapping[str, Any] | None = None,
    **budget: Any,
) -> list[Cell]:
    """All cells of a product, the pictures in the outermost loop and the seeds in the innermost.

    Args:
        pictures, task, seeds: see `Cell`.
        settings, spoil: options of the task, and the way to spoil; a value that is a list is swept.
        budget: `steps`, `seconds` and `stop`, the same for all.

    >>> cells = grid(["sample:coins"], settings={"energy": ["mse", "recorrupted"]}, seeds=range(3))
    >>> len(cells), cells[3].options, cells[3].seed
    (6, {'energy': 'recorrupted'}, 0)
    """
    # the seeds may be an iterator: `product` keeps what it takes
    product = itertools.product(pictures, _spread(spoil or {}), _spread(settings or {}), seeds)
    return [
        Cell(picture, task, how, options, seed, **budget) for picture, how, options, seed in product
    ]


def _spread(choices: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every choice of one value from each list: {"a": [1, 2], "b": 3} → a=1 b=3, a=2 b=3."""
    lists = [v if isinstance(v, (list, tuple, range)) else [v] for v in choices.values()]
    return (dict(zip(choices, values, strict=True)) for values in itertools.product(*lists))


def _plain(what: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that is plain JSON, with 4.0 as 4: what is equal must have one key."""
    for name, value in values.items():
        if not (value is None or isinstance(value, (str, int, float))) or value in (
            math.inf,
            -math.inf,
        ):
            raise ValueError(
                f"{what} {name} must be a number, a word, true or false, got {value!r}"
            )
        if value != value:
            raise ValueError(f"{what} {name} must be a number, got NaN")
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in values.items()
    }


def _check_numbers(cell: Cell) -> None:
    if type(cell.seed) is not int or not 0 <= cell.seed < 2**63:
        raise ValueError(f"seed must be a whole number from 0, got {cell.seed!r}")
    if cell.steps is not None and (type(cell.steps) is not int or cell.steps < 0):
        raise ValueError(f"steps must be a whole number from 0, got {cell.steps!r}")
    seconds = cell.seconds
    if seconds is not None and (
        isinstance(seconds, bool)
        or not isinstance(seconds, (int, float))
        or not 0 <= seconds < math.inf
    ):
        raise ValueError(f"seconds must be a number from 0, got {seconds!r}")
    if type(cell.stop) is not bool:
        raise ValueError(f"stop must be true or false, got {cell.stop!r}")


def _check_task(cell: Cell) -> None:
    if cell.task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {cell.task!r}")
    known = [*inspect.signature(TASKS[cell.task]).parameters][1:]  # after the picture
    known = [name for name in known if name != "seed"]
    for name in cell.options:
        if name not in known:
            raise ValueError(f"{cell.task} takes {', '.join(known)}, got {name!r}")
