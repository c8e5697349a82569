"""A request is complete and consistent as soon as it exists."""

from __future__ import annotations

from typing import Any

import pytest

from dip_lite.cli.request import RestoreRequest


def test_each_task_has_its_own_time_limit() -> None:
    assert RestoreRequest("a", "b").time_limit() == 60
    assert RestoreRequest("a", "b", "inpaint").time_limit() == 120
    assert RestoreRequest("a", "b", "inpaint", preset="tiny").time_limit() is None
    assert RestoreRequest("a", "b", "tv").time_limit() is None
    assert RestoreRequest("a", "b", "tv", seconds=3.0).time_limit() == 3
    assert RestoreRequest("a", "b", "jpeg", steps=7).time_limit() is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"task": "polish"}, "polish"),
        ({"task": "jpeg", "options": {"sigma": 1}}, "sigma"),
        ({"seconds": 1.0, "steps": 1}, "--seconds or --steps"),
        ({"record": "a", "resume": "b"}, "--record or --resume"),
        ({"task": "inpaint", "options": {"mask": "m", "missing_color": "red"}}, "--missing-color"),
        ({"task": "tv", "options": {"black_is_missing": True}}, "add --mask"),
    ],
)
def test_a_request_refuses_unknown_and_exclusive_options(
    fields: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        RestoreRequest("a", "b", **fields)
