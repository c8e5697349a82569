"""What a run sends to its page: plain values, because the fit may run in another process."""

from __future__ import annotations

import math
from dataclasses import dataclass

Numbers = dict[str, float | int | None]


@dataclass(frozen=True)
class Started:
    """The task is ready to be fitted."""

    size: tuple[int, int]  # (W, H)
    before: bytes  # WebP
    truth: bytes | None  # WebP of the clean picture, where it is known
    note: str


@dataclass(frozen=True)
class Progress:
    """What the page shows until the next event."""

    numbers: Numbers
    preview: str = ""  # a data URI; empty: the one before still stands


@dataclass(frozen=True)
class Frame:
    """One snapshot for the scrubber."""

    step: int
    seconds: float
    loss: float
    average: bytes  # WebP
    raw: bytes = b""  # WebP; empty where raw outputs are not kept
    psnr: float | None = None  # of the moving average, to the clean picture
    psnr_raw: float | None = None

    def row(self) -> list[float | int | None]:
        """Its numbers, and the lengths of its two pictures."""
        numbers = (self.seconds, self.loss, self.psnr, self.psnr_raw)
        finite = [None if n is None or not math.isfinite(n) else round(n, 6) for n in numbers]
        return [self.step, *finite, len(self.average), len(self.raw)]


@dataclass(frozen=True)
class Finished:
    """The result, and why the run ended."""

    result: bytes  # PNG
    stop_reason: str
    numbers: Numbers


@dataclass(frozen=True)
class Notice:
    """What happened to the run on the way; until the next step it is being prepared again."""

    text: str  # one sentence


@dataclass(frozen=True)
class Files:
    """What is new in a run's record; between worker and server alone."""

    contents: dict[str, bytes]  # by path in the record's folder


Event = Started | Progress | Frame | Finished | Notice
