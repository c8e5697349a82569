"""One run of a sweep, as plain data.

    trial = Trial("sample:chelsea", degrade={"sigma": 25 / 255}, seed=2, steps=200)
    trial.key, trial.label()

A trial can be hashed, written as JSON, and its `key` names its folder. `run_trial` runs one,
`sweep` runs many.
"""

import hashlib
import inspect
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..tasks import TASKS
from .degradation import check_degrade

FILES = ("mask", "file", "flash")  # in degrade and settings: a string names a picture


@dataclass(frozen=True)
class Trial:
    """One run: which picture, how degraded, how restored, and for how long.

    Attributes:
        picture: a path, or "sample:chelsea" for a bundled photograph.
        task: a name in `dip_lite.tasks.TASKS`.
        degrade: one of the `DEGRADATIONS` with its amount; empty: the picture is degraded already.
        settings: arguments of the task, such as preset and energy; those in `FILES` may name a
            picture.
        seed: of the degradation (unless `degrade` has its own), of z, of the weights, of all noise.
        steps, seconds, stop: as for `fit`; with neither budget, the task's own.

    Raises:
        ValueError: from the constructor; the message gives the value and what was expected.

    >>> trial = Trial("sample:chelsea", degrade={"sigma": 0.1}, seed=2, steps=60)
    >>> trial.label()
    'chelsea denoise sigma=0.1 seed=2'
    >>> trial.key == Trial("sample:chelsea", "denoise", {"sigma": 0.1}, seed=2, steps=60).key
    True
    """

    picture: str
    task: str = "denoise"
    degrade: Mapping[str, Any] = field(default_factory=dict, hash=False)
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    seed: int = 0
    steps: int | None = None
    seconds: float | None = None
    stop: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "picture", str(self.picture))
        for name in ("degrade", "settings"):
            object.__setattr__(self, name, _canonical(name, getattr(self, name)))
        _check_numbers(self)
        if self.seconds is not None:
            object.__setattr__(self, "seconds", float(self.seconds))
        check_degrade(self.degrade)
        _check_task(self)

    @property
    def key(self) -> str:
        """16 hexadecimal digits, the same for the same content in every process."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def files(self) -> list[str]:
        """The names of all pictures it needs, its own and those of masks and the like."""
        named = [*self.degrade.items(), *self.settings.items()]
        more = [value for name, value in named if name in FILES and isinstance(value, str)]
        return list(dict.fromkeys([self.picture, *more]))

    def label(self) -> str:
        """A short name for people."""
        named = [*self.degrade.items(), *self.settings.items(), ("seed", self.seed)]
        fields = [f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in named]
        name = self.picture.removeprefix("sample:")
        return " ".join([Path(name).name, self.task, *fields])


def _canonical(what: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in plain JSON, with 4.0 as 4: equal values must give equal keys."""
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{what} {name} must be a finite number, got {value}")
        if not (value is None or isinstance(value, (str, int, float))):
            raise ValueError(f"{what} {name} must be a number, string or boolean, got {value!r}")
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in values.items()
    }


def _check_numbers(trial: Trial) -> None:
    seconds = trial.seconds
    number = seconds is None or type(seconds) in (int, float)
    steps = trial.steps is None or (type(trial.steps) is int and trial.steps >= 0)
    checks = {
        "seed": ("a whole number from 0", type(trial.seed) is int and 0 <= trial.seed < 2**63),
        "steps": ("a whole number from 0", steps),
        "seconds": ("a number from 0", number and 0 <= (seconds or 0) < math.inf),
        "stop": ("true or false", type(trial.stop) is bool),
    }
    for name, (expected, valid) in checks.items():
        if not valid:
            raise ValueError(f"{name} must be {expected}, got {getattr(trial, name)!r}")


def _check_task(trial: Trial) -> None:
    if trial.task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {trial.task!r}")
    _, *names = inspect.signature(TASKS[trial.task]).parameters  # the first is the picture
    known = [name for name in names if name != "seed"]
    for name in trial.settings:
        if name not in known:
            raise ValueError(f"{trial.task} takes {', '.join(known)}, got {name!r}")
