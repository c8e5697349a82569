"""Requests and limits: what is refused, and how."""

from __future__ import annotations

from typing import Any

import pytest

from dip_lite.app.labels import FIELDS
from dip_lite.app.limits import Limits
from dip_lite.app.request import RunRequest
from dip_lite.errors import UserError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("noise", "nan"), ("noise", 1e300), ("noise", None), ("noise", [1]), ("noise", True),
        ("steps", 10**30), ("steps", 2.5), ("steps", -1), ("seed", "0x10"), ("factor", 5),
        ("task", "../../etc"), ("task", 3), ("mask", {}), ("plain_prior", "yes"),
        ("snapshots", 1e9), ("surprise", 1),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_sentence(name: str, value: Any) -> None:
    with pytest.raises(UserError) as caught:
        RunRequest.parse(**{name: value})
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_the_operator_limits_the_time() -> None:
    assert RunRequest.parse(budget="best").time_limit(Limits(max_seconds=30)) == 30
    assert RunRequest.parse(seconds=5).time_limit(Limits(max_seconds=30)) == 5
    with pytest.raises(ValueError, match="max-pixels"):
        Limits(max_pixels=3)
    nan, inf = float("nan"), float("inf")
    for wrong in ({"max_seconds": nan}, {"max_seconds": inf}, {"per_address": -1}):
        with pytest.raises(ValueError, match="max-seconds"):
            Limits(**wrong)  # type: ignore[arg-type]


def test_a_refusal_names_the_field_as_the_page_labels_it() -> None:
    for values, expected in (
        ({"lr": 3}, "Learning rate must be a number from 0 to 1."),
        ({"steps": 2.5}, "Steps must be a whole number from 0 to 20000."),
        ({"plain_prior": 1}, "Plain prior must be true or false."),
        ({"factor": 5}, "Scale factor must be one of 2, 3, 4, 8."),
    ):
        with pytest.raises(UserError) as caught:
            RunRequest.parse(**values)  # type: ignore[arg-type]
        assert str(caught.value) == expected
    assert {*RunRequest.model_fields} == {*FIELDS}


def test_strings_and_whole_floats_are_read_as_numbers() -> None:
    assert RunRequest.parse(factor="4", noise="50", seed=3.0).seed == 3
