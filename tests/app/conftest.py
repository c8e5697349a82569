"""Fixtures: sessions without a server; one server, one browser, and visitors of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dip_lite.app.sessions import Sessions
from tests.app.helpers import LIMITS
from tests.app.server import FLAGS, Server, chromium, server
from tests.app.visit import Visit


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    return Sessions(LIMITS, tmp_path / "visitors")


@pytest.fixture(scope="module")
def demo() -> Server:
    return server()


@pytest.fixture(scope="module")
def wire(demo: Server) -> Iterator[Any]:
    with httpx.Client(base_url=demo.address, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def config(wire: Any) -> dict[str, Any]:
    found: dict[str, Any] = wire.get("/config").json()
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def visit(browser: Any, demo: Server) -> Iterator[Visit]:
    found = Visit(browser, demo)
    yield found
    found.close()
