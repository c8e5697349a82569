"""Total variation: the classical handcrafted prior, with no network, for comparison.

for snap in fit(tv(x0, weight=0.1), seconds=20): ...
"""

import torch
from torch import Tensor, nn

from ..engine.settings import Settings
from ..engine.task import Energy, Task
from ..images.masks import check_mask, fill
from .energies import masked_error, squared_error, total_variation
from .inputs import check_picture

SETTINGS = Settings(optimiser="adam", lr=0.01, ema_decay=0.5, steps=500, warmup=500)


class Pixels(nn.Module):
    """A "network" whose weights are the picture itself; it ignores its input."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.x = nn.Parameter(start.clone())

    def forward(self, z: Tensor) -> Tensor:
        return self.x.clone()  # so that what is kept of an output does not move with the weights


def tv(
    x0: Tensor,
    weight: float = 0.1,
    *,
    mask: Tensor | None = None,
    data: Energy | None = None,
    start: Tensor | None = None,
) -> Task:
    """The pixels themselves under total variation: E(x) = data(x) + weight·|∇x|, by Adam.

    Args:
        x0: degraded picture, (1, C, H, W) in [0, 1].
        weight: of the total variation; larger is smoother.
        mask: (1, 1, H, W), 1 = known: for inpainting.
        data: another data term, instead of the mean squared distance to x0.
        start: where the pixels begin, the result's size; x0, or its filled version, when None.

    Raises:
        ValueError: a negative weight, a picture or mask of another shape.
    """
    x0 = check_picture(x0)
    if not weight >= 0:
        raise ValueError(f"weight must be ≥ 0, got {weight}")
    if mask is not None:
        check_mask(mask, x0)
        start = fill(x0, mask) if start is None else start
        data = data or masked_error(x0, mask)
    start = x0 if start is None else start
    fidelity = data or squared_error(x0)

    def energy(x: Tensor) -> Tensor:
        return fidelity(x) + weight * total_variation(x)

    return Task(
        energy,
        net=lambda: Pixels(start),
        z=torch.zeros(1, 1, 1, 1),
        size=(start.shape[2], start.shape[3]),
        settings=SETTINGS,
        x0=x0,
        guess=start,
        name="tv",
    )
