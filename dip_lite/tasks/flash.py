"""Flash and no-flash: the structure of one picture, the light of another (paper, section 3.5).

for snap in fit(flash_no_flash(load("dark.jpg"), load("flash.jpg")), seconds=60): ...
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from torch import Tensor

from ..images import check_same_size, match_channels, pad_reflect
from ..nets import build
from ..task import Task
from .common import PAPER, SETTINGS, check_picture, guided, squared_error


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
    if preset != "paper":
        settings = replace(SETTINGS[preset], gain=0.1)
        task = guided(x0, flash, preset, seed, name="flash", settings=settings)
        task.reg = 1.0  # edges come from the flash picture; a z that changes cannot carry noise
        return task
    padded, size = pad_reflect(flash, PAPER.multiple, least=2)
    return Task(
        squared_error(x0),
        net=partial(build, PAPER, padded.shape[1], x0.shape[1]),
        z=padded,
        size=size,
        settings=replace(SETTINGS["paper"], steps=600, lr=0.1),  # authors' code
        x0=x0,
        name="flash",
        preset=preset,
    )
