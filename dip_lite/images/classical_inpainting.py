"""Missing pixels filled by a classical method: iterated denoising.

    x = inpaint_classically(x0, mask)            # about four seconds at 512² in colour
    x = refine(x, x0, mask)                      # from a better guess, a third of that

Photographs have few large DCT coefficients in every block, and a wrong guess in a gap makes many
small ones. So in turn: drop the coefficients below a threshold, put the known pixels back, lower
the threshold. Each turn moves missing pixels twice as far as the denoiser asks (over-relaxation):
it sees only half of the change that it needs where half of a block is missing.

Source: Guleryuz, "Nonlinear approximation based image recovery using adaptive sparse
reconstructions and iterated denoising" (IEEE TIP 2006).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .classical import shrink_blocks
from .masks import fill

SIDE, STRIDE = 16, 4  # pixels, of the blocks
FIRST, LAST = 0.25, 0.012  # thresholds of an orthonormal DCT, on the [0, 1] scale
TURNS, REFINING_TURNS = 12, 4
REFINING = 0.03  # the first threshold of `refine`
OVER_RELAXATION = 2.0


def inpaint_classically(x0: Tensor, mask: Tensor) -> Tensor:
    """Fills what is missing so that few DCT coefficients are needed.

    Args:
        x0: picture, (1, C, H, W) in [0, 1]; what it holds at missing pixels is ignored.
        mask: (1, 1, H, W), 1 = known, 0 = missing.

    Returns:
        (1, C, H, W) in [0, 1], equal to x0 at known pixels.
    """
    return _iterate(fill(x0, mask), x0, mask, _thresholds(FIRST, TURNS))


def refine(x: Tensor, x0: Tensor, mask: Tensor) -> Tensor:
    """The last turns alone, from a guess x that is already good; shapes as above."""
    return _iterate(x, x0, mask, _thresholds(REFINING, REFINING_TURNS), relaxation=1.0)


def _iterate(
    x: Tensor, x0: Tensor, mask: Tensor, thresholds: Sequence[float],
    relaxation: float = OVER_RELAXATION,
) -> Tensor:  # fmt: skip
    known = mask.to(x) > 0
    for threshold in thresholds:

        def keep(y: Tensor, _: Tensor | None, threshold: float = threshold) -> Tensor:
            return (y.abs() > threshold).to(y.dtype)

        factor = 1.0 if threshold == thresholds[-1] else relaxation
        denoised = shrink_blocks(x, None, keep, SIDE, STRIDE)
        x = torch.where(known, x0, x + factor * (denoised - x))
    return x.clamp(0, 1)


def _thresholds(first: float, number: int) -> list[float]:
    """Falling from `first` to LAST by equal factors."""
    return [first * (LAST / first) ** (turn / (number - 1)) for turn in range(number)]
