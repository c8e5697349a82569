"""The prior by itself: any network, a random input, and the distance to the known pixels.

    for snap in fit(prior(x0, net="depth-4", mask=mask), steps=500): ...

    E(x) = mean m·(x − x0)²,    x = f_θ(z)                       (paper, eqs. 4 and 6)

Nothing is added to it: no picture beside z, no noise on it unless asked for, one energy. It is what
the course takes apart, by changing one thing at a time; what restores best is in the other tasks.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..images import pad_reflect
from ..masks import check_mask
from ..nets import Shape, build
from ..rivals import NETS
from ..task import Energy, Settings, Task
from .common import check_picture, random_input, squared_error
from .inpainting import Masked, grid, masked_error
from .variation import Pixels

INPUTS = ("normal", "uniform", "grid")


def prior(
    x0: Tensor,
    *,
    net: str | Shape = "light",
    mask: Tensor | None = None,
    z: str = "normal",
    channels: int = 8,
    reg: float = 0.0,
    optimiser: str = "muon",
    lr: float | None = None,
    steps: int = 1000,
    seed: int = 0,
) -> Task:
    """The plain deep image prior with any network.

    Args:
        x0: picture, (1, C, H, W) in [0, 1].
        net: a name in `rivals.NETS`, "pixels" (no network: the picture's own values are the
            weights), or a description such as `Hourglass(…)`.
        mask: (1, 1, H, W), 1 = known, 0 = missing; None: all is known. The output is returned as it
            is, known pixels too.
        z: the input, at which "pixels" does not look: "normal" of unit variance, "uniform" as the
            authors' U(0, 1)·0.1, or "grid", coordinates (two channels; for the perceptron).
        channels: of a random z.
        reg: standard deviation of the noise added to z at every step.
        optimiser: "muon", or "adam", the paper's.
        lr: of it; 0.02 for Muon and 0.01 for Adam when None.
        steps: how long to fit unless `fit` is told.
        seed: of the random z.

    Raises:
        ValueError: an unknown net or z, a picture or mask of another shape.
    """
    x0, energy = _known(x0, mask)
    if z not in INPUTS:
        raise ValueError(f"z must be one of {', '.join(INPUTS)}, got {z!r}")
    if channels < 1 or not reg >= 0:
        raise ValueError(f"channels must be ≥ 1 and reg ≥ 0, got {channels} and {reg}")
    lr = lr if lr is not None else 0.02 if optimiser == "muon" else 0.01
    common: dict[str, Any] = {
        "settings": Settings(optimiser=optimiser, lr=lr, steps=steps),
        "x0": x0,
        "reg": float(reg),
        "name": "prior",
        "preset": "own",
    }
    if net == "pixels":
        rng = torch.Generator().manual_seed(seed)
        start = 0.5 + 0.1 * torch.randn(x0.shape, generator=rng)
        padded = x0
        size = (x0.shape[2], x0.shape[3])
        task = Task(energy, partial(Pixels, start), torch.zeros(1, 1, 1, 1), size, **common)
    else:
        shape = _shape(net)
        padded, size = pad_reflect(x0, shape.multiple, shape.least)
        if z == "grid":
            fixed = 2 * grid(padded[..., :: shape.stride, :: shape.stride]) - 1
        else:
            fixed = random_input(padded, shape, channels, seed, uniform=z == "uniform")
        build_it = partial(build, shape, fixed.shape[1], x0.shape[1])
        task = Task(energy, build_it, fixed, size, **common)
    if mask is None:
        return task
    more = {"known": mask, "keep": False, "padded": padded}
    return Masked(**{**vars(task), **more})


def _known(x0: Tensor, mask: Tensor | None) -> tuple[Tensor, Energy]:
    """The picture without what is missing, and the distance to it."""
    if mask is None:
        check_picture(x0, "fast")
        x0 = x0.detach().float()
        return x0, squared_error(x0)
    check_mask(mask, x0)
    x0 = torch.where(mask > 0, x0.detach().float(), 0.0)
    check_picture(x0, "fast")
    return x0, masked_error(x0, mask)


def _shape(net: str | Shape) -> Shape:
    if isinstance(net, str) and net in NETS:
        return NETS[net]
    if isinstance(net, str) or not hasattr(net, "module"):
        raise ValueError(f"net must be pixels or one of {', '.join(NETS)}, got {net!r}")
    return net
