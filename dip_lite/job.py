"""What the command line asks for, and what came of it.

    job = Job(picture="noisy.png", output="clean.png", task="denoise", options={"sigma": 25 / 255})
    result = restore(job)                     # in the room `restore`
    print(result.sentence())

`OPTIONS` names the options that each task has of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

_MASK = {"mask": None, "black_is_missing": False}

# by task, the options of its own and what they are when left out
OPTIONS: dict[str, dict[str, Any]] = {
    "denoise": {"sigma": None, "noise": "gaussian", "energy": None},
    "jpeg": {},
    "inpaint": {
        **_MASK,
        "missing_colour": None,
        "kind": None,
        "refit_known": False,
        "energy": None,
    },
    "super-resolve": {"factor": 4, "kernel": "lanczos"},
    "flash": {"flash": None},
    "tv": {**_MASK, "weight": 0.1},
}
# and the seconds of the fast preset when neither seconds nor steps are given
SECONDS = {"inpaint": 120.0}
USUAL_SECONDS = 60.0


@dataclass(frozen=True)
class Job:
    """What to restore and how; the options of `python -m dip_lite denoise` and its sisters."""

    picture: str
    output: str
    task: str = "denoise"  # a name of `OPTIONS`
    options: dict[str, Any] = field(default_factory=dict)  # of the task; those left out are usual
    seconds: float | None = None  # None with no steps either: `budget` says
    steps: int | None = None
    preset: str = "fast"
    no_stop: bool = False
    seed: int = 0
    device: str = "auto"
    reference: str | None = None
    record: str | None = None
    resume: str | None = None
    report: str | None = None
    given: frozenset[str] = frozenset()  # options the user spelt out, for --resume to check

    def complete(self) -> Job:
        """The same with every option of the task.

        Raises:
            ValueError: a task or an option that there is not.
        """
        if self.task not in OPTIONS:
            raise ValueError(f"task must be one of {', '.join(OPTIONS)}, got {self.task!r}")
        usual = OPTIONS[self.task]
        if odd := sorted(set(self.options) - set(usual)):
            known = f"it has {', '.join(usual)}" if usual else "it has none"
            raise ValueError(f"{self.task} has no option {odd[0]!r}: {known}")
        return replace(self, options=usual | self.options)

    def budget(self) -> float | None:
        """For how many seconds to fit; None where the steps decide."""
        if (self.seconds, self.steps, self.preset) != (None, None, "fast") or self.task == "tv":
            return self.seconds
        return SECONDS.get(self.task, USUAL_SECONDS)


@dataclass(frozen=True)
class Result:
    """What happened; `report` is what --report writes."""

    output: str
    why: str
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return self.why.startswith("interrupted")

    def sentence(self) -> str:
        """The last line a user reads."""
        told = self.report
        known = told.get("psnr") is not None
        quality = f", {told['psnr']:.2f} dB against the reference" if known else ""
        return (
            f"Wrote {self.output}: step {told['step_returned']} of {told['steps']}, "
            f"{told['seconds']:.1f} s{quality} (ended by {self.why})."
        )
