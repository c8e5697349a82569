"""A browser for the tests of the scrubber."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.app.server import FLAGS, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield found
        found.close()
