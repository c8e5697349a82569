"""The book, built and read as a visitor without a network reads it: every page from its file."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup

import dip_lite
import dip_lite.records
import dip_lite.sweep
import dip_lite.tasks
from tests.app.server import FLAGS, chromium, without_browser

ROOT = Path(__file__).parents[1]
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("0*.ipynb"))
MAX_BYTES = 25_000_000
NETWORK = re.compile(r"https?:|wss?:|//")
in_a_browser = pytest.mark.skipif(bool(without_browser()), reason=without_browser())


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess]:
    """The site, built once as `make book` does, and what the build said."""
    work = tmp_path_factory.mktemp("book")
    command = re.findall(r"-m (sphinx .*) -d build/", (ROOT / "Makefile").read_text("utf-8"))[0]
    done = subprocess.run(
        [sys.executable, "-m", *command.split(), "-d", work / "doctrees", "docs", work / "html"],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    return work / "html", done


@pytest.fixture(scope="session")
def site(built: tuple[Path, Any]) -> Path:
    assert built[1].returncode == 0, built[1].stderr
    return built[0]


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[str, BeautifulSoup]:
    """Every page by its path, parsed."""
    found = sorted(site.rglob("*.html"))
    found = [path for path in found if "_static" not in path.parts]
    read = {p.relative_to(site).as_posix(): p.read_text("utf-8") for p in found}
    return {name: BeautifulSoup(text, "html.parser") for name, text in read.items()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield found
        found.close()


class Reader:
    """One tab without a network, and all that went wrong in it."""

    def __init__(self, browser: Any, site: Path) -> None:
        self.context, self.site = browser.new_context(offline=True), site
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page.on("request", lambda request: self._requested(request.url))
        self.page.on("requestfailed", lambda r: self.problems.append(f"failed: {r.url[:200]}"))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._printed)

    def _requested(self, url: str) -> None:
        self.requests.append(url)
        if NETWORK.match(url):
            self.problems.append(f"asked for {url[:200]}")

    def _printed(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def open(self, name: str) -> Any:
        file, mark, query = name.partition("?")
        self.page.goto((self.site / file).as_uri() + mark + query)
        return self.page


@pytest.fixture
def reader(browser: Any, site: Path) -> Iterator[Reader]:
    found = Reader(browser, site)
    yield found
    assert not found.problems
    found.context.close()


def test_it_is_built_without_a_warning(built: tuple[Path, Any]) -> None:
    assert built[1].returncode == 0, built[1].stderr
    assert "WARNING" not in built[1].stderr


def test_it_is_small_enough_for_a_slow_line(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES


def test_no_page_names_a_script_style_or_picture_of_another_site(
    pages: dict[str, BeautifulSoup],
) -> None:
    for name, page in pages.items():
        for tag in page.select("[src], link[href]"):
            address = str(tag.get("src") or tag.get("href"))
            if tag.get("rel") != ["canonical"]:
                assert not NETWORK.match(address), (name, address)


def test_every_link_inside_the_book_leads_somewhere(
    pages: dict[str, BeautifulSoup], site: Path
) -> None:
    names = {
        name: {str(tag.get("id") or tag.get("name")) for tag in page.select("[id], a[name]")}
        for name, page in pages.items()
    }
    broken = []
    for name, page in pages.items():
        for link in page.select("a[href]"):
            address, _, anchor = unquote(str(link["href"])).partition("#")
            if re.match(r"\w+:|//", address):
                continue
            target = (site / name).parent / address if address else site / name
            there = target.resolve().relative_to(site.resolve()).as_posix()
            if not target.is_file() or (anchor and there in names and anchor not in names[there]):
                broken.append(f"{name} → {link['href']}")
    assert not broken, broken


@pytest.mark.parametrize(
    "module",
    [dip_lite, dip_lite.tasks, dip_lite.records, dip_lite.sweep],
    ids=lambda module: module.__name__,
)
def test_every_public_name_is_on_a_page_of_the_api_with_its_source(
    module: Any, pages: dict[str, BeautifulSoup]
) -> None:
    entries = {
        str(entry["id"]).rpartition(".")[2]: entry
        for name, page in pages.items()
        if name.startswith("api/")
        for entry in page.select("dt.sig-object[id]")
    }
    for name in module.__all__:
        if callable(getattr(module, name)):
            assert entries[name].select_one("a .viewcode-link"), name


def test_every_lesson_and_its_solutions_are_there(pages: dict[str, BeautifulSoup]) -> None:
    assert LESSONS
    for lesson in LESSONS:
        assert pages[f"course/{lesson}.html"].select(".cell_output img")
        assert f"course/solutions/{lesson}.html" in pages
        assert pages["course/index.html"].select(f'main a[href^="{lesson}.html"]')


def test_the_glossary_is_in_both_languages(pages: dict[str, BeautifulSoup]) -> None:
    terms = pages["glossary.html"].select("dl.glossary > dt")
    assert len(terms) >= 35
    for term in terms:
        meaning = term.find_next_sibling("dd")
        chinese = [bool(re.search(r"[\u4e00-\u9fff]", text.text)) for text in meaning.select("p")]
        assert chinese == [False, True], term.text
        assert "·" in term.text


@in_a_browser
def test_every_page_opens_without_an_error_or_a_request(
    reader: Reader, pages: dict[str, BeautifulSoup]
) -> None:
    for name in pages:
        reader.open(name)
        assert not reader.problems, name


@in_a_browser
@pytest.mark.parametrize("lesson", LESSONS)
def test_an_answer_is_folded_until_it_is_asked_for(lesson: str, reader: Reader) -> None:
    page = reader.open(f"course/{lesson}.html")
    folds = page.locator("details.hide")
    assert folds.count() >= 1
    asked = page.locator("p:has(strong:text('What do you expect?'))").first.bounding_box()
    assert folds.first.bounding_box()["y"] > asked["y"]
    for index in range(folds.count()):
        answer = folds.nth(index).locator(".cell_output").first
        assert not answer.is_visible()
        folds.nth(index).locator("summary").click()
        assert answer.is_visible()


@in_a_browser
@pytest.mark.parametrize("word", ["impedance", "噪声阻抗", "early stopping", "remove_jpeg"])
def test_search_finds(word: str, reader: Reader) -> None:
    page = reader.open(f"search.html?q={word}")
    page.locator("#search-results li a").first.wait_for()
    found = page.locator("#search-results li a").evaluate_all("links => links.map(a => a.href)")
    wanted = "api/tasks.html" if "_" in word else "glossary.html"
    assert any(wanted in address for address in found)


@in_a_browser
def test_every_scrubber_drags(reader: Reader, pages: dict[str, BeautifulSoup]) -> None:
    """Frame shown = frame asked, 50 moves, no request; each is a page in an iframe of its own."""
    names = [name for name, page in pages.items() if page.select(".dip-embed iframe")]
    assert "index.html" in names, "run docs/make_landing.py"
    for name in names:
        page = reader.open(name)
        page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        for frame in page.frames[1:]:
            frame.wait_for_selector(".dip-frame[data-step]", state="attached")
            drag(reader, frame, moves=50)


def drag(reader: Reader, frame: Any, moves: int) -> None:
    """Moves the slider to random places; after each, the frame painted is that of its label."""
    before, rng = len(reader.requests), random.Random(0)
    last = int(frame.locator(".dip-slider").get_attribute("max"))
    seen = set()
    for _ in range(moves):
        frame.locator(".dip-slider").fill(str(rng.randint(0, last)))
        step = re.match(r"step (\d+)", frame.locator(".dip-now").inner_text())[1]
        frame.wait_for_selector(f'.dip-frame[data-step="{step}"]', timeout=5000)
        seen.add(step)
    assert len(seen) > min(last, moves) / 3
    assert [url for url in reader.requests[before:] if not url.startswith(("data:", "blob:"))] == []
