"""Animations play every frame, evenly."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from dip_lite.viz.animation import encode_animation

X = torch.rand(1, 3, 40, 300, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", ["gif", "webp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_animations_play_every_frame_evenly_and_hold_the_last(kind: str, channels: int) -> None:
    pictures = [torch.full((1, channels, 64, 96), shade / 4) for shade in range(5)]
    labels = ["step 0", "step 1", "step 2", "step 3", "step 1000 · 28.3 dB"]
    data = encode_animation(iter(pictures), labels, kind, seconds=2.0)
    animation = Image.open(io.BytesIO(data))
    assert (
        animation.format == kind.upper() and animation.n_frames == 5 and animation.info["loop"] == 0
    )
    assert animation.size == (192, 128 + 24)  # twice as large, and the label
    shades, times = [], []
    for frame in ImageSequence.Iterator(animation):
        frame.load()
        shades.append(np.asarray(frame.convert("L"))[:128].mean())
        times.append(frame.info["duration"])
        assert np.asarray(frame.convert("L"))[128:].min() < 100  # a label in black
    assert np.allclose(shades, [0, 63.75, 127.5, 191.25, 255], atol=3)
    assert times == [400] * 4 + [1900]


def test_large_pictures_are_scaled_down_and_wrong_arguments_refused() -> None:
    animation = Image.open(
        io.BytesIO(encode_animation([torch.zeros(1, 1, 600, 1024)], ["a"], "gif"))
    )
    assert animation.size == (512, 300 + 24)
    with pytest.raises(ValueError, match="gif or webp, got 'mp4'"):
        encode_animation([X], ["a"], "mp4")
    with pytest.raises(ValueError, match="at least one picture"):
        encode_animation([], [], "gif")
