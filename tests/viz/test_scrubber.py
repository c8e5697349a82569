"""The scrubber of notebooks and the page that it writes, as Python values."""

from __future__ import annotations

import io
import json
import math
import re
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dip_lite import psnr
from dip_lite.errors import sentence
from dip_lite.viz.scrubber import Scrubber
from dip_lite.viz.scrubber.page import Clip
from tests.viz.greys import COUNT, X_TRUE, grey, snapshots

SNAPS = snapshots()


def pictures(scrubber: Any) -> list[list[np.ndarray]]:
    """The average and the raw output of every frame, as the browser gets them."""
    stream, found = io.BytesIO(scrubber.pack), []
    for row in scrubber.run["frames"]:
        files = [stream.read(length) for length in row[5:]]
        found.append([np.asarray(Image.open(io.BytesIO(file))) for file in files if file])
    assert not stream.read()
    return found


def run_of(page: str) -> dict[str, Any]:
    """What a page gives to the script."""
    found = re.search(r"still\(document.body, (\{.*?\}), decode", page)
    assert found
    return dict(json.loads(found[1]))


def test_every_frame_is_that_of_its_snapshot() -> None:
    scrubber = Scrubber(SNAPS)
    for i, pair in enumerate(pictures(scrubber)):
        assert scrubber.run["frames"][i][:3] == [i * i, i / 10, 1 / (1 + i)]
        assert [x.shape for x in pair] == [(48, 64, 3)] * 2
        assert [abs(float(x.mean()) - 4 * i - 2 * raw) < 2 for raw, x in enumerate(pair)]


def test_the_curve_is_the_psnr_where_the_clean_picture_is_known() -> None:
    rows = Scrubber(SNAPS, X_TRUE).run["frames"]
    assert rows[0][3] == pytest.approx(psnr(grey(0), X_TRUE))
    assert rows[0][4] == pytest.approx(psnr(grey(2), X_TRUE))
    assert Scrubber(SNAPS).run["frames"][0][3:5] == [None, None]


def test_which_picture_is_shown_first() -> None:
    assert Scrubber(SNAPS).run["kind"] == "avg" and Scrubber(SNAPS, which="x").run["kind"] == "raw"
    best = Scrubber(SNAPS, which="best")
    assert {len(pair) for pair in pictures(best)} == {1}


def test_the_pictures_to_compare_with_come_along() -> None:
    run = Scrubber(SNAPS, X_TRUE, x0=grey(9)).run
    assert run["before"].startswith("data:image/webp") and run["truth"] != run["before"]
    assert Scrubber(SNAPS).run["before"] == Scrubber(SNAPS).run["truth"] == ""


def test_where_the_run_would_have_stopped() -> None:
    assert Scrubber(SNAPS).run["numbers"] == {"auto_step": None}
    ended = replace(SNAPS[-1], best_step=400, stop_reason="seconds: 20 used")
    assert Scrubber([*SNAPS[:-1], ended]).run["numbers"] == {"auto_step": None}
    stopped = replace(ended, stop_reason="steady: no lower variance than at step 400")
    assert Scrubber([*SNAPS[:-1], stopped]).run["numbers"] == {"auto_step": 400}


def test_a_notebook_keeps_a_page_beside_the_widget() -> None:
    bundle = Scrubber(SNAPS)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "srcdoc=" in bundle["text/html"] and bundle["text/plain"] == f"Scrubber of {COUNT}"
    assert len(bundle["text/html"].encode()) <= 400_000


def test_the_animation_for_sites_that_strip_scripts_is_of_the_same_run() -> None:
    import base64

    fragment = Scrubber(SNAPS, X_TRUE).to_html(fragment=True)
    data = fragment.rpartition("base64,")[2].partition('"')[0]
    movie = Image.open(io.BytesIO(base64.b64decode(data)))
    assert movie.format == "WEBP" and movie.n_frames >= 10  # type: ignore[attr-defined]
    movie.seek(movie.n_frames - 1)  # type: ignore[attr-defined]
    assert abs(np.asarray(movie.convert("L"))[20:80, 60:120].mean() - 4 * (COUNT - 1)) < 15


@pytest.mark.parametrize("fragment", [False, True])
def test_a_long_run_of_noise_fits_and_keeps_what_is_marked(fragment: bool) -> None:
    random = torch.Generator().manual_seed(0)
    clip = Clip(None, X_TRUE)
    for i in range(150):
        x = (X_TRUE + 0.3 * torch.randn(X_TRUE.shape, generator=random)).clamp(0, 1)
        clip.add(i, [i / 9, 0.1], X_TRUE if i == 77 else x, x)
    clip.auto_step = 33
    made = clip.to_html(160_000, fragment)
    assert len(made.encode()) <= 160_000
    found = made.replace("&quot;", '"')
    steps = [row[0] for row in run_of(found)["frames"]]
    assert {0, 33, 149} <= {*steps} and 10 <= len(steps) < 150 and steps == sorted(steps)
    assert 77 in steps  # the best
    with pytest.raises(ValueError, match="does not fit into 9000 bytes"):
        clip.to_html(9000)


def test_one_frame_is_enough() -> None:
    page = Scrubber(SNAPS[:1], X_TRUE).to_html()
    assert len(run_of(page)["frames"]) == 1


def test_nan_in_a_curve_is_a_gap() -> None:
    snaps = [*SNAPS[:3], replace(SNAPS[3], loss=math.nan), replace(SNAPS[4], loss=math.inf)]
    run = run_of(Scrubber(snaps).to_html())  # strict JSON has no NaN
    assert [row[2] for row in run["frames"]][3:] == [None, None]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an empty run": ({"snaps": []}, "at least one snapshot, got none"),
    "another which": ({"snaps": SNAPS, "which": "best_of_all"}, "got 'best_of_all'"),
    "frames of several sizes": (
        {"snaps": [SNAPS[0], replace(SNAPS[1], x_avg=torch.zeros(1, 3, 20, 30))]},
        "The frame of step 1 is 30×20 pixels (W×H), but the first frame is 64×48",
    ),
    "NaN in a picture": (
        {"snaps": [replace(SNAPS[0], x_avg=torch.full((1, 3, 48, 64), math.nan))]},
        "NaN",
    ),
    "a clean picture of another size": (
        {"snaps": SNAPS, "x_true": torch.zeros(1, 3, 20, 30)},
        "shapes differ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_is_one_sentence(what: str) -> None:
    arguments, said = WRONG[what]
    with pytest.raises(ValueError) as caught:
        Scrubber(**arguments)
    assert said in sentence(caught.value) and len(sentence(caught.value).splitlines()) == 1


def test_without_anywidget_a_sentence_says_how_to_get_it(monkeypatch: Any) -> None:
    import dip_lite.viz.scrubber as package

    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "dip_lite.viz.scrubber.widget", raising=False)
    with pytest.raises(
        ImportError, match=r'needs anywidget.*: run `pip install "dip_lite\[course\]"`'
    ):
        _ = package.Scrubber
    with pytest.raises(AttributeError, match="no attribute 'Slider'"):
        _ = package.Slider  # type: ignore[attr-defined]
