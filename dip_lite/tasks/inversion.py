"""A picture from its features: what a layer of AlexNet keeps, seen through a prior.

    for snap in fit(invert(x0, "conv3"), steps=300): ...

    E(x) = ‖Φ(x) − Φ(x0)‖² / ‖Φ(x0)‖²,    Φ a layer of a frozen AlexNet

With `prior` = "deep" the picture x = f_θ(z) is a network's output, as in the paper's section on
natural pre-images; with "tv" it is free pixels, and their TV norm is added to the energy, as
Mahendran and Vedaldi do (CVPR 2015); with "none" it is free pixels alone.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ..images import pad_reflect
from ..inversion import Probe, feature_error
from ..nets import Hourglass, build
from ..task import Settings, Task
from .common import SHAPES, Z_CHANNELS, check_picture, random_input
from .variation import tv

PRIORS = ("deep", "tv", "none")
WEIGHT = 1.0  # of the TV norm; of 0.3, 1 and 3 the best from conv3 on

# the authors' code has kernels of 7, 7, 5, 5, 3 and 3 pixels on the way down and up, and halves by
# average pooling; here the kernels have 5 on the way down and 3 up, and a stride halves
PAPER = Hourglass(
    (16, 32, 64, 128, 128, 128), skip=4, upsample="nearest", padding="zeros", kernel=5
)
SETTINGS = {
    "fast": Settings(lr=0.02, average=0.9, steps=300, warmup=300),
    "paper": Settings(optimiser="adam", lr=0.001, average=0.0, steps=3100, warmup=3100),
    "tiny": Settings(lr=0.02, average=0.9, steps=60, warmup=60),
}
PIXELS = Settings(optimiser="adam", lr=0.05, average=0.0, steps=300, warmup=300)


def invert(
    x0: Tensor,
    layer: str = "conv3",
    *,
    prior: str = "deep",
    probe: Probe | None = None,
    weights: str | os.PathLike[str] = "random",
    preset: str = "fast",
    weight: float = WEIGHT,
    seed: int = 0,
) -> Task:
    """A picture with the features of x0 (paper, section on natural pre-images).

    Args:
        x0: picture, (1, C, H, W) in [0, 1]; only its features enter the energy.
        layer: whose features, see `inversion.LAYERS`.
        prior: "deep" (a network), "tv" (pixels under the TV norm) or "none" (pixels).
        probe: the AlexNet; None makes one of `weights`, which takes a second.
        weights: "random", "imagenet" or a path, see `Probe`.
        preset: "fast", "paper" (the authors' settings, but for kernels and pooling) or "tiny", for
            tests; of the deep prior.
        weight: of the TV norm.
        seed: of z, or of the pixels at the start: grey with a little noise.

    Raises:
        ValueError: an unknown layer, prior or preset, or a picture of another shape.
        WeightsError: weights that are not to be had.
    """
    check_picture(x0, preset)
    if prior not in PRIORS:
        raise ValueError(f"prior must be one of {', '.join(PRIORS)}, got {prior!r}")
    x0 = x0.detach().float()
    energy = feature_error(probe or Probe(weights), layer, x0)
    if prior != "deep":
        noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed))
        start = 0.5 + 0.01 * noise
        task = tv(x0, weight if prior == "tv" else 0.0, data=energy, start=start)
        return replace(task, name="invert", settings=PIXELS, x0=None)  # its pixels are not told
    shape = PAPER if preset == "paper" else SHAPES[preset]
    padded, size = pad_reflect(x0, shape.multiple, least=2)
    z = random_input(padded, shape, Z_CHANNELS[preset], seed, uniform=preset == "paper")
    return Task(
        energy,
        net=partial(build, shape, z.shape[1], x0.shape[1]),
        z=z,
        size=size,
        settings=SETTINGS[preset],
        name="invert",
        preset=preset,
    )
