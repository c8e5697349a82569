"""JPEG artefacts removed (paper, section 3.1 and Fig. 3: the snail).

for snap in fit(remove_jpeg(load("blocky.jpg")), seconds=60): ...
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from ..images import pad_reflect
from ..nets import Hourglass, build
from ..task import Energy, Place, Task
from .common import (
    SETTINGS,
    SHAPES,
    Z_CHANNELS,
    Guided,
    check_picture,
    guide_channels,
    random_input,
    squared_error,
    tiles,
)

# the authors' network for the snail has skips at its coarse scales only; ours at all
PAPER_NET = Hourglass((8, 16, 32, 64, 128), skip=4, upsample="bilinear")


def remove_jpeg(x0: Tensor, *, preset: str = "fast", seed: int = 0) -> Task:
    """Removes the blocks and ripples of JPEG, blindly: E(x) = mean (x − x0)², stopped in time.

    Args:
        x0: picture that has been through JPEG, (1, C, H, W) in [0, 1].
        preset: "fast" shows the network a hazy x0 beside the random z; "paper" is near the authors'
            settings (2400 steps), z alone; "tiny" is for tests.
        seed: of the random z.

    Raises:
        ValueError: an unknown preset, a picture of another shape.
    """
    check_picture(x0, preset)
    x0 = x0.detach().float()
    shape = PAPER_NET if preset == "paper" else SHAPES[preset]
    padded, size = pad_reflect(x0, shape.multiple, least=2)
    channels = 3 if preset == "paper" else Z_CHANNELS[preset]
    z = random_input(padded, shape, channels, seed, uniform=preset == "paper")
    common: dict[str, Any] = {"z": z, "size": size, "x0": x0, "name": "jpeg", "preset": preset}
    if preset == "paper":
        settings = replace(SETTINGS["paper"], steps=2400)
        net = partial(build, shape, channels, x0.shape[1])
        return Task(squared_error(x0), net=net, settings=settings, reg=1 / 30, **common)

    def local(place: Place) -> Energy:
        return squared_error(x0[..., place[0], place[1]])

    return Guided(
        squared_error(x0),
        net=partial(build, shape, channels + guide_channels(shape, x0.shape[1]), x0.shape[1]),
        settings=replace(SETTINGS[preset], gain=0.15),
        reg=0.3,
        haze=20 / 255,
        padded=padded,
        places=tiles(padded, shape.multiple, seed),
        local=local,
        **common,
    )
