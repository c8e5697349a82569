"""Reads from a JPEG file, or from pixels, what JPEG kept of a picture.

    constraint = read_jpeg("photo.jpg")        # or find_jpeg(x0)

Pillow says which tables a file has, and decodes it to Y, Cb and Cr. The DCT of these, divided by
the steps and rounded, gives the integers in the file: what rounding to grey levels changes is far
below a step. What the decoder did to Cb and Cr of half the resolution is undone first.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import PictureError, name_of, reason
from .jpeg import (
    ORIENTATIONS,
    SIDE,
    SUBSAMPLINGS,
    JpegConstraint,
    Plane,
    dct,
    idct,
    pad_blocks,
    to_ycc,
)

if TYPE_CHECKING:
    from PIL import Image

FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of a frame header, SOF
SCAN = 0xDA  # of a scan, SOS
CHROMA = {0: (1, 1), 1: (1, 2), 2: (2, 2)}  # Pillow's subsampling → rows and columns per sample
QUALITIES = range(5, 86)  # that `find_jpeg` tries, the coarsest first
# grey levels: deviation of coefficients whose pixels were rounded, at most; all, and those not 0
ROUNDED = 0.5, 0.8
ENOUGH = 64  # coefficients that are not 0, to tell anything from
SAMPLED = 4000  # blocks from which the tables are told
NEARBY = 4  # qualities whose tables are much alike
FOUND = 0.5  # share of blocks whose integers must be certain for `find_jpeg`
CLIPPED_ROUNDS = 4  # to find what lies beyond 0 and 255
# grey levels by which decoded pixels may differ from those of the integers: Y, Cb, Cr; RGB
TOLERANCES = 1.6, 2.6


def read_jpeg(source: str | os.PathLike[str] | bytes) -> JpegConstraint:
    """The constraints of a JPEG file.

    Args:
        source: a path, or the content of the file.

    Raises:
        PictureError: no JPEG file, or one of a kind whose constraints cannot be read; one sentence.
    """
    name = "the picture" if isinstance(source, bytes) else name_of(source)
    data = source if isinstance(source, bytes) else _content(source, name)
    with _open(data, name) as picture:
        tables, chroma = _tables(picture, name), _chroma(picture, name)
        orientation, (width, height) = picture.getexif().get(0x0112, 1), picture.size
        data = _with_whole_blocks(data, chroma, name)
    with _open(data, name) as picture:
        if picture.mode != "L":
            picture.draft("YCbCr", picture.size)
        values = np.asarray(picture).astype(np.float64)  # grey levels
    decoded = torch.from_numpy(values.reshape(*values.shape[:2], -1)).permute(2, 0, 1)[None] - 128
    stored = height, width
    constraint = _constraint(decoded, stored, tables, chroma, TOLERANCES[0])
    orientation = orientation if orientation in ORIENTATIONS else 1
    size = (width, height) if ORIENTATIONS[orientation][0] else (height, width)
    return replace(constraint, size=size, orientation=orientation)


def _with_whole_blocks(data: bytes, chroma: tuple[int, int], name: str) -> bytes:
    """The file with a height and width of whole blocks, so that decoders crop none of them.

    A file that stores its planes one by one, as progressive ones do, has for each just the blocks
    it needs: more than the next multiple of 8 pixels would ask for some that are not there.

    Raises:
        PictureError: arithmetic coding, which decoders read wrong or not at all.
    """
    segments = dict(_segments(data))  # the last of each kind before the first scan
    marker = max(segments.keys() & FRAMES)
    if marker > 0xC8:
        raise PictureError(f"{name} is a JPEG with arithmetic coding.")
    frame, scan = segments[marker], segments[SCAN]
    interleaved = marker in (0xC0, 0xC1) and data[scan + 4] == data[frame + 9]
    sides = np.frombuffer(data, ">u2", 2, frame + 5)  # height, width
    factors = chroma if interleaved else (1, 1)
    whole = [-(-int(n) // (SIDE * f)) * SIDE * f for n, f in zip(sides, factors, strict=True)]
    return data[: frame + 5] + np.array(whole, ">u2").tobytes() + data[frame + 9 :]


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Each marker's second byte, and where the marker begins, up to the first scan."""
    position = 2
    while data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # may fill up before a marker
            position += 1
            continue
        yield marker, position
        if marker == SCAN:
            return
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")


def find_jpeg(x0: Tensor) -> JpegConstraint | None:
    """The constraints of the file that a picture was decoded from, if its pixels tell.

    They do where the picture was compressed with the tables of the JPEG standard at a quality of
    up to 85, and neither changed nor compressed again since.

    Args:
        x0: (1, C, H, W) in [0, 1].

    Returns:
        None where they do not tell.
    """
    ycc = to_ycc((x0.detach().double().cpu() * 255).round() / 255)
    size = x0.shape[2], x0.shape[3]
    whole = x0[..., : x0.shape[2] // SIDE * SIDE, : x0.shape[3] // SIDE * SIDE].cpu()
    luma = dct(ycc[:, :1, : whole.shape[2], : whole.shape[3]])
    luma = luma.flatten(2)[..., _unclipped(whole).flatten()]  # (1, 64, blocks)
    luma = luma[..., :: -(-luma.shape[2] // SAMPLED) or 1]  # enough to tell
    errors = {quality: _rounding_error(luma, standard_tables(quality)[0]) for quality in QUALITIES}
    if not math.isfinite(min(errors.values())):
        return None
    first = next(quality for quality in QUALITIES if math.isfinite(errors[quality]))
    nearby = [quality for quality in QUALITIES if first <= quality < first + NEARBY]
    tables = standard_tables(min(nearby, key=lambda quality: errors[quality]))
    if x0.shape[1] == 1:
        found = [_constraint(ycc, size, [tables[0]], (1, 1), TOLERANCES[0])]
    else:
        three = [tables[0], tables[1], tables[1]]
        found = [_constraint(ycc, size, three, chroma, TOLERANCES[1]) for chroma in SUBSAMPLINGS]
    best = max(found, key=lambda constraint: constraint.certain)
    return best if best.certain > FOUND else None


@functools.lru_cache(maxsize=128)
def standard_tables(quality: int) -> list[Tensor]:
    """The steps of Y and of Cb and Cr at a quality of libjpeg, (1, 64, 1, 1), in grey levels."""
    from PIL import Image

    memory = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE)).save(memory, "JPEG", quality=quality)
    with Image.open(memory) as picture:
        return [_table(picture, index) for index in (0, 1)]


def _rounding_error(coefficients: Tensor, step: Tensor) -> float:
    """Mean square of what coefficients (1, 64, blocks) that are not 0 lack to multiples of steps.

    Infinite where it is more than rounded pixels explain.
    """
    multiples = (coefficients / step[..., 0]).round()
    error = (coefficients - multiples * step[..., 0]).square()
    there = multiples[:, 1:] != 0
    if int(there.sum()) < ENOUGH or float(error.mean()) > ROUNDED[0] ** 2:
        return math.inf
    mean = float(error[:, 1:][there].mean())
    return mean if mean < ROUNDED[1] ** 2 else math.inf


def _unclipped(x: Tensor) -> Tensor:
    """The blocks in which no channel is black or white, (H/8, W/8)."""
    return ((F.max_pool2d(x, SIDE) < 1) & (F.max_pool2d(-x, SIDE) < 0))[0].all(0)


def _constraint(
    decoded: Tensor,
    size: tuple[int, int],
    tables: list[Tensor],
    chroma: tuple[int, int],
    tolerance: float,
) -> JpegConstraint:
    """From decoded Y, Cb and Cr, (1, C, H, W) in grey levels around 0."""
    planes = []
    for index, step in enumerate(tables):
        values = decoded[:, index : index + 1]
        if index:
            values = _undo_upsampling(values, chroma)
        else:  # more blocks may follow, to fill 16×16 pixels; they say nothing about the picture
            values = values[..., : -(-size[0] // SIDE) * SIDE, : -(-size[1] // SIDE) * SIDE]
        planes.append(_plane(pad_blocks(values, SIDE, SIDE), step, tolerance))
    return JpegConstraint(size, tuple(planes), chroma)


def _plane(values: Tensor, step: Tensor, tolerance: float) -> Plane:
    """The integers in the file from decoded values, (1, 1, H, W).

    Where pixels were clipped they are found by trial. In a block where that fails the decoded
    coefficients stand for them.
    """
    low, high = values <= -128, values >= 127
    coefficients, guess = dct(values), values
    for _ in range(CLIPPED_ROUNDS):
        center = (dct(guess) / step).round() * step
        ours = idct(center)
        beyond = (low & (ours < -128)) | (high & (ours > 127))
        guess = torch.where(beyond, ours, values)
    error = F.max_pool2d((ours.clamp(-128, 127) - values).abs(), SIDE)
    certain = error <= tolerance
    center = torch.where(certain, center, coefficients)
    return Plane(center.float(), step.float(), float(certain.float().mean()))


def _undo_upsampling(values: Tensor, chroma: tuple[int, int]) -> Tensor:
    """The samples of Cb or Cr before the decoder's triangle filter, (1, 1, H, W) → (1, 1, h, w).

    Along an axis of half the resolution it makes (3a + b)/4 of a sample a and the neighbor b on
    that side; at the rim a itself. The mean of two such pixels is (a₋ + 6a + a₊)/8.
    """
    from scipy.linalg import solve_banded

    for axis, factor in zip((2, 3), chroma, strict=True):
        if factor == 1:
            continue
        moved = values.movedim(axis, 0)  # (n, …)
        odd = len(moved) % 2
        pairs = torch.cat([moved, moved[-1:]]) if odd else moved
        means = (pairs[0::2] + pairs[1::2]) / 2
        count = len(means)
        bands = np.ones((3, count)) * np.array([[1.0], [6.0], [1.0]]) / 8
        bands[1, 0] += 1 / 8
        bands[1, -1] += 1 / 8
        if odd:  # the last pixel alone
            bands[1, -1], bands[2, -2] = 3 / 4, 1 / 4
        flat = means.reshape(count, -1).numpy()
        solved = torch.from_numpy(solve_banded((1, 1), bands, flat)).reshape(means.shape)
        values = solved.movedim(0, axis)
    return values


def _tables(picture: Image.Image, name: str) -> list[Tensor]:
    """The steps of each plane, (1, 64, 1, 1)."""
    layers: list[Any] = getattr(picture, "layer", [])
    tables = [_table(picture, layer[3]) for layer in layers]
    if not tables or any(t.numel() != SIDE**2 or bool((t <= 0).any()) for t in tables):
        raise PictureError(f"{name} has damaged quantization tables.")
    return tables


def _table(picture: Image.Image, index: int) -> Tensor:
    table = getattr(picture, "quantization", {}).get(index, [])
    return torch.tensor([float(step) for step in table], dtype=torch.float64).view(1, -1, 1, 1)


def _chroma(picture: Image.Image, name: str) -> tuple[int, int]:
    """Rows and columns of pixels per sample of Cb and Cr."""
    from PIL import JpegImagePlugin

    if picture.mode == "L":
        return (1, 1)
    if picture.mode != "RGB":
        raise PictureError(f"{name} is a JPEG of {picture.mode} colors, not of YCbCr.")
    layers: list[Any] = picture.layer  # type: ignore[attr-defined]
    if picture.info.get("adobe_transform") == 0 or layers[0][0] == ord("R"):
        raise PictureError(f"{name} is a JPEG of RGB colors, not of YCbCr.")
    sampling = JpegImagePlugin.get_sampling(picture)
    if sampling not in CHROMA:
        raise PictureError(f"{name} has colors at an unusual resolution.")
    return CHROMA[sampling]


def _content(source: str | os.PathLike[str], name: str) -> bytes:
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise PictureError(f"{name} cannot be read ({reason(error)}).") from error


@contextlib.contextmanager
def _open(data: bytes, name: str) -> Iterator[Image.Image]:
    from PIL import Image, JpegImagePlugin

    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as picture:
            warnings.simplefilter("ignore")
            if not isinstance(picture, JpegImagePlugin.JpegImageFile):
                raise PictureError(f"{name} is a {picture.format} file, not a JPEG.")
            yield picture
    except PictureError:
        raise
    except Exception as error:  # decoders raise anything on garbage
        raise PictureError(f"{name} cannot be read as a JPEG ({reason(error)}).") from error
