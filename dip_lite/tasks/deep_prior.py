"""The prior by itself: any network, a random input, and the distance to the known pixels.

    for snap in fit(prior(x0, net="depth-4", mask=mask), steps=500): ...

    E(x) = mean m·(x − x0)²,    x = f_θ(z)                       (paper, eqs. 4 and 6)

Nothing is added to it: no picture beside z, no noise on it unless asked for, one energy. It is what
the course takes apart, by changing one thing at a time; what restores best is in the other tasks.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..engine.settings import Settings
from ..engine.task import Task
from ..nets.baselines import NETS
from ..nets.hourglass import Architecture
from .energies import masked_error, squared_error
from .inpainting import Masked, known_pixels
from .inputs import check_picture, prepare
from .presets import Preset
from .tv_prior import Pixels

INPUTS = ("normal", "uniform", "grid")
LR = {"muon": 0.02, "adam": 0.01, "sgd": 10.0}


def prior(
    x0: Tensor,
    *,
    net: str | Architecture = "light",
    mask: Tensor | None = None,
    z: str = "normal",
    channels: int = 8,
    reg_noise_std: float = 0.0,
    optimiser: str = "muon",
    lr: float | None = None,
    steps: int = 1000,
    target: float | None = None,
    seed: int = 0,
) -> Task:
    """The plain deep image prior with any network.

    Args:
        x0: picture, (1, C, H, W) in [0, 1].
        net: a name in `nets.baselines.NETS`, "pixels" (no network: the picture's own values are
            the weights), or a description such as `Hourglass(…)`.
        mask: (1, 1, H, W), 1 = known, 0 = missing; None: all is known. The output is returned as it
            is, known pixels too.
        z: the input, which "pixels" ignores: "normal" of unit variance, "uniform" as the authors'
            U(0, 1)·0.1, or "grid", coordinates (two channels; for the perceptron).
        channels: of a random z.
        reg_noise_std: standard deviation of the noise added to z at every step.
        optimiser: "muon", "adam", the paper's, or "sgd", gradient descent without momentum.
        lr: its learning rate; 0.02 for Muon, 0.01 for Adam and 10 for gradient descent when None.
        steps: how long to fit unless `fit` says otherwise.
        target: PSNR in dB of the known pixels at which the run ends, so that networks are compared
            when they fit equally well; outputs are then not averaged, and `best` is the one that
            reached it.
        seed: of the random z.

    Raises:
        ValueError: an unknown net or z, a picture or mask of another shape.
    """
    x0 = check_picture(x0) if mask is None else known_pixels(x0, mask)
    if z not in INPUTS:
        raise ValueError(f"z must be one of {', '.join(INPUTS)}, got {z!r}")
    if channels < 1 or not reg_noise_std >= 0:
        raise ValueError(
            f"channels must be ≥ 1 and reg_noise_std ≥ 0, got {channels} and {reg_noise_std}"
        )
    lr = LR.get(optimiser) if lr is None else lr
    ending: dict[str, Any] = {}
    if target is not None:
        ending = {"target_loss": 10 ** (-target / 10), "ema_decay": 0.0}
    settings = Settings(optimiser=optimiser, lr=lr or 0.0, steps=steps, **ending)
    architecture = _architecture("light" if net == "pixels" else net)
    preset = Preset(
        "own", architecture, settings, z, channels, float(reg_noise_std), guided=False, tiled=False
    )
    prepared = prepare(x0, preset, seed)
    fields = _pixels(x0, seed) if net == "pixels" else {}
    if mask is None:
        return prepared.task(squared_error(x0), "prior", **fields)
    fields |= {"known": mask, "keep_known": False}
    return prepared.task(masked_error(x0, mask), "prior", Masked, **fields)


def _pixels(x0: Tensor, seed: int) -> dict[str, Any]:
    """The fields of a task without a network."""
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed))
    return {"net": partial(Pixels, 0.5 + 0.1 * noise), "z": torch.zeros(1, 1, 1, 1)}


def _architecture(net: str | Architecture) -> Architecture:
    if isinstance(net, str) and net in NETS:
        return NETS[net]
    if isinstance(net, str) or not hasattr(net, "module"):
        raise ValueError(f"net must be pixels or one of {', '.join(NETS)}, got {net!r}")
    return net
