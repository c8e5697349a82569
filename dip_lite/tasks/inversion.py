"""A picture from its features: what a layer of AlexNet keeps, seen through a prior.

    for snap in fit(invert(x0, "conv3"), steps=300): ...

    E(x) = ‖Φ(x) − Φ(x0)‖² / ‖Φ(x0)‖²,    Φ a layer of a frozen AlexNet

With `prior` = "deep" the picture x = f_θ(z) is a network's output, as in the paper's section on
natural pre-images; with "tv" it is free pixels, and their total variation is added to the energy,
as in Mahendran and Vedaldi (CVPR 2015); with "none" it is free pixels alone.
"""

import os
from dataclasses import replace

import torch
from torch import Tensor

from ..engine.settings import Settings
from ..engine.task import Task
from ..nets.alexnet import Probe, feature_error
from ..nets.hourglass import Hourglass
from .inputs import check_picture, prepare
from .presets import choose, variants
from .tv_prior import tv

PRIORS = ("deep", "tv", "none")
WEIGHT = 1.0  # of the total variation; of 0.3, 1 and 3 the best from conv3 on

PRESETS = variants(
    fast={
        "settings": Settings(lr=0.02, ema_decay=0.9, steps=300, warmup=300),
        "reg_noise_std": 0.0,
    },
    tiny={"settings": Settings(lr=0.02, ema_decay=0.9, steps=60, warmup=60), "reg_noise_std": 0.0},
    # the authors' kernels have 7, 7, 5, 5, 3 and 3 pixels on the way down and up, and average
    # pooling halves; here they have 5 on the way down and 3 up, and a stride halves
    paper={
        "architecture": Hourglass(
            (16, 32, 64, 128, 128, 128), skip=4, upsample="nearest", padding="zeros", kernel=5
        ),
        "settings": Settings(optimiser="adam", lr=0.001, ema_decay=0.0, steps=3100, warmup=3100),
        "reg_noise_std": 0.0,
    },
)
PIXEL_SETTINGS = Settings(optimiser="adam", lr=0.05, ema_decay=0.0, steps=300, warmup=300)


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
        layer: whose features, see `nets.alexnet.LAYERS`.
        prior: "deep" (a network), "tv" (pixels under total variation) or "none" (pixels).
        probe: the AlexNet; None makes one of `weights`, which takes a second.
        weights: "random", "imagenet" or a path, see `Probe`.
        preset: of the deep prior: "fast", "paper" (the authors' settings, but for kernels and
            pooling) or "tiny", for tests.
        weight: of the total variation.
        seed: of z, or of the pixels at the start: grey with a little noise.

    Raises:
        ValueError: an unknown layer, prior or preset, or a picture of another shape.
        WeightsError: weights that are not available.
    """
    x0, chosen = check_picture(x0), choose(PRESETS, preset)
    if prior not in PRIORS:
        raise ValueError(f"prior must be one of {', '.join(PRIORS)}, got {prior!r}")
    energy = feature_error(probe or Probe(weights), layer, x0)
    if prior == "deep":
        return prepare(x0, chosen, seed).task(energy, "invert", x0=None)
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed))
    task = tv(x0, weight if prior == "tv" else 0.0, data=energy, start=0.5 + 0.01 * noise)
    return replace(task, name="invert", settings=PIXEL_SETTINGS, x0=None)
