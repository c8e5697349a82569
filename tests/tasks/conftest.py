"""What the tests of several tasks need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dip_lite.tasks import inputs


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes every picture of more than 1000 pixels one that is fitted in tiles of a given side."""
    plan = inputs.plan_tiles

    def use(side: int) -> None:
        def planned(padded: Any, divisor: int, settings: Any, seed: int = 0) -> Any:
            return plan(padded, divisor, replace(settings, tile_above=1000, tile_side=side), seed)

        monkeypatch.setattr(inputs, "plan_tiles", planned)

    return use
