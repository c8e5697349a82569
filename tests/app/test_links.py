"""Links that set the demo up, written and read."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from dip_lite.app.labels import SAMPLES, TASKS
from dip_lite.app.links import demo_link, read_link


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("plain", [False, True])
def test_what_is_written_is_read(task: str, plain: bool) -> None:
    for sample in SAMPLES:
        query = dict(parse_qsl(urlsplit(demo_link(task, sample, plain)).query))
        asked = {"task": task, "sample": sample} | ({"plain_prior": True} if plain else {})
        assert read_link(query) == (asked, "")


def test_nothing_asked_is_the_demo_as_it_is() -> None:
    assert demo_link(demo="https://example.org/") == "https://example.org/"
    assert read_link({"__theme": "dark", "plain": "0"}) == ({"plain_prior": False}, "")


def test_nonsense_is_one_sentence_and_the_rest_holds() -> None:
    asked, text = read_link({"task": "fly\n" * 99, "sample": "<script>", "plain": "1"})
    assert asked == {"plain_prior": True}
    assert text.splitlines() == [text] and "sample=<script>" in text and len(text) < 200
    for wrong in ({"task": "denoise ", "sample": None}, {"sample": "page"}):
        with pytest.raises(ValueError, match="must be one of"):
            demo_link(**wrong)  # type: ignore[arg-type]
