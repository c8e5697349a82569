"""What the tests of the demo without a browser share."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dip_lite import sample
from dip_lite.app.limits import Limits
from dip_lite.app.sessions import Sessions
from dip_lite.app.uploads import Picture

LIMITS = Limits(max_pixels=64 * 64, max_seconds=20, queue=3)
TEXTURE = sample("chelsea")[..., :64, :96]
TINY: dict[str, Any] = {"network": "tiny", "steps": 12, "snapshots": 40}
# at most as long as the limits allow: a test that waits for its end must allow more than it waits
ENDLESS: dict[str, Any] = {"network": "tiny", "seconds": 120, "ignore_stop": True}


def picture(path: Path, size: tuple[int, int] = (48, 40), seed: int = 0, **options: Any) -> Path:
    """A file with a picture of noise."""
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(values).save(path, **options)
    return path


def last(run: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The last state of a run; every one of them is small."""
    state: dict[str, Any] = {}
    for state in run:
        assert len(json.dumps(state)) < 200_000
    return state


def until(run: Iterator[dict[str, Any]], test: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first state of a run for which the test holds."""
    return next(state for state in run if test(state))


def running(state: dict[str, Any]) -> bool:
    return bool(state["state"] == "running")


def add(sessions: Sessions, key: str, path: str | Path, role: str = "picture") -> Picture:
    """What the page does with an uploaded file."""
    with sessions.pictures(key) as pictures:
        return pictures.add_upload(str(path), role)


def add_sample(sessions: Sessions, key: str, name: str = "coffee") -> Picture:
    with sessions.pictures(key) as pictures:
        return pictures.add_sample(name)


def wait_for(test: Callable[[], bool], seconds: float = 30) -> None:
    """Waits until it holds, and fails if it does not in time."""
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline
        time.sleep(0.02)
