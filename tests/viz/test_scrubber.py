"""The notebook scrubber: the frame shown is the frame asked for."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from dip_lite import every, prior, psnr, sample, watch
from dip_lite.images.io import to_uint8
from dip_lite.viz.scrubber import Scrubber

X = sample("coffee")[..., 100:148, 100:148]
SNAPS = watch(prior(X), steps=12, schedule=every(2))


def pixels(scrubber):
    return np.asarray(Image.open(io.BytesIO(scrubber.image.value)))


def test_every_position_shows_its_own_snapshot():
    scrubber = Scrubber(SNAPS, side=48)
    for index, snap in enumerate(SNAPS):
        scrubber.slider.value = index
        assert np.array_equal(pixels(scrubber), to_uint8(snap.x_avg))
        assert f"step {snap.step}," in scrubber.caption.value
        assert f"cursor at snapshot {index}" in scrubber.graph.value


def test_the_raw_output_can_be_asked_for():
    scrubber = Scrubber(SNAPS, which="x", side=48)
    scrubber.slider.value = 3
    assert np.array_equal(pixels(scrubber), to_uint8(SNAPS[3].x))


def test_the_cursor_moves_along_the_curve():
    scrubber = Scrubber(SNAPS, X)
    at = []
    for index in range(len(SNAPS)):
        scrubber.slider.value = index
        at.append(float(re.search(r'class="cursor" x1="([\d.]+)"', scrubber.graph.value)[1]))
    assert at == sorted(at)
    assert len({*at}) == len(SNAPS)
    shown = f"{psnr(SNAPS[-1].x_avg.clamp(0, 1), X):.2f} dB"
    assert shown in scrubber.caption.value


def test_the_play_button_covers_the_run_and_is_linked_in_the_browser():
    scrubber = Scrubber(SNAPS)
    for control in (scrubber.play, scrubber.slider):
        assert (control.min, control.max) == (0, len(SNAPS) - 1)


def test_a_page_without_a_kernel_has_a_sentence():
    bundle = Scrubber(SNAPS)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "Run this notebook" in bundle["text/html"]
    assert bundle["text/plain"] == f"Scrubber of {len(SNAPS)}"


@pytest.mark.parametrize("wrong", [{"snaps": []}, {"snaps": SNAPS, "which": "best_of_all"}])
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="got"):
        Scrubber(**wrong)
