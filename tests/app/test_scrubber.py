"""The scrubber by itself, in a page without Gradio: the right frame, at once, without requests."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.app.scrubber_page import COUNT, Stage, frames, grey, state
from tests.app.server import without_browser

pytestmark = pytest.mark.skipif(bool(without_browser()), reason=without_browser())


@pytest.fixture
def stage(browser: Any) -> Iterator[Stage]:
    rows, pictures = frames()
    stage = Stage(browser, state(rows), pictures)
    stage.wait("r1:36:avg")  # a finished run begins at the frame that was taken
    yield stage
    assert not stage.errors
    stage.page.close()


def test_the_frame_shown_is_the_one_asked_for_and_nobody_is_asked(stage: Stage) -> None:
    stage.requests.clear()
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
    assert stage.requests == []


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
    assert (
        page.inner_text(".dip-announcement") == ""
    )  # the slider says it, and nobody says it twice
    page.focus(".dip-play")
    page.keyboard.press("Tab")
    page.click(".dip-jump-best")
    page.wait_for_function(
        "document.querySelector('.dip-announcement').textContent.includes('30.0 decibels')"
    )
    page.focus(".dip-slider")
    page.keyboard.press("End")
    stage.wait(f"r1:{COUNT - 1}:avg")
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.className"))
    for name in ("dip-jump-auto", "dip-kind", "dip-compare-slider", "dip-other", "dip-save"):
        assert any(name in found for found in seen), name


def test_marks_jump_and_lie_on_the_curve(stage: Stage) -> None:
    page = stage.page
    assert page.inner_text(".dip-jump-auto") == "Automatic stop: step 1296, 29.2 dB"
    assert page.inner_text(".dip-jump-best") == "Best: step 1600, 30.0 dB"
    page.click(".dip-jump-best")
    stage.wait("r1:40:avg")
    now, best = (page.get_attribute(f".dip-mark-{name}", "x1") for name in ("now", "best"))
    assert now == best
    page.click(".dip-jump-last")
    stage.wait(f"r1:{COUNT - 1}:avg")
    box = page.locator(".dip-curve").bounding_box()
    page.mouse.click(box["x"] + 1, box["y"] + 20)
    stage.wait("r1:0:avg")


def fused(browser: Any) -> Stage:
    """A finished run whose result is none of its frames."""
    rows, pictures = frames()
    value = state(rows)
    value["numbers"]["fused"] = True
    stage = Stage(browser, value, pictures)
    stage.wait("result")
    return stage


def test_a_fused_result_is_shown_at_the_end_until_somebody_looks_at_a_frame(browser: Any) -> None:
    stage = fused(browser)
    page = stage.page
    assert stage.level() == 250  # what the page answers for pictures that are no frames
    assert page.inner_text(".dip-tag-right") == page.inner_text(".dip-now") == "Result"
    stage.page.evaluate("update({...props.value})")  # nothing new: it stays
    page.wait_for_timeout(200)
    assert page.get_attribute(".dip-frame", "data-shown") == "result"
    page.click(".dip-jump-auto")
    stage.wait("r1:36:avg")
    assert page.inner_text(".dip-tag-right") == "Step 1296"
    page.click(".dip-jump-result")
    stage.wait("result")
    page.press(".dip-slider", "ArrowLeft")
    stage.wait("r1:35:avg")
    assert not stage.errors
    page.close()


def test_a_result_that_comes_late_does_not_replace_what_somebody_looks_at(browser: Any) -> None:
    stage = fused(browser)
    page = stage.page
    page.evaluate(
        """() => { const fetchNow = window.fetch;
        window.fetch = async (...asked) => {
            await new Promise((done) => setTimeout(done, 400));
            return fetchNow(...asked);
        }; }"""
    )
    page.click(".dip-jump-result")
    page.click(".dip-jump-auto")
    stage.wait("r1:36:avg")
    page.wait_for_timeout(900)
    assert page.get_attribute(".dip-frame", "data-shown") == "r1:36:avg"
    assert not stage.errors
    page.close()


def test_without_fusion_there_is_no_such_button(stage: Stage) -> None:
    assert not stage.page.is_visible(".dip-jump-result")


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
    assert page.is_visible(".dip-before") and page.input_value(".dip-compare-slider") == "25"
    page.wait_for_function("document.querySelector('.dip-before').naturalWidth === 64")
    page.click(".dip-other[data-other=truth]")
    assert page.inner_text(".dip-tag-left") == "Clean"
    page.wait_for_function("document.querySelector('.dip-before').src.endsWith('/truth')")
    page.focus(".dip-compare-slider")
    page.keyboard.press("Home")
    assert not page.is_visible(".dip-before")


def test_a_run_grows_while_it_is_watched(browser: Any) -> None:
    rows, pictures = frames()
    preview = "data:image/webp;base64," + base64.b64encode(grey(99)).decode()
    going = {"state": "running", "numbers": {"step": 4, "seconds": 1.0, "psnr": 20.1}}
    stage = Stage(browser, state(rows[:2], **going, preview=preview), pictures)
    stage.wait("preview")
    assert stage.level() == 99 and "Step 4" in stage.page.inner_text(".dip-status")
    stage.page.evaluate("value => update(value)", state(rows[:20], **going, preview=preview))
    stage.page.wait_for_function("document.querySelector('.dip-slider').max === '19'")
    stage.page.evaluate(  # whoever looks back in time is left alone
        """() => { const slider = document.querySelector('.dip-slider');
        slider.value = 5; slider.dispatchEvent(new Event('input')); }"""
    )
    stage.wait("r1:5:avg")
    late = [[30 * 30 - 1, 2.95, None, 29.0, 28.0, len(grey(255)), len(grey(254))]]
    stage.pictures = [*pictures[:40], grey(255) + grey(254)]
    stage.page.evaluate("value => update(value)", state(rows[:40] + late))
    stage.page.wait_for_function("document.querySelector('.dip-slider').max === '40'")
    assert stage.level() == 10
    stage.page.evaluate(  # a frame that arrives late is sorted by step
        """() => { const slider = document.querySelector('.dip-slider');
        slider.value = 30; slider.dispatchEvent(new Event('input')); }"""
    )
    stage.wait("r1:40:avg")
    assert stage.level() == 255 and "step 899" in stage.page.inner_text(".dip-now")
    assert len([url for url in stage.requests if "frames" in url]) == 3
    stage.page.evaluate("value => update(value)", state(rows[:3], id="r2"))  # another run
    stage.wait("r2:2:avg")
    assert not stage.errors
    stage.page.close()


def test_without_the_clean_picture_the_curve_is_the_loss(browser: Any) -> None:
    rows, pictures = frames(10)
    for row in rows:
        row[2], row[3], row[4] = 1.0 / (1 + row[0]), None, None
    value = state(rows, truth=False, numbers={"auto_step": None, "best_step": 81, "step": 81})
    stage = Stage(browser, value, pictures)
    stage.wait("r1:9:avg")
    assert "log₁₀" in stage.page.inner_text(".dip-axis-name")
    assert "log scale" in stage.page.inner_text(".dip-axis-right")
    assert len(stage.page.get_attribute(".dip-line-avg", "points").split()) == 10
    for name in (".dip-jump-auto", ".dip-jump-best", ".dip-with"):
        assert not stage.page.is_visible(name)
    assert not stage.errors
    stage.page.close()


def test_without_raw_outputs_there_is_nothing_to_choose(browser: Any, stage: Stage) -> None:
    assert stage.page.is_visible(".dip-which")
    stage.page.click(".dip-kind[data-kind=raw]")
    stage.wait("r1:36:raw")
    rows, pictures = frames(10)
    stage.pictures = [data[: row[5]] for row, data in zip(rows, pictures, strict=True)]
    rows = [[*row[:4], None, row[5], 0] for row in rows]
    numbers = {"auto_step": None, "best_step": 81, "step": 81, "fused": True}
    stage.page.evaluate("value => update(value)", state(rows, id="r2", numbers=numbers))
    stage.wait("result")
    stage.page.click(".dip-jump-best")
    stage.wait("r2:9:avg")
    assert stage.level() == 18 and not stage.page.is_visible(".dip-which")
    assert "bold" not in stage.page.inner_text(".dip-axis-name")
    shown = stage.page.inner_text(".dip-status")
    assert shown.startswith("Result: step 81 of 81, fused with a classical method")


def test_what_did_not_arrive_is_fetched_again(browser: Any) -> None:
    rows, pictures = frames(10)
    value = state(rows, version="abc", numbers={"auto_step": None, "best_step": 81, "step": 81})
    stage = Stage(browser, value, pictures, failing=3)
    stage.wait("r1:9:avg")
    assert stage.level() == 18 and "could not be loaded" not in stage.page.inner_text(".dip-status")
    tries = [url for url in stage.requests if "frames?" in url]
    assert len(tries) >= 2 and all(url.endswith("&v=abc") for url in tries)
    assert not stage.errors
    stage.page.close()


def test_only_changes_are_announced(browser: Any) -> None:
    rows, pictures = frames(10)
    going = {"state": "running", "numbers": {"step": 4, "seconds": 1.0, "psnr": 20.1}}
    stage = Stage(
        browser, state(rows[:1], id="r0", state="waiting", position=1, wait=9, frames=[]), pictures
    )

    def announcement() -> str:
        return str(stage.page.inner_text(".dip-announcement"))

    stage.page.evaluate("value => update(value)", state(rows[:2], **going))
    first = announcement()
    assert first.startswith("Step 4")
    going["numbers"] = {"step": 5, "seconds": 1.5, "psnr": 20.2}
    stage.page.evaluate("value => update(value)", state(rows[:3], **going))
    assert "Step 5" in stage.page.inner_text(".dip-status") and announcement() == first
    stage.page.evaluate(
        "performance.now = (old => () => old() + 16000)(performance.now.bind(performance))"
    )
    stage.page.evaluate("value => update(value)", state(rows[:3], **going))
    assert "Step 5" in announcement()
    stage.page.evaluate("value => update(value)", state(rows[:4]))
    assert announcement().startswith("Result: step")
    assert stage.page.locator("[role=status], output").count() == 0
    assert not stage.errors
    stage.page.close()


def test_a_late_picture_does_not_take_the_place_of_another(browser: Any) -> None:
    def ready(level: int) -> dict[str, Any]:
        uri = "data:image/webp;base64," + base64.b64encode(grey(level)).decode()
        return {"id": "ready", "state": "ready", "preview": uri, "size": [64, 48], "note": ""}

    stage = Stage(browser, state(*[frames(3)[0]]), frames(3)[1])
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
            update(slow);
            update(quick);
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
