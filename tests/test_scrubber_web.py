"""The scrubber by itself, in a page without Gradio: the right frame, at once, asking nobody."""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_server import FLAGS, chromium, without_browser
from PIL import Image

pytestmark = pytest.mark.skipif(bool(without_browser()), reason=without_browser())

WEB = Path(__file__).parents[1] / "web"
HOST = "http://scrubber.test"
COUNT = 60
PAGE = """<!doctype html><html lang="en"><head>
<style>body {{ margin: 0; width: 600px }} {css}</style>
</head><body><div id="here">{html}</div><script>
const element = document.getElementById("here"), watchers = [];
window.props = {{ value: {value} }};
window.tell = (value) => {{ props.value = value; watchers.forEach((call) => call()); }};
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


def told(rows: list[list[Any]], **more: Any) -> dict[str, Any]:
    value = {
        "id": "r1", "state": "done", "frames": rows, "truth": True, "size": [64, 48],
        "numbers": {"auto": 36 * 36, "taken": 36 * 36, "step": rows[-1][0], "psnr": 29.2},
        "why": "steady", "live": "", "note": "", "budget": 20, "task": "denoise",
    }  # fmt: skip
    return value | more


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield found
        found.close()


class Stage:
    """A page with the scrubber in it, and what it asked for."""

    def __init__(
        self, browser: Any, value: dict[str, Any], pictures: list[bytes], failing: int = 0
    ) -> None:
        self.page = browser.new_page()
        self.asked: list[str] = []
        self.pictures = pictures
        self.errors: list[str] = []
        self.failing = failing
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        html = PAGE.format(
            css=(WEB / "scrubber.css").read_text(),
            html=(WEB / "scrubber.html").read_text(),
            value=json.dumps(value),
            script=json.dumps((WEB / "scrubber.js").read_text()),
        )
        self.page.route("**/*", lambda route: self.answer(route, html))
        self.page.goto(HOST)

    def answer(self, route: Any, html: str) -> None:
        url = route.request.url
        if url == f"{HOST}/":
            route.fulfill(body=html, content_type="text/html")
            return
        self.asked.append(url)
        if self.failing:
            self.failing -= 1
            route.abort() if self.failing % 2 else route.fulfill(body=b"cut off")
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


@pytest.fixture
def stage(browser: Any) -> Iterator[Stage]:
    rows, pictures = frames()
    stage = Stage(browser, told(rows), pictures)
    stage.wait("r1:36:avg")  # a finished run begins at the frame that was taken
    yield stage
    assert not stage.errors
    stage.page.close()


def test_the_frame_shown_is_the_one_asked_for_and_nobody_is_asked(stage: Stage) -> None:
    stage.asked.clear()
    chance = random.Random(0)
    for move in range(200):
        index = chance.randrange(COUNT)
        kind = "raw" if move % 50 >= 40 else "avg"
        stage.page.evaluate(
            """([index, kind]) => {
                document.querySelector(`.dip-kind[data-kind=${kind}]`).click();
                const slider = document.querySelector('.dip-slider');
                slider.value = index;
                slider.dispatchEvent(new Event('input'));
            }""",
            [index, kind],
        )
        stage.wait(f"r1:{index}:{kind}")
        assert stage.level() == 2 * index + (kind == "raw")
        assert f"step {index * index} " in stage.page.inner_text(".dip-now")
    assert stage.asked == []


def test_of_many_moves_at_once_the_last_one_wins(stage: Stage) -> None:
    stage.page.evaluate(
        """() => { const slider = document.querySelector('.dip-slider');
        for (const index of [3, 50, 7, 22, 11]) {
            slider.value = index; slider.dispatchEvent(new Event('input'));
        } }"""
    )
    stage.wait("r1:11:avg")
    stage.page.wait_for_timeout(200)
    assert stage.level() == 22


def test_keys_alone_are_enough(stage: Stage) -> None:
    page = stage.page
    page.focus(".dip-slider")
    page.keyboard.press("ArrowRight")
    stage.wait("r1:37:avg")
    page.keyboard.press("Home")
    stage.wait("r1:0:avg")
    assert page.get_attribute(".dip-slider", "aria-valuetext").startswith("step 0")
    assert "22.0 decibels" in page.get_attribute(".dip-slider", "aria-valuetext")
    page.wait_for_timeout(700)
    assert page.inner_text(".dip-spoken") == ""  # the slider says it, and nobody says it twice
    page.focus(".dip-play")
    page.keyboard.press("Tab")
    page.click(".dip-jump-best")
    page.wait_for_function(
        "document.querySelector('.dip-spoken').textContent.includes('30.0 decibels')"
    )
    page.focus(".dip-slider")
    page.keyboard.press("End")
    stage.wait(f"r1:{COUNT - 1}:avg")
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.className"))
    for name in ("dip-jump-auto", "dip-kind", "dip-cutter", "dip-other", "dip-save"):
        assert any(name in each for each in seen), name


def test_marks_jump_and_lie_on_the_curve(stage: Stage) -> None:
    page = stage.page
    assert page.inner_text(".dip-jump-auto") == "automatic stop: step 1296, 29.2 dB"
    assert page.inner_text(".dip-jump-best") == "best: step 1600, 30.0 dB"
    page.click(".dip-jump-best")
    stage.wait("r1:40:avg")
    now, best = (page.get_attribute(f".dip-mark-{name}", "x1") for name in ("now", "best"))
    assert now == best
    page.click(".dip-jump-last")
    stage.wait(f"r1:{COUNT - 1}:avg")
    box = page.locator(".dip-curve").bounding_box()
    page.mouse.click(box["x"] + 1, box["y"] + 20)
    stage.wait("r1:0:avg")


def test_play_goes_from_first_to_last(stage: Stage) -> None:
    stage.page.click(".dip-jump-last")
    stage.wait(f"r1:{COUNT - 1}:avg")
    stage.page.click(".dip-play")
    assert stage.page.get_attribute(".dip-play", "aria-label") == "Pause"
    stage.page.wait_for_function("document.querySelector('.dip-slider').value < 30")
    stage.page.wait_for_selector(".dip-play[aria-label^=Play]")
    stage.wait(f"r1:{COUNT - 1}:avg")


def test_before_and_after(stage: Stage) -> None:
    page = stage.page
    assert not page.is_visible(".dip-before")
    box = page.locator(".dip-view").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    assert page.is_visible(".dip-before") and page.input_value(".dip-cutter") == "25"
    page.wait_for_function("document.querySelector('.dip-before').naturalWidth === 64")
    page.click(".dip-other[data-other=truth]")
    assert page.inner_text(".dip-tag-left") == "clean"
    page.wait_for_function("document.querySelector('.dip-before').src.endsWith('/truth')")
    page.focus(".dip-cutter")
    page.keyboard.press("Home")
    assert not page.is_visible(".dip-before")


def test_a_run_grows_while_it_is_watched(browser: Any) -> None:
    rows, pictures = frames()
    live = "data:image/webp;base64," + base64.b64encode(grey(99)).decode()
    going = {"state": "running", "numbers": {"step": 4, "seconds": 1.0, "psnr": 20.1}}
    stage = Stage(browser, told(rows[:2], **going, live=live), pictures)
    stage.wait("live")
    assert stage.level() == 99 and "step 4" in stage.page.inner_text(".dip-status")
    stage.page.evaluate("value => tell(value)", told(rows[:20], **going, live=live))
    stage.page.wait_for_function("document.querySelector('.dip-slider').max === '19'")
    stage.page.evaluate(  # whoever looks back in time is left alone
        """() => { const slider = document.querySelector('.dip-slider');
        slider.value = 5; slider.dispatchEvent(new Event('input')); }"""
    )
    stage.wait("r1:5:avg")
    late = [[30 * 30 - 1, 2.95, None, 29.0, 28.0, len(grey(255)), len(grey(254))]]
    stage.pictures = [*pictures[:40], grey(255) + grey(254)]
    stage.page.evaluate("value => tell(value)", told(rows[:40] + late))
    stage.page.wait_for_function("document.querySelector('.dip-slider').max === '40'")
    assert stage.level() == 10
    stage.page.evaluate(  # the frame that came late has its place in time
        """() => { const slider = document.querySelector('.dip-slider');
        slider.value = 30; slider.dispatchEvent(new Event('input')); }"""
    )
    stage.wait("r1:40:avg")
    assert stage.level() == 255 and "step 899" in stage.page.inner_text(".dip-now")
    assert len([url for url in stage.asked if "frames" in url]) == 3
    stage.page.evaluate("value => tell(value)", told(rows[:3], id="r2"))  # another run
    stage.wait("r2:2:avg")
    assert not stage.errors
    stage.page.close()


def test_without_the_clean_picture_the_curve_is_the_loss(browser: Any) -> None:
    rows, pictures = frames(10)
    for row in rows:
        row[2], row[3], row[4] = 1.0 / (1 + row[0]), None, None
    value = told(rows, truth=False, numbers={"auto": None, "taken": 81, "step": 81})
    stage = Stage(browser, value, pictures)
    stage.wait("r1:9:avg")
    assert "log scale" in stage.page.inner_text(".dip-axis-name")
    assert len(stage.page.get_attribute(".dip-line-avg", "points").split()) == 10
    for name in (".dip-jump-auto", ".dip-jump-best", ".dip-with"):
        assert not stage.page.is_visible(name)
    assert not stage.errors
    stage.page.close()


def test_what_did_not_arrive_is_fetched_again(browser: Any) -> None:
    rows, pictures = frames(10)
    value = told(rows, version="abc", numbers={"auto": None, "taken": 81, "step": 81})
    stage = Stage(browser, value, pictures, failing=3)
    stage.wait("r1:9:avg")
    assert stage.level() == 18 and "did not arrive" not in stage.page.inner_text(".dip-status")
    tries = [url for url in stage.asked if "frames?" in url]
    assert len(tries) >= 2 and all(url.endswith("&v=abc") for url in tries)
    assert not stage.errors
    stage.page.close()


def test_only_changes_are_announced(browser: Any) -> None:
    rows, pictures = frames(10)
    going = {"state": "running", "numbers": {"step": 4, "seconds": 1.0, "psnr": 20.1}}
    stage = Stage(
        browser, told(rows[:1], id="r0", state="waiting", place=1, wait=9, frames=[]), pictures
    )

    def spoken() -> str:
        return str(stage.page.inner_text(".dip-spoken"))

    stage.page.evaluate("value => tell(value)", told(rows[:2], **going))
    first = spoken()
    assert first.startswith("Learning: step 4")
    going["numbers"] = {"step": 5, "seconds": 1.5, "psnr": 20.2}
    stage.page.evaluate("value => tell(value)", told(rows[:3], **going))
    assert "step 5" in stage.page.inner_text(".dip-status") and spoken() == first
    stage.page.evaluate(
        "performance.now = (old => () => old() + 16000)(performance.now.bind(performance))"
    )
    stage.page.evaluate("value => tell(value)", told(rows[:3], **going))
    assert "step 5" in spoken()
    stage.page.evaluate("value => tell(value)", told(rows[:4]))
    assert spoken().startswith("Took step")
    assert stage.page.locator("[role=status], output").count() == 0
    assert not stage.errors
    stage.page.close()


def test_a_late_picture_does_not_take_the_place_of_another(browser: Any) -> None:
    def ready(level: int) -> dict[str, Any]:
        uri = "data:image/webp;base64," + base64.b64encode(grey(level)).decode()
        return {"id": "ready", "state": "ready", "live": uri, "size": [64, 48], "note": ""}

    stage = Stage(browser, told(*[frames(3)[0]]), frames(3)[1])
    stage.wait("r1:2:avg")
    stage.page.evaluate(
        """([slow, quick]) => {
            const real = createImageBitmap;
            let calls = 0;
            window.createImageBitmap = async (blob) => {
                const first = calls++ === 0, picture = await real(blob);
                if (first) await new Promise((done) => setTimeout(done, 300));
                if (first) window.late = true;
                return picture;
            };
            tell(slow);
            tell(quick);
        }""",
        [ready(50), ready(150)],
    )
    stage.page.wait_for_function("window.late")
    stage.wait("ready")
    stage.page.wait_for_timeout(50)
    assert stage.level() == 150
    stage.page.close()


def test_the_frame_shown_can_be_saved(stage: Stage) -> None:
    stage.page.click(".dip-jump-best")
    stage.wait("r1:40:avg")
    with stage.page.expect_download() as found:
        stage.page.click(".dip-save")
    assert found.value.suggested_filename == "step-1600.png"
    with Image.open(found.value.path()) as saved:
        assert saved.format == "PNG" and saved.getpixel((9, 9))[:3] == (80, 80, 80)
