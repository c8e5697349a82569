"""JPEG artefacts removed (paper, section 3.1 and Fig. 3: the snail).

for snap in fit(remove_jpeg(load("blocky.jpg")), seconds=60): ...
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from torch import Tensor

from ..images import pad_reflect
from ..nets import Hourglass, build
from ..task import Task
from .common import SETTINGS, check_picture, guided, random_input, squared_error

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
    if preset != "paper":
        settings = replace(SETTINGS[preset], gain=0.15)
        return guided(x0, x0, preset, seed, name="jpeg", settings=settings, haze=20 / 255)
    padded, size = pad_reflect(x0, PAPER_NET.multiple, least=2)
    z = random_input(padded, PAPER_NET, 3, seed, uniform=True)
    return Task(
        squared_error(x0),
        net=partial(build, PAPER_NET, z.shape[1], x0.shape[1]),
        z=z,
        size=size,
        settings=replace(SETTINGS["paper"], steps=2400),
        reg=1 / 30,
        x0=x0,
        name="jpeg",
        preset=preset,
    )
