"""Phones, keyboards, screen readers, contrast."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.app.server import Server, without_browser
from tests.app.visit import Visit

pytestmark = pytest.mark.skipif(bool(without_browser()), reason=without_browser())


def test_a_phone(browser: Any, demo: Server) -> None:
    phone = {"width": 390, "height": 844}
    visit = Visit(browser, demo, viewport=phone, has_touch=True, is_mobile=True)
    page = visit.page
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    viewer, controls = (page.locator(name).bounding_box() for name in ("#viewer", "#controls"))
    assert viewer["y"] + viewer["height"] <= controls["y"]  # one column, the picture first
    view = page.locator(".dip-view").bounding_box()
    assert view["width"] > 250 and view["y"] + view["height"] < 844
    slider = page.locator(".dip-slider").bounding_box()
    assert slider["height"] >= 30
    page.touchscreen.tap(slider["x"] + 3, slider["y"] + slider["height"] / 2)
    visit.wait("example:0:avg")
    page.touchscreen.tap(view["x"] + view["width"] * 0.8, view["y"] + 40)
    assert 75 <= int(page.input_value(".dip-compare-slider")) <= 85
    visit.tiny(5)
    page.locator("#run").scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 400
    page.tap("#run")  # shows the picture, which is far above
    page.wait_for_function(
        "Math.abs(document.querySelector('.dip-view').getBoundingClientRect().top) < 60"
    )
    visit.settled()
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
    tab_to("e.innerText?.startsWith('Advanced settings')")
    page.keyboard.press("Enter")
    page.get_by_label("Continue past").focus()
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
    assert "stopped by you" in page.inner_text(".dip-announcement")


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
        ".hint",
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
