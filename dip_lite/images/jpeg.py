"""What a JPEG file says about the picture that was compressed.

    constraint = read_jpeg("photo.jpg")     # in `jpeg_file`
    constraint.squared_excess(x)            # how far x is from compressing to this file
    constraint.project(x)                   # the nearest picture that does

JPEG divides the DCT coefficients of every 8×8 block by the steps q of a table and rounds them. The
file holds the integers c, so every coefficient d of the original lies within half a step:

    |d − c·q| ≤ q/2

These are the quantization constraints. The energy of `squared_excess` is zero where all of them
hold. Colors are Y, Cb and Cr of ITU-R BT.601; Cb and Cr may have half the resolution.

Sources: ITU-T T.81 (1992); projection onto these sets: Zakhor (IEEE TCSVT 1992).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .classical import dct_basis

SIDE = 8  # pixels of a block
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
SUBSAMPLINGS = {(1, 1): "4:4:4", (1, 2): "4:2:2", (2, 2): "4:2:0"}
# how to undo the EXIF orientation: (swap rows and columns, then flip rows, flip columns)
ORIENTATIONS = {
    1: (False, False, False), 2: (False, False, True), 3: (False, True, True),
    4: (False, True, False), 5: (True, False, False), 6: (True, False, True),
    7: (True, True, True), 8: (True, True, False),
}  # fmt: skip


@dataclass(frozen=True)
class Plane:
    """The constraints of Y, Cb or Cr: |DCT − center| ≤ step/2 in every block."""

    center: Tensor  # c·q, (1, 64, h/8, w/8), in grey levels
    step: Tensor  # q, (1, 64, 1, 1)
    certain: float  # share of blocks whose integers give the decoded pixels

    def excess(self, coefficients: Tensor, fraction: float) -> Tensor:
        """How far coefficients are outside, signed; `fraction` of a step to each side is free."""
        center, free = self.center.to(coefficients), fraction * self.step.to(coefficients)
        distance = coefficients - center
        return distance - torch.maximum(torch.minimum(distance, free), -free)

    def crop(self, rows: slice, columns: slice) -> Plane:
        """Some of the blocks."""
        return replace(self, center=self.center[..., rows, columns])


@dataclass(frozen=True)
class JpegConstraint:
    """All pictures that compress to one JPEG file."""

    size: tuple[int, int]  # (H, W) of the upright picture
    planes: tuple[Plane, ...]  # Y, or Y, Cb and Cr
    chroma: tuple[int, int] = (1, 1)  # rows and columns of pixels per sample of Cb and Cr
    orientation: int = 1  # of EXIF: the file's blocks lie in a picture turned like this

    @property
    def subsampling(self) -> str:
        """How many of the colors are stored, by its usual name; "grey" if there are none."""
        return "grey" if len(self.planes) == 1 else SUBSAMPLINGS[self.chroma]

    @property
    def certain(self) -> float:
        """Share of blocks, in the worst plane, whose integers give the decoded pixels."""
        return min(plane.certain for plane in self.planes)

    @property
    def luma_step(self) -> float:
        """Mean step of the nine lowest frequencies of Y, in grey levels."""
        return float(self.planes[0].step.view(SIDE, SIDE)[:3, :3].mean())

    def squared_excess(self, x: Tensor, fraction: float = 0.5) -> Tensor:
        """Mean square of what violates the constraints, shape (), on the [0, 1] scale.

        Differentiable, and zero where x compresses to this file, up to the rounding of encoders: of
        the colors to grey levels, before the DCT, which leaves about 0.1 grey levels.

        Args:
            x: (1, C, H, W) in [0, 1].
            fraction: of a step by which a coefficient may differ from the file's.
        """
        total = x.new_zeros(())
        for plane, values, area in zip(self.planes, self._split(x), self._areas(), strict=True):
            total = total + area * plane.excess(dct(values), fraction).square().sum()
        return total / (255**2 * x.numel())

    def project(self, x: Tensor, fraction: float = 0.5) -> Tensor:
        """Moves every coefficient to within `fraction` of a step of the file's, by the least.

        The nearest such picture in Y, Cb and Cr. It is clamped to [0, 1] afterwards, and at a rim
        within a block what lies outside is not kept: there the constraints hold nearly only.
        """
        height, width = self._stored()
        change = []
        for index, (plane, values) in enumerate(zip(self.planes, self._split(x), strict=True)):
            excess = idct(plane.excess(dct(values), fraction))
            for axis, factor in zip((2, 3), self.chroma if index else (1, 1), strict=True):
                excess = excess.repeat_interleave(factor, axis)
            change.append(excess[..., :height, :width])
        corrected = to_ycc(self.turn_back(x)) - torch.cat(change, 1)
        return self.turn(from_ycc(corrected)).clamp(0, 1)

    def to(self, device: torch.device) -> JpegConstraint:
        """The same with its tensors on `device`."""
        planes = (
            replace(p, center=p.center.to(device), step=p.step.to(device)) for p in self.planes
        )
        return replace(self, planes=tuple(planes))

    def crop(self, rows: slice, columns: slice) -> JpegConstraint:
        """The constraints of a tile that starts and ends at multiples of 16 pixels, or at the rim.

        Raises:
            ValueError: the picture was turned, so that its blocks start elsewhere.
        """
        if self.orientation != 1:
            raise ValueError("the constraints of a turned picture cannot be cut into tiles")
        stops = min(rows.stop, self.size[0]), min(columns.stop, self.size[1])
        planes = []
        for index, plane in enumerate(self.planes):
            down, across = (SIDE * n for n in (self.chroma if index else (1, 1)))
            blocks = slice(rows.start // down, -(-stops[0] // down))
            planes.append(
                plane.crop(blocks, slice(columns.start // across, -(-stops[1] // across)))
            )
        size = stops[0] - rows.start, stops[1] - columns.start
        return replace(self, size=size, planes=tuple(planes))

    def _areas(self) -> list[int]:
        area = self.chroma[0] * self.chroma[1]
        return [1, area, area][: len(self.planes)]

    def _stored(self) -> tuple[int, int]:
        """(H, W) as in the file."""
        return self.size[::-1] if ORIENTATIONS[self.orientation][0] else self.size  # type: ignore[return-value]

    def _split(self, x: Tensor) -> list[Tensor]:
        """Y, Cb and Cr, (1, 1, h, w), padded by repetition to whole blocks as encoders do."""
        x = self.turn_back(x)
        ycc = to_ycc(x)
        planes = [pad_blocks(ycc[:, :1], SIDE, SIDE)]
        if len(self.planes) > 1:
            down, across = self.chroma
            chroma = F.avg_pool2d(pad_blocks(ycc[:, 1:], SIDE * down, SIDE * across), self.chroma)
            planes += chroma.split(1, 1)
        return planes

    def turn(self, x: Tensor) -> Tensor:
        """From the file's orientation to upright."""
        swap, rows, columns = ORIENTATIONS[self.orientation]
        x = x.transpose(2, 3) if swap else x
        return x.flip([dim for dim, flip in ((2, rows), (3, columns)) if flip])

    def turn_back(self, x: Tensor) -> Tensor:
        """From upright to the file's orientation."""
        swap, rows, columns = ORIENTATIONS[self.orientation]
        x = x.flip([dim for dim, flip in ((2, rows), (3, columns)) if flip])
        return x.transpose(2, 3) if swap else x


# --- arithmetic


def dct(values: Tensor) -> Tensor:
    """Coefficients of every 8×8 block, (1, 1, H, W) → (1, 64, H/8, W/8), orthonormal."""
    height, width = values.shape[2] // SIDE, values.shape[3] // SIDE
    blocks = values.reshape(height, SIDE, width, SIDE).permute(1, 3, 0, 2).reshape(SIDE**2, -1)
    return (_basis(values) @ blocks).reshape(1, SIDE**2, height, width)


def idct(coefficients: Tensor) -> Tensor:
    """The inverse of `dct`."""
    height, width = coefficients.shape[2:]
    blocks = _basis(coefficients).T @ coefficients.reshape(SIDE**2, -1)
    blocks = blocks.reshape(SIDE, SIDE, height, width).permute(2, 0, 3, 1)
    return blocks.reshape(1, 1, SIDE * height, SIDE * width)


def _basis(like: Tensor) -> Tensor:
    """(64, 64), a row for each coefficient; a product is faster than a strided convolution."""
    return dct_basis(SIDE).to(like).flatten(1)


def to_ycc(x: Tensor) -> Tensor:
    """A picture in [0, 1] as Y, Cb and Cr in grey levels around 0; a grey one as Y."""
    if x.shape[1] == 1:
        return 255 * x - 128
    ycc = torch.einsum("ij,bjhw->bihw", x.new_tensor(TO_YCC), 255 * x)
    return ycc - x.new_tensor([128.0, 0, 0]).view(1, 3, 1, 1)


def from_ycc(ycc: Tensor) -> Tensor:
    """The inverse of `to_ycc`."""
    if ycc.shape[1] == 1:
        return (ycc + 128) / 255
    inverse = torch.linalg.inv(torch.tensor(TO_YCC, dtype=torch.float64)).to(ycc)
    shifted = ycc + ycc.new_tensor([128.0, 0, 0]).view(1, 3, 1, 1)
    return torch.einsum("ij,bjhw->bihw", inverse, shifted) / 255


def pad_blocks(values: Tensor, down: int, across: int) -> Tensor:
    """(1, C, H, W) padded by repetition, right and bottom, to multiples of two sides."""
    right, bottom = -values.shape[3] % across, -values.shape[2] % down
    return F.pad(values, (0, right, 0, bottom), mode="replicate")
