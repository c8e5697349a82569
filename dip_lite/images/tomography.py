"""Computed tomography in two dimensions: a slice, its projections, and the classical way back.

    radon = Radon(128, torch.arange(0, 180, 6))         # 30 angles
    sinogram = radon(x_true)                            # (1, 1, 30, 128), differentiable
    fbp = filtered_back_projection(sinogram, radon.angles)

A projection is the picture rotated and summed along its columns, as in scikit-image's `radon`, of
which this is the differentiable version; `energy = mse(radon(x), sinogram)` is all that a prior
needs to know of a scanner.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class Radon:
    """The parallel-beam projection of a square slice onto a line, for several angles.

    Args:
        side: N, pixels of the slice.
        angles: in degrees, (A,).

    Raises:
        ValueError: no angles, or a slice of fewer than two pixels.

    >>> radon = Radon(32, torch.tensor([0.0, 90.0]))
    >>> radon(torch.full((1, 1, 32, 32), 0.25))[0, 0, 0, :2]
    tensor([0.2500, 0.2500])
    """

    def __init__(self, side: int, angles: Tensor) -> None:
        self.angles = torch.as_tensor(angles, dtype=torch.float32).flatten()
        if side < 2 or not len(self.angles):
            raise ValueError(
                f"a slice must have at least 2 pixels a side and 1 angle, got {side} pixels and "
                f"{len(self.angles)} angles"
            )
        self.side = side
        centre = (2 * (side // 2) + 1) / side - 1  # of pixel N // 2, scikit-image's axis
        turn = self.angles * math.pi / 180
        cos, sin = turn.cos(), turn.sin()
        shift = centre - centre * torch.stack([cos + sin, cos - sin], dim=1)  # the axis stays
        rotation = torch.stack([cos, sin, -sin, cos], dim=1).view(-1, 2, 2)
        theta = torch.cat([rotation, shift[:, :, None]], dim=2)  # (A, 2, 3)
        self.grid = F.affine_grid(theta, [len(turn), 1, side, side], align_corners=False)

    def __call__(self, x: Tensor) -> Tensor:
        """The mean of the picture along each ray, (1, 1, N, N) → (1, 1, A, N).

        Raises:
            ValueError: another shape.
        """
        if x.shape != (1, 1, self.side, self.side):
            raise ValueError(
                f"a slice must be (1, 1, {self.side}, {self.side}), got {tuple(x.shape)}"
            )
        self.grid = self.grid.to(x.device)
        turned = x.expand(len(self.grid), -1, -1, -1)
        turned = F.grid_sample(turned, self.grid.to(x.dtype), align_corners=False)  # (A, 1, N, N)
        return turned.mean(2).transpose(0, 1)[None]


def filtered_back_projection(sinogram: Tensor, angles: Tensor, window: str = "ramp") -> Tensor:
    """The classical inverse of `Radon`, by scikit-image.

    Args:
        sinogram: (1, 1, A, N), means along rays.
        angles: in degrees, (A,).
        window: of the ramp filter: "ramp" for none, "shepp-logan", "cosine", "hamming" or "hann",
            each smoother than the last.

    Returns:
        (1, 1, N, N) in [0, 1].
    """
    from skimage.transform import iradon

    sums = sinogram[0, 0].T.double().cpu().numpy() * sinogram.shape[3]  # (N, A)
    degrees = np.asarray(angles.double().cpu())
    x = iradon(sums, degrees, filter_name=window, output_size=len(sums), circle=True)
    return torch.from_numpy(x).to(sinogram)[None, None].clamp(0, 1)
