"""What the command line asks for.

request = RestoreRequest("noisy.png", "clean.png", task="denoise", options={"sigma": 25 / 255})
result = restore(request)                     # in `restoration`
print(result.sentence())
"""

from dataclasses import dataclass, field
from typing import Any

from .options import COMMANDS

EXCLUSIVE = (("seconds", "steps"), ("record", "resume"), ("mask", "missing_color"))


@dataclass(frozen=True)
class RestoreRequest:
    """What to restore and how: the options of `python -m dip_lite denoise` and its siblings.

    Raises:
        ValueError: from the constructor: an unknown task or option, or two options that exclude
            each other.
    """

    picture: str
    output: str
    task: str = "denoise"  # a name of `options.COMMANDS`
    options: dict[str, Any] = field(default_factory=dict)  # the task's own; the rest get defaults
    seconds: float | None = None  # without seconds and steps, `time_limit` decides
    steps: int | None = None
    preset: str = "fast"
    no_stop: bool = False
    seed: int = 0
    device: str = "auto"
    reference: str | None = None
    record: str | None = None
    resume: str | None = None
    report: str | None = None
    given: frozenset[str] = frozenset()  # options the user wrote out; --resume checks them

    def __post_init__(self) -> None:
        if self.task not in COMMANDS:
            raise ValueError(f"task must be one of {', '.join(COMMANDS)}, got {self.task!r}")
        defaults = COMMANDS[self.task].defaults
        if unknown := sorted(set(self.options) - set(defaults)):
            known = f"its options are {', '.join(defaults)}" if defaults else "it has none"
            raise ValueError(f"{self.task} has no option {unknown[0]!r}: {known}")
        object.__setattr__(self, "options", defaults | self.options)
        values = vars(self) | self.options
        for one, other in EXCLUSIVE:
            if values.get(one) is not None and values.get(other) is not None:
                raise ValueError(f"give {flag(one)} or {flag(other)}, not both")
        if values.get("black_is_missing") and not values["mask"]:
            raise ValueError("--black-is-missing needs a mask file: add --mask")

    def time_limit(self) -> float | None:
        """Seconds to fit; None where a number of steps decides."""
        if (self.seconds, self.steps, self.preset) == (None, None, "fast"):
            return COMMANDS[self.task].seconds
        return self.seconds


def flag(name: str) -> str:
    """An option as written on the command line.

    >>> flag("refit_known")
    '--refit-known'
    """
    return f"--{name.replace('_', '-')}"
