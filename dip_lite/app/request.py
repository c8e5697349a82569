"""What a visitor may ask for, checked.

    request = RunRequest.parse(task="denoise", noise=25, budget="quick")

Values come from strangers: one of the wrong kind or out of range raises `UserError`, whose message
names the field as the page labels it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from ..errors import UserError
from .labels import BUDGETS, FACTORS, FIELDS, LAYERS, MASKS, NETWORKS, TASKS
from .limits import Limits

CHOICES: dict[str, Collection[Any]] = {
    "task": TASKS, "mask": MASKS, "factor": FACTORS, "layer": LAYERS, "budget": BUDGETS,
    "network": NETWORKS,
}  # fmt: skip


class RunRequest(BaseModel):
    """One run as a visitor wants it; make it with `parse`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    task: str = "denoise"
    noise: float = Field(default=25.0, ge=0, le=100)  # grey levels to add first; 0: add none
    quality: int = Field(default=12, ge=0, le=95)  # of the JPEG to make first; 0: make none
    mask: str = "text"
    fraction: float = Field(default=0.5, ge=0.05, le=0.95)  # of the pixels that a random mask hides
    factor: int = 4
    downscale: bool = True  # downscale the picture first, so that the result can be scored
    layer: str = "conv3"
    budget: str = "quick"
    seconds: float = Field(default=0.0, ge=0, le=100_000)  # 0: the budget's
    network: str = "light"
    plain_prior: bool = False  # the paper's energy, where ours differs
    ignore_stop: bool = False  # continue past the automatic stop
    keep_raw: bool = False  # outputs as frames and in the record, beside the moving averages
    lr: float = Field(default=0.0, ge=0, le=1)  # 0: the task's own
    reg_noise_std: float = Field(default=-1.0, ge=-1, le=2)  # below 0: the task's own
    steps: int = Field(default=0, ge=0, le=20_000)  # 0: until the time limit
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    snapshots: int = Field(default=72, ge=40, le=100)

    @field_validator("*", mode="before")
    @classmethod
    def _is_bool_or_not(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuses what pydantic would convert: True as 1.0, "yes" as True."""
        expected = cls.model_fields[str(info.field_name)].annotation is bool
        if isinstance(value, bool) is not expected:
            raise ValueError("wrong kind")
        return value

    @field_validator(*CHOICES)
    @classmethod
    def _is_a_choice(cls, value: Any, info: ValidationInfo) -> Any:
        if value not in CHOICES[str(info.field_name)]:
            raise ValueError("not a choice")
        return value

    @classmethod
    def parse(cls, **values: Any) -> RunRequest:
        """A checked request.

        Raises:
            UserError: names the first value that makes no sense, and what was expected.

        >>> RunRequest.parse(noise="50").noise
        50.0
        >>> RunRequest.parse(lr=3)
        Traceback (most recent call last):
        dip_lite.errors.UserError: Learning rate must be a number from 0 to 1.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
        if name not in FIELDS:
            raise UserError(f"There is no setting called {name!r}.")
        raise UserError(f"{FIELDS[name][0]} must be {_expected(name)}.")

    def time_limit(self, limits: Limits) -> float:
        """How many seconds the run may take."""
        return min(self.seconds or BUDGETS[self.budget][1], limits.max_seconds)


def _expected(name: str) -> str:
    """What a field accepts, in words."""
    if name in CHOICES:
        return f"one of {', '.join(map(str, CHOICES[name]))}"
    schema = RunRequest.model_json_schema()["properties"][name]
    if schema["type"] == "boolean":
        return "true or false"
    kind = "a whole number" if schema["type"] == "integer" else "a number"
    return f"{kind} from {schema['minimum']} to {schema['maximum']}"
