"""A visitor of the demo: a page in a real browser, on the shared server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.app.server import Server

PATIENCE = 40_000  # milliseconds; the machine may be busy


class Visit:
    """A page of the demo, in a browser profile of its own."""

    def __init__(self, browser: Any, demo: Server, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(demo.address)
        self.wait("example:")
        self.home = demo.address

    def wait(self, shown: str) -> str:
        """Waits for a frame whose name begins so."""
        self.page.wait_for_function(
            f"(document.querySelector('.dip-frame')?.dataset.shown ?? '').startsWith('{shown}')"
        )
        return self.shown()

    def settled(self) -> str:
        """Waits until a run is over and all its frames are there; the run's name."""
        self.page.wait_for_function(
            "/^[\\w-]{22}:/.test(document.querySelector('.dip-frame').dataset.shown)"
        )
        most, seen = "", None
        while most != seen:
            seen = most
            self.page.wait_for_timeout(400)
            most = self.page.get_attribute(".dip-slider", "max") or ""
        return self.shown().partition(":")[0]

    def long(self) -> None:
        """A run that does not end by itself while a test looks on."""
        self.page.click("#more >> text=Continue past")
        self.page.click("#budget >> text=Standard")

    def shown(self) -> str:
        return str(self.page.get_attribute(".dip-frame", "data-shown"))

    def state(self, wanted: str) -> None:
        self.page.wait_for_selector(f".dip[data-state={wanted}]")

    def tiny(self, steps: int) -> None:
        """The network and the number of steps of a run that is soon over."""
        self.page.click("#more button")
        self.page.click("#more label >> text=Tiny")
        self.page.get_by_label("Steps").fill(str(steps))
        self.page.keyboard.press("Tab")

    def finished(self) -> str:
        self.state("done")
        return self.page.inner_text(".dip-status")

    def download(self, name: str) -> bytes:
        with self.page.expect_download() as found:
            self.page.click(f".dip-file[data-file='{name}']")
        return Path(found.value.path()).read_bytes()

    def close(self) -> None:
        others = [url for url in self.requests if not url.startswith((self.home, "data:", "blob:"))]
        self.context.close()
        assert not others and not self.errors
