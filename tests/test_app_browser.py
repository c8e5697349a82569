"""The demo as visitors have it: a real browser, on the server of `app_server`."""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_server import FLAGS, Server, chromium, server, without_browser
from PIL import Image

from dip_lite import Record

pytestmark = pytest.mark.skipif(bool(without_browser()), reason=without_browser())

PATIENCE = 40_000  # milliseconds; the machine may be busy


@pytest.fixture(scope="module")
def demo() -> Server:
    return server()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield found
        found.close()


class Visit:
    """A page of the demo, in a browser profile of its own."""

    def __init__(self, browser: Any, demo: Server, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
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
        self.page.click("#more >> text=Go on past")
        self.page.click("#budget >> text=Standard")

    def shown(self) -> str:
        return str(self.page.get_attribute(".dip-frame", "data-shown"))

    def state(self, wanted: str) -> None:
        self.page.wait_for_selector(f".dip[data-state={wanted}]")

    def tiny(self, steps: int) -> None:
        """The network and the number of steps of a run that is soon over."""
        self.page.click("#more button")
        self.page.click("#more >> text=tiny")
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
        others = [url for url in self.asked if not url.startswith((self.home, "data:", "blob:"))]
        self.context.close()
        assert not others and not self.errors


@pytest.fixture
def visit(browser: Any, demo: Server) -> Iterator[Visit]:
    found = Visit(browser, demo)
    yield found
    found.close()


def noisy(size: tuple[int, int] = (72, 56), seed: int = 0) -> bytes:
    values = np.random.default_rng(seed).normal(140, 25, (size[1], size[0], 3)).clip(0, 255)
    memory = io.BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(memory, "PNG")
    return memory.getvalue()


def give(visit: Visit, data: bytes, name: str = "mine.png") -> None:
    field = visit.page.locator("#file input[type=file]")
    field.set_input_files([{"name": name, "mimeType": "image/png", "buffer": data}])


def test_upload_run_stop_scrub_download(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    give(visit, noisy())
    visit.wait("ready")
    assert not page.is_checked("#spoil input")
    visit.tiny(0)
    visit.long()
    page.click("#run")
    visit.state("running")
    page.wait_for_function("+document.querySelector('.dip-slider').max > 8")
    assert re.match(
        r"Learning: step \d+, \d+ s, at most \d+ s to go", page.inner_text(".dip-status")
    )
    page.click("#stop")
    assert "stopped by you" in visit.finished()
    name = visit.settled()
    page.wait_for_function("!document.querySelector('#run').disabled")
    visit.asked.clear()
    page.focus(".dip-slider")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    visit.wait(f"{name}:0:avg")
    page.click(".dip-kind[data-kind=raw]")
    visit.wait(f"{name}:0:raw")
    assert visit.asked == []
    result = Image.open(io.BytesIO(visit.download("result.png")))
    assert result.format == "PNG" and result.size == (72, 56)
    zipfile.ZipFile(io.BytesIO(visit.download("record.zip"))).extractall(tmp_path)
    record = Record(tmp_path / "record")
    assert record.finished and "stopped by you" in str(record.curve["why"][-1])
    film = Image.open(io.BytesIO(visit.download("film.webp")))
    assert film.n_frames > 8  # type: ignore[attr-defined]


def test_draw_a_mask_and_inpaint(visit: Visit) -> None:
    page = visit.page
    give(visit, noisy((96, 96)))
    visit.wait("ready")
    page.click("#task >> text=Fill in")
    page.click("#mask >> text=I draw it")
    page.wait_for_selector(".brush-canvas[data-ready]")
    page.locator(".brush-canvas").scroll_into_view_if_needed()
    box, before = page.locator(".brush-canvas").bounding_box(), None
    while box != before:  # until it moves no more
        page.wait_for_timeout(200)
        box, before = page.locator(".brush-canvas").bounding_box(), box
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.5, steps=6)
    page.mouse.up()
    assert "1 stroke drawn" in page.inner_text(".brush-told")
    visit.tiny(15)
    page.click("#run")
    assert "Took step" in visit.finished()
    before = np.asarray(Image.open(io.BytesIO(noisy((96, 96)))), int)
    after = np.asarray(Image.open(io.BytesIO(visit.download("result.png"))), int)
    changed = (before != after).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert 40 <= rows.min() and rows.max() <= 56  # the stroke, and nothing but the stroke
    assert 22 <= columns.min() <= 34 and 62 <= columns.max() <= 74
    page.click(".brush-clear")
    assert "Draw over" in page.inner_text(".brush-told")


def test_no_picture_is_a_sentence(visit: Visit) -> None:
    give(visit, b"<!doctype html><html><script>alert(1)</script></html>")
    visit.page.wait_for_selector("text=Your file is a web page, not a picture")
    visit.page.wait_for_selector("#file >> text=Click to Upload")
    assert "example:" in visit.page.get_attribute(".dip-frame", "data-shown")


def test_an_example_with_noise_tells_how_near_it_came(visit: Visit) -> None:
    page = visit.page
    page.click("#examples button[data-name=coffee]")
    visit.wait("ready")
    visit.tiny(30)
    page.click("#run")
    assert re.search(r"\d\d\.\d\d dB, SSIM 0\.\d{3} · all steps were made", visit.finished())
    page.wait_for_selector(".dip-jump-best:visible")
    page.click(".dip-other[data-other=truth]")
    page.wait_for_function("document.querySelector('.dip-before').naturalWidth > 0")


def test_a_phone(browser: Any, demo: Server) -> None:
    phone = {"width": 390, "height": 844}
    visit = Visit(browser, demo, viewport=phone, has_touch=True, is_mobile=True)
    page = visit.page
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    stage, ask = (page.locator(name).bounding_box() for name in ("#stage", "#ask"))
    assert stage["y"] + stage["height"] <= ask["y"]  # one column, the picture first
    view = page.locator(".dip-view").bounding_box()
    assert view["width"] > 250 and view["y"] + view["height"] < 844
    slider = page.locator(".dip-slider").bounding_box()
    assert slider["height"] >= 30
    page.touchscreen.tap(slider["x"] + 3, slider["y"] + slider["height"] / 2)
    visit.wait("example:0:avg")
    page.touchscreen.tap(view["x"] + view["width"] * 0.8, view["y"] + 40)
    assert 75 <= int(page.input_value(".dip-cutter")) <= 85
    visit.close()


def test_the_keyboard_alone(visit: Visit) -> None:
    """From the top of the page to a finished run, without a mouse."""
    page = visit.page

    def tab_to(test: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate(f"(e => {test})(document.activeElement)"):
                return
        raise AssertionError(f"the keyboard does not reach {test}")

    tab_to("e.classList.contains('dip-slider')")
    page.keyboard.press("End")
    page.wait_for_function("document.querySelector('.dip-frame').dataset.step === '1600'")
    tab_to("e.dataset?.name === 'camera'")
    page.keyboard.press("Enter")
    visit.wait("ready")
    page.evaluate("document.querySelector('.dip-slider').focus()")
    tab_to("e.innerText?.startsWith('More settings')")
    page.keyboard.press("Enter")
    page.get_by_label("Go on past").focus()
    page.keyboard.press("Space")
    page.locator("#budget input[type=radio]").first.focus()
    page.keyboard.press("ArrowRight")
    page.evaluate("document.querySelector('.dip-slider').focus()")
    tab_to("e.id === 'run'")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'stop'")
    visit.state("running")
    page.keyboard.press("Enter")
    assert "stopped by you" in visit.finished()
    page.wait_for_function("document.activeElement.id === 'run'")
    assert "stopped by you" in page.inner_text(".dip-spoken")


def test_everything_has_a_name(visit: Visit) -> None:
    """Buttons, fields and pictures say to a screen reader what they are."""
    visit.page.click("#more button")
    nameless = visit.page.evaluate(
        """() => [...document.querySelectorAll('button, input, canvas, img')]
        .filter(e => e.checkVisibility({ visibilityProperty: true }) && !(
            e.getAttribute('aria-label') || e.labels?.length || e.closest('label') || e.title
            || e.innerText?.trim() || e.alt || e.getAttribute('aria-labelledby')))
        .map(e => e.outerHTML.slice(0, 160))"""
    )
    assert nameless == []


def test_without_a_file_the_cat_is_back(visit: Visit) -> None:
    """What is shown is what a run is about, also after the file was taken away again."""
    page = visit.page
    give(visit, noisy((72, 56)))
    visit.wait("ready")
    page.wait_for_function("document.querySelector('.dip-frame').width === 72")
    assert not page.is_checked("#spoil input")
    page.click("#file button[aria-label='Clear'], #file button[aria-label='Remove this file']")
    page.wait_for_function("document.querySelector('.dip-frame').width === 128")
    page.wait_for_selector("#examples button[data-name=chelsea][aria-pressed=true]")
    assert page.is_checked("#spoil input")
    visit.tiny(5)
    page.click("#run")
    assert " dB" in visit.finished()
    assert Image.open(io.BytesIO(visit.download("result.png"))).size == (128, 128)


def contrast(a: str, b: str) -> float:
    def light(colour: str) -> float:
        values = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        parts = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05

    high, low = sorted((light(a), light(b)), reverse=True)
    return high / low


OWN = """name => [...document.querySelectorAll(name)].filter(e => e.checkVisibility()).map(e => {
    const clear = (e) => /, 0\\)$|^transparent$/.test(getComputedStyle(e).backgroundColor);
    let ground = e;
    while (ground.parentElement && clear(ground)) ground = ground.parentElement;
    return [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor];
})"""  # the colour of a text, and of what it stands on


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(scheme: str, browser: Any, demo: Server) -> None:
    visit = Visit(browser, demo, color_scheme=scheme)
    back = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(int(part) for part in re.findall(r"\d+", back)[:3]) < 60) == (scheme == "dark")
    for name in (
        ".dip-status",
        ".dip-now",
        ".dip-axis",
        "#head p",
        "#head h1",
        ".why",
        ".dip-jump",
        ".dip [aria-pressed=true]",
        ".dip [aria-pressed=false]",
        "#run",
        "#stop",
    ):
        colours = visit.page.evaluate(OWN, name)
        assert colours, name
        for colour, ground in colours:
            assert contrast(colour, ground) >= 4.5, (name, colour, ground)
    visit.close()


def test_two_visitors_at_once(browser: Any, demo: Server) -> None:
    """The second waits for the first, and each gets their own."""
    first, second = Visit(browser, demo), Visit(browser, demo)
    for number, visit in enumerate((first, second)):
        give(visit, noisy((64 + 16 * number, 64), seed=number))
        visit.wait("ready")
        visit.tiny(0 if visit is first else 15)
    first.long()
    first.page.click("#run")
    first.state("running")
    second.page.click("#run")
    second.state("waiting")
    assert "You are next" in second.page.inner_text(".dip-status")
    first.page.click("#stop")
    first.finished()
    second.finished()
    for number, visit in enumerate((first, second)):
        assert Image.open(io.BytesIO(visit.download("result.png"))).size == (64 + 16 * number, 64)
        visit.close()


def test_whoever_closes_the_page_frees_the_line(browser: Any, demo: Server) -> None:
    leaver = Visit(browser, demo)
    leaver.page.click("#more button")
    leaver.long()
    leaver.page.click("#run")
    leaver.state("running")
    leaver.context.close()
    begun = time.monotonic()
    visit = Visit(browser, demo)
    visit.tiny(5)
    visit.page.click("#run")
    visit.finished()
    assert time.monotonic() - begun < 30  # the other had sixty seconds
    visit.close()


def test_the_explanation_is_there(visit: Visit) -> None:
    visit.page.click("[role=tab] >> text=What am I looking at?")
    visit.page.wait_for_selector("text=The structure of the network")
    assert visit.page.locator("#about .katex").count() >= 1
