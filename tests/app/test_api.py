"""The endpoint's function; `test_server.py` calls it over HTTP."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dip_lite.app.api import endpoint
from dip_lite.app.limits import Limits
from dip_lite.app.sessions import Sessions
from tests.app.helpers import picture

CALLER: Any = SimpleNamespace(session_hash="page", client=None, headers={})


@pytest.mark.parametrize(
    ("asked", "time_limit"),
    [({}, 20), ({"seconds": 7}, 7), ({"steps": 6}, 90), ({"steps": 6, "seconds": 7}, 7)],
)
def test_steps_without_seconds_are_limited_by_the_operator_alone(
    asked: dict[str, Any], time_limit: float, tmp_path: Path
) -> None:
    sessions = Sessions(Limits(max_pixels=64 * 64, max_seconds=90), tmp_path / "sessions")
    file = str(picture(tmp_path / "a.png"))
    replies = endpoint(sessions)(CALLER, file, network="tiny", **asked)
    next(replies)
    (session,) = sessions._sessions.values()
    assert session.run is not None and session.run.time_limit == time_limit
    replies.close()  # type: ignore[attr-defined]
