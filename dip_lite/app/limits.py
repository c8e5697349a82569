"""What an operator allows: pixels, seconds, visitors; `launch.py` has the options that set it."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limits:
    """What an operator allows.

    Raises:
        ValueError: a limit that would let nobody run anything.
    """

    max_pixels: int = 300_000  # of a picture; larger ones are scaled down
    max_seconds: float = 180.0  # of one run
    queue: int = 12  # runs that may wait
    per_address: int = 0  # runs that may wait from one network address; 0 = half the queue
    forwarded: bool = False  # read the address from X-Forwarded-For, behind a proxy
    metrics: bool = False  # answer /healthz and /metrics
    max_upload_bytes: int = 16_000_000
    idle: float = 3600.0  # seconds without a request after which a session ends
    idle_without_page: float = 120.0  # the same, when its page is closed
    max_sessions: int = 200

    def __post_init__(self) -> None:
        numbers = self.max_pixels, self.max_seconds, self.queue, self.per_address
        finite = all(map(math.isfinite, (*numbers, self.idle)))
        if not finite or self.max_pixels < 1024 or self.max_seconds <= 0 or min(numbers) < 0:
            raise ValueError(
                "max-pixels must be at least 1024, max-seconds above 0, queue and per-address at "
                "least 0, got {}, {:g}, {} and {}".format(*numbers)
            )

    def client_address(self, request: Any) -> str:
        """The network address that a web request came from, if it can be known."""
        if self.forwarded:
            last = str(request.headers.get("x-forwarded-for", "")).rpartition(",")[2].strip()
            if last:
                return last
        return str(request.client.host) if request.client else ""
