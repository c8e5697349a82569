"""Super-resolution: a picture enlarged (paper, section 3.2, eq. 5).

for snap in fit(super_resolve(x0, factor=4), seconds=60): ...
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..images import pad_reflect
from ..nets import Hourglass, build
from ..resample import Downsample, upsample
from ..task import Energy, Place, Task
from .common import (
    SETTINGS,
    SHAPES,
    Z_CHANNELS,
    Guided,
    check_picture,
    random_input,
    tiles,
    total_variation,
)

FACTORS = (2, 3, 4, 8)
SMOOTH = 5e-4  # weight of the TV norm in `fast`, for what d does not see
NET = Hourglass((32, 64, 64, 64, 64), skip=4, upsample="bilinear", padding="zeros", finish=32)


def downsampled_error(
    x0: Tensor, size: tuple[int, int], factor: int, kernel: str, smooth: float = 0.0
) -> Energy:
    """E(x) = mean (d(x) − x0)² + smooth·TV(x), d the downsampling (paper, eq. 5, with smooth 0)."""
    down = Downsample(size, factor, kernel)

    def energy(x: Tensor) -> Tensor:
        nonlocal x0
        x0 = x0.to(x.device)  # moved once, not at every step
        error = F.mse_loss(down(x), x0)
        return error + smooth * total_variation(x) if smooth else error

    return energy


@dataclass
class Enlarged(Guided):
    """Super-resolution whose result, made small again, is nearly x0.

    The network comes near to that; `finish` comes nearer by four rounds of back-projection,
    x ← x + u(x0 − d(x)), u a bicubic enlarging.

    Source: Irani and Peleg, "Improving resolution by image registration" (CVGIP 1991).
    """

    factor: int = 4
    kernel: str = "lanczos"

    def finish(self, x: Tensor) -> Tensor:
        if self.x0 is None:
            return x
        down = Downsample(self.size, self.factor, self.kernel)
        for _ in range(4):
            left = self.x0.to(x.device) - down(x)
            x = x + F.interpolate(left, scale_factor=self.factor, mode="bicubic")
        return x


def super_resolve(
    x0: Tensor,
    factor: int = 4,
    *,
    kernel: str = "lanczos",
    preset: str = "fast",
    seed: int = 0,
) -> Task:
    """Enlarges a picture `factor` times along each side (paper, section 3.2, Figs. 1 and 5).

    Args:
        x0: small picture, (1, C, h, w) in [0, 1]; the result is (1, C, h·factor, w·factor).
        factor: 2, 3, 4 or 8.
        kernel: how x0 was made small: "lanczos" (the paper's), "bicubic" or "box".
        preset: "fast" adds a little of the TV norm to the paper's energy, and shows the network
            means of its bicubic enlargement over about 1 and 2×2 pixels of x0 beside the random z,
            see `Enlarged`; "paper" is the authors' network and settings, z alone; "tiny" is for
            tests.
        seed: of the random z.

    Raises:
        ValueError: a factor, kernel or preset that is not to be had, a picture of another shape, or
            one whose enlargement is over 4096 pixels a side.
    """
    check_picture(x0, preset)
    if factor not in FACTORS:
        raise ValueError(f"factor must be one of {', '.join(map(str, FACTORS))}, got {factor!r}")
    height, width = x0.shape[2] * factor, x0.shape[3] * factor
    if max(height, width) > 4096:
        raise ValueError(
            f"a picture of {x0.shape[3]}×{x0.shape[2]} (W×H) enlarged {factor} times is "
            f"{width}×{height}, over 4096 pixels a side: crop it or take a smaller factor"
        )
    x0 = x0.detach().float()
    guess = upsample(x0, factor)
    shape = NET if preset == "fast" else SHAPES[preset]
    padded, size = pad_reflect(guess, shape.multiple, least=2)
    if places := tiles(padded, shape.multiple, seed):  # whose sides are whole pixels of x0
        multiple = math.lcm(shape.multiple, factor)
        padded, size = pad_reflect(guess, multiple, least=2)
        places = tiles(padded, multiple, seed)
    z = random_input(padded, shape, Z_CHANNELS[preset], seed, uniform=preset == "paper")
    common: dict[str, Any] = {
        "z": z,
        "size": size,
        "x0": x0,
        "guess": guess,
        "name": "super-resolve",
        "preset": preset,
        "settings": SETTINGS[preset],
    }
    colours = x0.shape[1]
    if preset == "paper":
        steps, reg = (4000, 0.05) if factor == 8 else (2000, 0.03)  # authors' code
        common |= {"settings": replace(SETTINGS["paper"], steps=steps), "reg": reg}
        energy = downsampled_error(x0, size, factor, kernel)
        return Task(energy, net=partial(build, shape, z.shape[1], colours), **common)

    def local(place: Place) -> Energy:
        rows, columns = (slice(s.start // factor, s.stop // factor) for s in place)
        sides = tuple(s.stop - s.start for s in place)
        part = x0[..., rows, columns]
        return downsampled_error(part, (sides[0], sides[1]), factor, kernel, SMOOTH)

    return Enlarged(
        downsampled_error(x0, size, factor, kernel, SMOOTH),
        net=partial(build, shape, z.shape[1] + 2 * colours, colours),
        reg=0.3,
        padded=padded,
        places=places,
        local=local,
        finest=max(shape.stride, 4 if factor == 3 else factor),
        factor=factor,
        kernel=kernel,
        **common,
    )
