"""Flash and no-flash: the structure of one picture, the light of another (paper, Fig. 9).

for snap in fit(flash_no_flash(load("dark.jpg"), load("flash.jpg")), seconds=60): ...
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from ..images import check_same_size, match_channels, pad_reflect
from ..nets import build
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


def flash_no_flash(x0: Tensor, flash: Tensor, *, preset: str = "fast", seed: int = 0) -> Task:
    """Denoises a picture taken in dim light with the help of one taken with flash.

    E(x) = mean (x − x0)², and the input is the flash picture: the network finds the edges there and
    learns the light from x0.

    Args:
        x0: no-flash picture, (1, C, H, W) in [0, 1]: the right light, noisy.
        flash: flash picture of the same scene and size: sharp, the wrong light.
        preset: "fast" has a random z beside the flash picture; "paper" has the flash picture alone
            (600 steps); "tiny" is for tests.
        seed: of the random z.

    Raises:
        PictureError: the two are not of one size.
        ValueError: an unknown preset, a picture of another shape.
    """
    check_picture(x0, preset)
    check_picture(flash, preset, "flash")
    check_same_size(x0, flash, "flash picture")
    x0, flash = x0.detach().float(), match_channels(flash.detach().float(), x0)
    shape = SHAPES[preset]
    padded, size = pad_reflect(flash, shape.multiple, least=2)
    colours = x0.shape[1]
    common: dict[str, Any] = {"size": size, "x0": x0, "name": "flash", "preset": preset}
    if preset == "paper":
        settings = replace(SETTINGS["paper"], steps=600, lr=0.1)  # authors' code
        net = partial(build, shape, colours, colours)
        return Task(squared_error(x0), net=net, z=padded, settings=settings, **common)

    def local(place: Place) -> Energy:
        return squared_error(x0[..., place[0], place[1]])

    z = random_input(padded, shape, Z_CHANNELS[preset], seed)
    return Guided(
        squared_error(x0),
        net=partial(build, shape, z.shape[1] + guide_channels(shape, colours), colours),
        z=z,
        settings=SETTINGS[preset],
        reg=0.3,
        padded=padded,
        places=tiles(padded, shape.multiple, seed),
        local=local,
        **common,
    )
