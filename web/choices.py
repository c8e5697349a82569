"""What a visitor may ask for, checked.

    choice = Choice.of(task="denoise", noise=25, budget="quick")

Whatever comes from the page comes from a stranger: a value of another kind, or out of its range,
raises `SorryError`, whose message is one sentence for them. PyTorch is not imported here.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields
from typing import Any

TASKS = ("denoise", "jpeg", "inpaint", "super-resolve", "flash", "invert")
MASKS = ("text", "scratches", "hole", "random", "draw", "upload")
SAMPLES = ("chelsea", "astronaut", "coffee", "rocket", "camera", "coins")
BUDGETS = {"quick": 20.0, "standard": 60.0, "best": 180.0}  # seconds
NETWORKS = ("light", "tiny", "paper")
FACTORS = (2, 3, 4, 8)
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")


class SorryError(ValueError):
    """Something that cannot be done; the message is one sentence for the visitor."""


@dataclass(frozen=True)
class Limits:
    """What an operator allows.

    Raises:
        ValueError: from the constructor, for numbers with which nobody could be served.
    """

    pixels: int = 300_000  # of a picture that is fitted; larger ones are made smaller
    seconds: float = 180.0  # of one run, at most
    queue: int = 12  # runs that may wait for their turn
    size: int = 16_000_000  # bytes of an upload
    idle: float = 3600.0  # seconds after which a silent visitor's data is deleted
    alone: float = 120.0  # as many for one whose page is not open, as far as we can hear
    visitors: int = 200  # with something kept here, at most
    each: int = 0  # of the runs that wait, how many from one network address; 0: half of them
    forwarded: bool = False  # whether a proxy before us says who that is

    def __post_init__(self) -> None:
        finite = all(map(math.isfinite, (self.pixels, self.seconds, self.queue, self.idle)))
        if not finite or self.pixels < 1024 or self.seconds <= 0 or self.queue < 0 or self.each < 0:
            raise ValueError(
                "max-pixels must be at least 1024, max-seconds above 0, queue and per-address at "
                f"least 0, got {self.pixels}, {self.seconds:g}, {self.queue} and {self.each}"
            )


@dataclass(frozen=True)
class Choice:
    """One run as a visitor wants it; make it with `of`."""

    task: str = "denoise"
    noise: float = 25.0  # grey levels of noise to add first; 0: the picture has its own
    quality: int = 12  # of the JPEG to make of the picture first; 0: it has been one
    mask: str = "text"
    fraction: float = 0.5  # of the pixels that a random mask hides
    factor: int = 4
    shrink: bool = True  # whether the picture is made small first, so that it can be compared
    layer: str = "conv3"
    budget: str = "quick"
    limit: float = 0.0  # seconds in place of the budget's; 0: the budget's
    network: str = "light"
    plain: bool = False  # the paper's energy, where ours is another
    past: bool = False  # go on past the automatic stop
    lr: float = 0.0  # 0: the task's own
    reg: float = -1.0  # below 0: the task's own
    steps: int = 0  # 0: as many as the seconds allow
    seed: int = 0
    snapshots: int = 72

    @classmethod
    def of(cls, **values: Any) -> Choice:
        """A checked choice of whatever came.

        Raises:
            SorryError: with the first value that makes no sense.

        >>> Choice.of(noise="50").noise
        50.0
        """
        known = {field.name for field in fields(cls)}
        if odd := sorted(set(values) - known):
            raise SorryError(f"There is no setting called {odd[0]!r}.")
        return cls(**{name: _checked(name, value) for name, value in values.items()})

    def seconds(self, limits: Limits) -> float:
        """How long the run may take."""
        return min(self.limit or BUDGETS[self.budget], limits.seconds)


_ONE_OF: dict[str, tuple[str, tuple[Any, ...]]] = {
    "task": ("The task", TASKS),
    "mask": ("The mask", MASKS),
    "budget": ("The time", tuple(BUDGETS)),
    "network": ("The network", NETWORKS),
    "layer": ("The layer", LAYERS),
    "factor": ("The factor", FACTORS),
}
_RANGES: dict[str, tuple[str, float, float]] = {
    "noise": ("The noise", 0, 100),
    "fraction": ("The share of missing pixels", 0.05, 0.95),
    "limit": ("The time in seconds", 0, 100_000),
    "lr": ("The learning rate", 0, 1),
    "reg": ("The noise on the input", -1, 2),
}
_COUNTS: dict[str, tuple[str, int, int]] = {
    "quality": ("The JPEG quality", 0, 95),
    "steps": ("The number of steps", 0, 20_000),
    "seed": ("The seed", 0, 2**31 - 1),
    "snapshots": ("The number of snapshots", 40, 100),
}


def _checked(name: str, value: Any) -> Any:
    if name in _ONE_OF:
        what, allowed = _ONE_OF[name]
        return _one_of(value, what, allowed)
    if name in _RANGES:
        return number(value, *_RANGES[name])
    if name in _COUNTS:
        return int(number(value, *_COUNTS[name], whole=True))
    if not isinstance(value, bool):
        raise SorryError(f"The setting {name!r} is either on or off.")
    return value


def _one_of(value: Any, what: str, allowed: tuple[Any, ...]) -> Any:
    if isinstance(allowed[0], int):
        value = int(number(value, what, -1e9, 1e9, whole=True))
    for option in allowed:
        if type(value) is type(option) and value == option:
            return option
    raise SorryError(f"{what} must be one of {', '.join(map(str, allowed))}.")


def number(value: Any, what: str, low: float, high: float, whole: bool = False) -> float:
    """A finite number between `low` and `high` of whatever came.

    Raises:
        SorryError: it is none, or lies outside.

    >>> number("3", "The seed", 0, 10)
    3.0
    """
    kind = "a whole number" if whole else "a number"
    wanted = f"{what} must be {kind} between {low:g} and {high:g}."
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise SorryError(wanted)
    try:
        found = float(value)
    except (ValueError, OverflowError) as error:
        raise SorryError(wanted) from error
    if not (math.isfinite(found) and low <= found <= high) or (whole and found != round(found)):
        raise SorryError(wanted)
    return found


def has_gpu() -> bool:
    """Whether the machine looks as if it had a GPU, without importing PyTorch."""
    return os.path.exists("/dev/nvidia0")
