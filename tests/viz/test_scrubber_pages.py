"""The scrubber in a browser, without a server and in JupyterLab: the frame asked for, at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dip_lite.viz.scrubber import Scrubber
from tests.app.server import without_browser
from tests.app.test_accessibility import OWN, contrast
from tests.viz.greys import BEST, COUNT, X_TRUE, grey, snapshots
from tests.viz.jupyter import Lab

pytestmark = pytest.mark.skipif(bool(without_browser()), reason=without_browser())

SCRUBBER = Scrubber(snapshots(), X_TRUE, x0=grey(200))
MOVE = """(slider, index) => { slider.value = index; slider.dispatchEvent(new Event('input')); }"""


class Opened:
    """A page from a file, with the network off.

    Attributes:
        requests: addresses that were asked for after the page itself.
    """

    def __init__(self, browser: Any, path: Path, html: str, **options: Any) -> None:
        path.write_text(html, "utf-8")
        self.context = browser.new_context(
            **{"offline": True, "viewport": {"width": 900, "height": 900}} | options
        )
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.hear)
        self.page.goto(path.as_uri())
        self.page.on("request", lambda request: self.requests.append(request.url))

    def hear(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def close(self) -> None:
        self.context.close()
        assert not self.errors and not self.requests


def shown(frame: Any, name: str) -> None:
    """Waits until a picture is shown, such as "run:3:avg"; a frame of the browser has just one."""
    frame.wait_for_selector(f".dip-frame[data-shown='{name}']", timeout=10_000)


def level(frame: Any) -> int:
    """The grey that is on the canvas."""
    return int(
        frame.eval_on_selector(
            ".dip-frame", "canvas => canvas.getContext('2d').getImageData(9, 9, 1, 1).data[0]"
        )
    )


def move(frame: Any, index: int) -> None:
    frame.eval_on_selector(".dip-slider", MOVE, index)


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Opened]:
    found = Opened(browser, tmp_path / "run.html", SCRUBBER.to_html())
    shown(found.page, f"run:{COUNT - 1}:avg")
    yield found
    found.close()


def test_fifty_moves_show_the_frame_asked_for_without_a_request(opened: Opened) -> None:
    chance = random.Random(0)
    for number in range(50):
        index, kind = chance.randrange(COUNT), "raw" if number % 10 == 9 else "avg"
        opened.page.click(f".dip-kind[data-kind={kind}]")
        move(opened.page, index)
        shown(opened.page, f"run:{index}:{kind}")
        assert abs(level(opened.page) - 4 * index - 2 * (kind == "raw")) <= 1
        assert opened.page.inner_text(".dip-now").startswith(f"step {index * index} ")


def test_keys_alone(opened: Opened) -> None:
    page = opened.page
    page.focus(".dip-slider")
    at = COUNT - 1
    for key, change in (("ArrowLeft", -1), ("PageDown", -4), ("PageUp", 4), ("ArrowRight", 1)):
        page.keyboard.press(key)
        at += change
        shown(page, f"run:{at}:avg")
    page.keyboard.press("Home")
    shown(page, "run:0:avg")
    page.keyboard.press("End")
    shown(page, f"run:{COUNT - 1}:avg")
    assert "decibels" in page.get_attribute(".dip-slider", "aria-valuetext")


def test_play_marks_before_and_after_and_the_frame_as_a_file(opened: Opened) -> None:
    page = opened.page
    page.click(".dip-jump-best")
    shown(page, f"run:{BEST}:avg")
    with page.expect_download() as found:
        page.click(".dip-save")
    with Image.open(found.value.path()) as saved:
        assert saved.format == "PNG" and saved.size == (64, 48)
    page.click(".dip-play")
    shown(page, f"run:{COUNT - 1}:avg")
    box = page.locator(".dip-view").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + 20)
    assert page.input_value(".dip-compare-slider") == "25" and page.is_visible(".dip-before")
    page.click(".dip-other[data-other=truth]")
    assert page.inner_text(".dip-tag-left") == "Clean"


def test_two_on_one_page_do_not_disturb_each_other(browser: Any, tmp_path: Path) -> None:
    fragment = SCRUBBER.to_html(fragment=True)
    html = f"<!doctype html><meta charset='utf-8'><body>{fragment}<p>and</p>{fragment}</body>"
    opened = Opened(browser, tmp_path / "two.html", html)
    frames = [each for each in opened.page.frames if each.parent_frame]
    assert len(frames) == 2
    for each in frames:
        shown(each, f"run:{COUNT - 1}:avg")
    move(frames[0], 3)
    frames[1].click(".dip-kind[data-kind=raw]")
    shown(frames[0], "run:3:avg")
    shown(frames[1], f"run:{COUNT - 1}:raw")
    assert not opened.page.locator(".dip-embed img").first.is_visible()
    for each in opened.page.locator("iframe").all():  # as high as what is in it
        inner = each.content_frame.locator(".dip").bounding_box()
        assert 0 <= each.bounding_box()["height"] - inner["height"] < 40
    opened.close()


def test_a_fragment_has_the_theme_of_the_page_around_it(browser: Any, tmp_path: Path) -> None:
    fragment = SCRUBBER.to_html(fragment=True)
    html = f"<!doctype html><html style='color-scheme: dark'><body>{fragment}</body></html>"
    opened = Opened(browser, tmp_path / "dark.html", html)
    inner = opened.page.frames[1]
    shown(inner, f"run:{COUNT - 1}:avg")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert inner.evaluate(ground) == "rgb(27, 26, 25)"
    opened.page.evaluate("document.documentElement.style.colorScheme = 'light'")
    inner.wait_for_function(f"{ground} === 'rgb(255, 255, 255)'")
    opened.close()


def test_where_scripts_do_not_run_there_is_an_animation(browser: Any, tmp_path: Path) -> None:
    html = f"<!doctype html><body>{SCRUBBER.to_html(fragment=True)}</body>"
    opened = Opened(browser, tmp_path / "still.html", html, java_script_enabled=False)
    assert opened.page.locator(".dip-embed img").is_visible()
    opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_light_and_dark(browser: Any, tmp_path: Path, scheme: str) -> None:
    opened = Opened(browser, tmp_path / "run.html", SCRUBBER.to_html(), color_scheme=scheme)
    shown(opened.page, f"run:{COUNT - 1}:avg")
    ground = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    for name in (".dip-now", ".dip-axis", ".dip-jump", ".dip [aria-pressed=true]", ".dip-compare"):
        for colour, behind in opened.page.evaluate(OWN, name):
            assert contrast(colour, behind) >= 4.5, (name, colour, behind)
    opened.close()


def test_a_phone(browser: Any, tmp_path: Path) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    opened = Opened(browser, tmp_path / "run.html", SCRUBBER.to_html(), **phone)
    page = opened.page
    shown(page, f"run:{COUNT - 1}:avg")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    slider = page.locator(".dip-slider").bounding_box()
    assert slider["height"] >= 30 and slider["y"] < 844
    page.touchscreen.tap(slider["x"] + 3, slider["y"] + slider["height"] / 2)
    shown(page, "run:0:avg")
    opened.close()


def test_one_frame_and_gaps_in_the_curve(browser: Any, tmp_path: Path) -> None:
    one = Opened(browser, tmp_path / "one.html", Scrubber(snapshots(1)).to_html())
    shown(one.page, "run:0:avg")
    one.page.click(".dip-play")
    assert "step 0" in one.page.inner_text(".dip-now")
    one.close()
    snaps = [replace(snap, loss=float("nan")) if snap.step < 9 else snap for snap in snapshots(9)]
    gaps = Opened(browser, tmp_path / "gaps.html", Scrubber(snaps).to_html())
    shown(gaps.page, "run:8:avg")
    assert "3 of 9 values missing" in gaps.page.inner_text(".dip-axis-name")
    assert len(gaps.page.get_attribute(".dip-line-avg", "points").split()) == 6
    gaps.close()


def test_in_jupyterlab_two_drag_and_python_knows_the_step(browser: Any, tmp_path: Path) -> None:
    lab = Lab(browser, tmp_path)
    try:
        errors: list[str] = []
        lab.page.on("pageerror", lambda error: errors.append(str(error)))
        first, second = (lab.page.locator(".dip").nth(number) for number in range(2))
        for each, kind in ((first, "avg"), (second, "raw")):
            each.locator(f"[data-shown='run:{COUNT - 1}:{kind}']").wait_for()
        for index in (5, 31, 12):
            first.locator(".dip-slider").evaluate(MOVE, index)
            first.locator(f"[data-shown='run:{index}:avg']").wait_for()
        first.locator(".dip-slider").press("ArrowRight")
        first.locator("[data-shown='run:13:avg']").wait_for()
        assert second.locator(".dip-frame").get_attribute("data-shown") == f"run:{COUNT - 1}:raw"
        lab.page.wait_for_timeout(1000)  # the kernel is told when the slider rests
        lab.page.locator(".jp-Cell").last.click()
        lab.run("notebook:run-cell")
        lab.page.wait_for_selector("text=the last step asked for: 169")
        assert not errors
    finally:
        lab.close()
