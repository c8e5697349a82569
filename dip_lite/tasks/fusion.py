"""Two pictures in one, where their errors differ: what a network made, and a classical method."""

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW = 17  # pixels, of the square in which the two are compared


def blend(x: Tensor, guide: Tensor, share: float, tolerance: float) -> Tensor:
    """A mean of a network's picture and a classical one, with weights by place.

    Where the two disagree, the network has not learnt that place yet or has learnt its damage. With
    d the mean of (x − guide)² over 17×17 pixels, the network's weight is

        w = share · exp(−d / tolerance)

    Args:
        x: the network's picture, (1, C, H, W).
        guide: the classical one, same shape.
        share: the largest weight, from 0 to 1.
        tolerance: the squared distance, on the [0, 1] scale, at which w is share / e.
    """
    x = x.clamp(0, 1)
    squares = (x - guide).square().mean(1, keepdim=True)
    distance = F.avg_pool2d(squares, WINDOW, 1, WINDOW // 2, count_include_pad=False)
    weight = share * torch.exp(-distance / tolerance)
    return weight * x + (1 - weight) * guide
