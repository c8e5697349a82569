"""The demo as visitors have it: a real browser, on the server of `tests/app/server.py`."""

from __future__ import annotations

import io
import re
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dip_lite import Record
from tests.app.server import Server, without_browser
from tests.app.visit import Visit

pytestmark = pytest.mark.skipif(bool(without_browser()), reason=without_browser())


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
    assert not page.is_checked("#damage input")
    visit.tiny(0)
    page.click("#more >> text=Keep raw outputs")
    visit.long()
    page.click("#run")
    visit.state("running")
    page.wait_for_function("+document.querySelector('.dip-slider').max > 8")
    assert re.match(r"Step \d+ · \d+ s elapsed, at most \d+ s left", page.inner_text(".dip-status"))
    page.click("#stop")
    assert "stopped by you" in visit.finished()
    name = visit.settled()
    page.wait_for_function("!document.querySelector('#run').disabled")
    visit.requests.clear()
    page.focus(".dip-slider")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    visit.wait(f"{name}:0:avg")
    page.click(".dip-kind[data-kind=raw]")
    visit.wait(f"{name}:0:raw")
    assert visit.requests == []
    result = Image.open(io.BytesIO(visit.download("result.png")))
    assert result.format == "PNG" and result.size == (72, 56)
    zipfile.ZipFile(io.BytesIO(visit.download("record.zip"))).extractall(tmp_path)
    record = Record(tmp_path / "record")
    assert record.finished and "stopped by you" in str(record.curve["stop_reason"][-1])
    animation = Image.open(io.BytesIO(visit.download("animation.webp")))
    assert animation.n_frames > 8  # type: ignore[attr-defined]


def test_draw_a_mask_and_inpaint(visit: Visit) -> None:
    page = visit.page
    give(visit, noisy((96, 96)))
    visit.wait("ready")
    page.click("#task >> text=Inpaint")
    page.click("#mask >> text=Draw a mask")
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
    assert "1 stroke painted" in page.inner_text(".brush-status")
    visit.tiny(15)
    page.click("#run")
    assert "Result: step" in visit.finished()
    before = np.asarray(Image.open(io.BytesIO(noisy((96, 96)))), int)
    after = np.asarray(Image.open(io.BytesIO(visit.download("result.png"))), int)
    changed = (before != after).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert 40 <= rows.min() and rows.max() <= 56  # the stroke, and nothing but the stroke
    assert 22 <= columns.min() <= 34 and 62 <= columns.max() <= 74
    page.click(".brush-clear")
    assert "Paint over" in page.inner_text(".brush-status")


def test_no_picture_is_a_sentence(visit: Visit) -> None:
    give(visit, b"<!doctype html><html><script>alert(1)</script></html>")
    visit.page.wait_for_selector("text=Your file is a web page, not a picture")
    visit.page.wait_for_selector("#file >> text=Click to Upload")
    assert "example:" in visit.page.get_attribute(".dip-frame", "data-shown")


def test_an_example_with_noise_is_scored(visit: Visit) -> None:
    page = visit.page
    page.click("#examples button[data-name=coffee]")
    visit.wait("ready")
    visit.tiny(30)
    page.click("#run")
    assert re.search(r"\d\d\.\d\d dB, SSIM 0\.\d{3} · all steps done", visit.finished())
    page.wait_for_selector(".dip-jump-best:visible")
    page.click(".dip-other[data-other=truth]")
    page.wait_for_function("document.querySelector('.dip-before').naturalWidth > 0")


def test_a_long_run_is_shown_and_the_picture_stays(visit: Visit) -> None:
    page = visit.page
    give(visit, noisy((72, 56)))
    visit.wait("ready")
    page.click("#long-runs button[data-name=example-jpeg]")
    visit.wait("example-jpeg:")
    page.wait_for_selector("text=50,000 iterations")
    page.wait_for_function("document.querySelector('.dip-frame').dataset.step === '2400'")
    page.evaluate("document.querySelector('.dip-slider').focus()")
    page.keyboard.press("End")
    page.wait_for_function("document.querySelector('.dip-frame').dataset.step === '50000'")
    page.wait_for_function("document.querySelector('.dip-before').naturalWidth === 256")
    assert page.locator(".dip-file[data-file]:visible").count() == 0  # there is nothing to download
    page.click("#long-runs button[data-name=example-jpeg]")  # again: none
    visit.wait("ready")
    page.click("#long-runs button[data-name=example-noise]")
    visit.wait("example-noise:")
    visit.tiny(5)
    page.click("#run")  # of the visitor's picture, as before
    mine = visit.settled()
    assert "Result: step" in visit.finished()
    page.wait_for_function("document.querySelector('.dip-frame').width === 72")
    assert page.locator("#long-runs [aria-pressed=true]").count() == 0
    page.click("#long-runs button[data-name=example-noise]")
    visit.wait("example-noise:")
    page.click("#long-runs button[data-name=example-noise]")
    visit.wait(f"{mine}:")  # what the visitor's own run ended with


def test_after_an_error_one_can_go_on(visit: Visit) -> None:
    """The buttons are as before, and the page shows the visitor's picture, or its last result."""
    page = visit.page
    give(visit, noisy((72, 56)))
    visit.wait("ready")
    page.click("#task >> text=Inpaint")
    page.wait_for_selector("#brush", state="visible")
    page.click("#run")
    page.wait_for_selector("text=Paint over the area to fill in first.")
    page.wait_for_function("!document.querySelector('#run').disabled")
    assert page.is_disabled("#stop") and "Press Run" in page.inner_text(".dip-status")
    page.click("#task >> text=Denoise")
    visit.tiny(5)
    page.click("#run")
    visit.settled()
    shown = visit.shown()
    page.wait_for_selector("text=Paint over the area to fill in first.", state="detached")
    page.click("#task >> text=Inpaint")
    page.wait_for_selector("#brush", state="visible")
    page.click("#run")
    page.wait_for_selector("text=Paint over the area to fill in first.")
    page.wait_for_function("!document.querySelector('#run').disabled")
    visit.state("done")
    assert page.is_disabled("#stop") and visit.shown() == shown
    page.click("#long-runs button[data-name=example-noise]")
    visit.wait("example-noise")
    page.click("#long-runs button[data-name=example-noise]")  # and back
    page.wait_for_function(f"document.querySelector('.dip-frame').dataset.shown == '{shown}'")


def test_a_long_run_waits_for_the_visitors_own(visit: Visit) -> None:
    page = visit.page
    page.click("#more button")
    visit.long()
    page.click("#run")
    visit.state("running")
    page.click("#long-runs button[data-name=example-noise]")
    page.wait_for_selector("text=Your last run is not finished")
    page.wait_for_function("!document.querySelector('#long-runs [aria-pressed=true]')")
    assert not visit.shown().startswith("example")
    page.click("#stop")
    visit.state("done")


def test_ones_own_picture_is_not_damaged(visit: Visit) -> None:
    """So there is no noise to choose, and what is missing is drawn, unless one said otherwise."""
    page = visit.page
    page.wait_for_selector("text=Noise level", state="visible")
    give(visit, noisy((72, 56)))
    visit.wait("ready")
    page.wait_for_selector("text=Noise level", state="hidden")
    page.click("#damage input")
    page.wait_for_selector("text=Noise level", state="visible")
    page.click("#task >> text=Inpaint")
    page.wait_for_selector("#mask input[value=draw]:checked")
    page.wait_for_selector("#brush", state="visible")
    page.click("#mask >> text=Scratches")
    page.wait_for_selector("#brush", state="hidden")
    page.click("#examples button[data-name=coins]")
    page.wait_for_function("document.querySelector('#damage input')?.checked !== false")
    assert page.is_checked("#mask input[value=scratches]")


def test_without_a_file_the_cat_is_back(visit: Visit) -> None:
    """What is shown is what a run is about, also after the file was taken away again."""
    page = visit.page
    give(visit, noisy((72, 56)))
    visit.wait("ready")
    page.wait_for_function("document.querySelector('.dip-frame').width === 72")
    assert not page.is_checked("#damage input")
    page.click("#file button[aria-label='Clear'], #file button[aria-label='Remove this file']")
    page.wait_for_function("document.querySelector('.dip-frame').width === 128")
    page.wait_for_selector("#examples button[data-name=chelsea][aria-pressed=true]")
    assert page.is_checked("#damage input")
    visit.tiny(5)
    page.click("#run")
    assert " dB" in visit.finished()
    assert Image.open(io.BytesIO(visit.download("result.png"))).size == (128, 128)


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


def test_closing_the_page_frees_the_queue(browser: Any, demo: Server) -> None:
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
    visit.page.click("[role=tab] >> text=How it works")
    visit.page.wait_for_selector("text=The structure of the network")
    assert visit.page.locator("#about .katex").count() >= 1


@pytest.mark.parametrize("way", ["paste", "drop", "choose"])
def test_a_second_picture_replaces_the_first(way: str, visit: Visit) -> None:
    """Without taking the first away, by pasting, dropping or choosing it."""
    page = visit.page
    give(visit, noisy((72, 56)))
    visit.wait("ready")
    page.wait_for_selector("#file >> text=mine")
    data = noisy((88, 64), seed=1)
    if way == "choose":
        with page.expect_file_chooser() as found:
            page.click("#choose")
        found.value.set_files({"name": "second.png", "mimeType": "image/png", "buffer": data})
    else:
        page.evaluate(
            """([way, data]) => {
                const transfer = new DataTransfer(), bytes = Uint8Array.from(data);
                transfer.items.add(new File([bytes], "second.png", { type: "image/png" }));
                const options = { bubbles: true, cancelable: true };
                const event = way === "paste"
                    ? new ClipboardEvent("paste", { ...options, clipboardData: transfer })
                    : new DragEvent("drop", { ...options, dataTransfer: transfer });
                const target = way === "paste" ? document : document.querySelector("#viewer");
                target.dispatchEvent(event);
            }""",
            [way, [*data]],
        )
    page.wait_for_function("document.querySelector('.dip-frame').width === 88")
    page.wait_for_selector("#file >> text=second")
    visit.tiny(5)
    page.click("#run")
    visit.finished()
    assert Image.open(io.BytesIO(visit.download("result.png"))).size == (88, 64)


def test_a_link_sets_the_demo_up(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{visit.home}/?task=jpeg&sample=coffee&plain=1")
    visit.wait("ready")
    page.wait_for_selector("#examples button[data-name=coffee][aria-pressed=true]")
    page.wait_for_selector("text=JPEG quality")
    assert page.is_checked("#task input[value=jpeg]")
    visit.tiny(5)
    assert page.get_by_label("Plain prior").is_checked()
    page.click("#run")
    assert "Result: step" in visit.finished()


def test_nonsense_in_a_link_is_said_once(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{visit.home}/?task=fly&sample=%3Cscript%3E&other=1")
    page.wait_for_selector("text=This link asks for task=fly and sample=<script>, which the demo")
    assert page.locator(".toast-body").count() == 1
    visit.wait("example:")
    assert page.is_checked("#task input[value=denoise]")
