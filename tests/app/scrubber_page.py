"""A page with the scrubber in it and nothing else, whose requests a test answers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[2] / "dip_lite"
SCRUBBER = ROOT / "viz/scrubber"


HOST = "http://scrubber.test"


COUNT = 60


PAGE = """<!doctype html><html lang="en"><head>
<style>body {{ margin: 0; width: 600px }} {css}</style>
</head><body><div id="here">{html}</div><script>
const element = document.getElementById("here"), watchers = [];
window.props = {{ value: {value}, module: "scrubber.js?v=1" }};
window.update = (value) => {{ props.value = value; watchers.forEach((call) => call()); }};
new Function("element", "trigger", "props", "server", "upload", "watch", {script})(
  element, () => {{}}, props, {{}}, null, (name, call) => watchers.push(call));
</script></body></html>"""


def grey(level: int) -> bytes:
    memory = io.BytesIO()
    Image.new("RGB", (64, 48), (level, level, level)).save(memory, "WEBP", lossless=True)
    return memory.getvalue()


def frames(count: int = COUNT) -> tuple[list[list[Any]], list[bytes]]:
    """Frames whose average is of grey 2·i and whose raw output of 2·i + 1, the best at 40."""
    rows, pictures = [], []
    for i in range(count):
        pair = grey(2 * i), grey(2 * i + 1)
        level = 30.0 - abs(i - 40) * 0.2
        rows.append([i * i, i / 10, 0.1, level, level - 1, len(pair[0]), len(pair[1])])
        pictures.append(pair[0] + pair[1])
    return rows, pictures


def state(rows: list[list[Any]], **more: Any) -> dict[str, Any]:
    value = {
        "id": "r1", "state": "done", "frames": rows, "truth": True, "size": [64, 48],
        "numbers": {"auto_step": 36 * 36, "best_step": 36 * 36, "step": rows[-1][0], "psnr": 29.2},
        "stop_reason": "steady", "preview": "", "note": "", "time_limit": 20, "task": "denoise",
    }  # fmt: skip
    return value | more


class Stage:
    """A page with the scrubber in it, and its requests."""

    def __init__(
        self, browser: Any, value: dict[str, Any], pictures: list[bytes], failing: int = 0
    ) -> None:
        self.page = browser.new_page()
        self.requests: list[str] = []
        self.pictures = pictures
        self.errors: list[str] = []
        self.failing = failing
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        html = PAGE.format(
            css=(SCRUBBER / "scrubber.css").read_text(),
            html=(SCRUBBER / "scrubber.html").read_text(),
            value=json.dumps(value),
            script=json.dumps((ROOT / "app/assets/scrubber.js").read_text()),
        )
        self.page.route("**/*", lambda route: self.answer(route, html))
        self.page.goto(HOST)

    def answer(self, route: Any, html: str) -> None:
        url = route.request.url
        if url == f"{HOST}/":
            route.fulfill(body=html, content_type="text/html")
            return
        if "/scrubber.js" in url:
            module = (SCRUBBER / "scrubber.js").read_text()
            route.fulfill(body=module, content_type="text/javascript")
            return
        self.requests.append(url)
        if self.failing:
            self.failing -= 1
            route.abort() if self.failing % 2 else route.fulfill(body=b"incomplete")
            return
        if "/frames?" in url:
            asked = url.partition("?")[2].split("&")[:2]
            first, last = (int(part.partition("=")[2]) for part in asked)
            route.fulfill(body=b"".join(self.pictures[first:last]))
        else:
            route.fulfill(body=grey(200 if url.endswith("before") else 250))

    def wait(self, shown: str) -> None:
        self.page.wait_for_function(
            f"document.querySelector('.dip-frame').dataset.shown === '{shown}'", timeout=10_000
        )

    def level(self) -> int:
        return int(
            self.page.evaluate(
                "document.querySelector('.dip-frame').getContext('2d')"
                ".getImageData(9, 9, 1, 1).data[0]"
            )
        )
