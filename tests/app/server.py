"""What the tests of the demo share: one server, and a browser that this machine has.

The server is a process of its own, as in life; it starts with the first test that asks for it.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()
QUEUE = 24


def chromium() -> str | None:
    """The browser's path, or None."""
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        if found := shutil.which(name):
            return found
    return None


def without_browser() -> str:
    """Why there can be no browser test; empty if there can."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "Playwright is not installed (requirements-dev.txt)"
    return "" if chromium() else "there is no Chromium on this machine"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """The demo on a free port of this machine."""

    def __init__(self, *options: str) -> None:
        for left in (3, 2, 1, 0):
            try:
                return self._start(*options)
            except RuntimeError as error:  # somebody may have been quicker to take the port
                if not left or "port" not in str(error).lower():
                    raise

    def _start(self, *options: str) -> None:
        self.address = f"http://127.0.0.1:{(port := free_port())}"
        self.log = tempfile.TemporaryFile("w+")
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port), *options],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "3000"},
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        atexit.register(self.close)
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            try:
                with urllib.request.urlopen(self.address, timeout=5) as reply:
                    reply.read(1)
                if self.process.poll() is not None:  # then it was somebody else who answered
                    break
                self.boot = time.perf_counter() - self.started
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        output = self.output()
        self.close()
        raise RuntimeError(f"the demo did not start:\n{output}")

    def output(self) -> str:
        """All that it printed."""
        self.log.seek(0)
        return self.log.read()

    def memory(self) -> float:
        """Megabytes resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.log.close()
        atexit.unregister(self.close)


@functools.cache
def server() -> Server:
    """The one for all tests."""
    return Server("--max-pixels", "16384", "--max-seconds", "120", "--queue", str(QUEUE))
