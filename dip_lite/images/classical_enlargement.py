"""A small picture enlarged by a classical method: denoising and back-projection in turn.

    x = enlarge_classically(x0, 4)           # to 512² in colour 5 seconds, to 1224² 25
    x = refine_enlargement(x, x0, 4)         # from a better guess, a third of that

What an enlargement lacks and what it has too much of (blur, jagged edges) is treated as noise:
non-local means take it away, since parts of a photograph look alike; back-projection puts back what
x0 says. The noise level falls from turn to turn. (Times are of two cores with AVX2.)

Sources: Irani and Peleg, "Improving resolution by image registration" (CVGIP 1991), for the
back-projection; Danielyan, Foi, Katkovnik and Egiazarian, "Image upsampling via spatially adaptive
block-matching filtering" (EUSIPCO 2008), for denoising in between, there with BM3D.
"""

import torch.nn.functional as F
from torch import Tensor

from .classical import nlm
from .resample import Downsample, upsample

FIRST, LAST = 0.12, 0.01  # noise levels, on the [0, 1] scale
TURNS, REFINING_TURNS = 12, 4
REFINING = 0.04  # the first level of `refine_enlargement`
ROUNDS = 2  # of back-projection after each turn


def enlarge_classically(x0: Tensor, factor: int, kernel: str = "lanczos") -> Tensor:
    """The enlargement that looks like itself, and like x0 when it is made small again.

    Args:
        x0: small picture, (1, C, h, w) in [0, 1].
        factor: how many times larger.
        kernel: how x0 was downsampled, see `resample.Downsample`.

    Returns:
        (1, C, h·factor, w·factor) in [0, 1].
    """
    return _iterate(upsample(x0, factor), x0, factor, kernel, FIRST, TURNS)


def refine_enlargement(x: Tensor, x0: Tensor, factor: int, kernel: str = "lanczos") -> Tensor:
    """The last turns alone, from a guess x that is already good; shapes as above."""
    return _iterate(x, x0, factor, kernel, REFINING, REFINING_TURNS)


def back_project(x: Tensor, x0: Tensor, down: Downsample, rounds: int) -> Tensor:
    """Brings d(x) nearer to x0: x ← x + u(x0 − d(x)), u a bicubic enlarging.

    Args:
        x: (1, C, H, W).
        x0: small picture, (1, C, h, w).
        down: d.
        rounds: how many times.
    """
    for _ in range(rounds):
        error = x0 - down(x)
        x = x + F.interpolate(error, size=x.shape[2:], mode="bicubic")
    return x


def _iterate(x: Tensor, x0: Tensor, factor: int, kernel: str, first: float, turns: int) -> Tensor:
    down = Downsample((x.shape[2], x.shape[3]), factor, kernel)
    x = back_project(x, x0, down, ROUNDS)
    for turn in range(turns):
        sigma = first * (LAST / first) ** (turn / (turns - 1))
        x = back_project(nlm(x, sigma), x0, down, ROUNDS)
    return x.clamp(0, 1)
