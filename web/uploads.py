"""A file from a stranger → a picture or a mask.

    picture = read_picture(path, pixels=300_000)      # Picture(x, note) or SorryError
    mask = mask_of(painted, picture)                  # of a picture whose white is missing

The package's own `load` does the reading, so that 16 bits, CMYK, EXIF and transparency come out
right and nothing is re-encoded on the way. What it refuses becomes one sentence without the file's
name or path, which are not ours to show.
"""

from __future__ import annotations

import base64
import io
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from dip_lite import PictureError, PictureWarning, load, sample
from dip_lite.images import match_channels, to_pil
from dip_lite.viz import scale_to

from .choices import SorryError

DRAWN = "data:image/png;base64,"


@dataclass(frozen=True)
class Picture:
    """What a visitor brought, ready to be worked on."""

    x: Tensor  # (1, C, H, W) in [0, 1]
    note: str = ""  # a sentence about what was done to it
    came: tuple[int, int] = (0, 0)  # (H, W) of the file


def read_picture(path: str, pixels: int) -> Picture:
    """The picture in an uploaded file, of at most so many pixels.

    A larger one is made smaller: whoever tries a demo would rather see a smaller result than none.

    Raises:
        SorryError: there is no picture in it that can be used.
    """
    x, note = _load(path)
    came = (x.shape[2], x.shape[3])
    small = fit_into(x, pixels)
    if small is not x:
        note = (
            f"Your picture has {came[1]}×{came[0]} pixels; this demo works on "
            f"{small.shape[3]}×{small.shape[2]}, so it was made smaller. {note}"
        )
    return Picture(small, note.strip(), came)


def read_sample(name: str, pixels: int) -> Picture:
    """One of scikit-image's photographs, as square as it goes and 256 pixels high.

    Raises:
        SorryError: another name.
    """
    try:
        x = sample(name)
    except (PictureError, TypeError) as error:
        raise SorryError("There is no example of that name.") from error
    height, width = x.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    x = F.interpolate(
        x[..., top : top + side, left : left + side], (256, 256), mode="bilinear", antialias=True
    ).clamp(0, 1)
    return Picture(fit_into(x, pixels), came=(256, 256))


def mask_of(painted: Tensor, picture: Picture) -> Tensor:
    """The mask in a picture whose white is missing, (1, 1, H, W), 1 = known and 0 = missing.

    It may be of another size than the visitor's picture, if not of another shape: whatever it
    touches, be it a part of a pixel, is missing.

    Raises:
        SorryError: another shape, or a mask that hides nothing or everything.
    """
    painted = match_channels(painted, like=painted[:, :1])
    (height, width), (rows, columns) = painted.shape[2:], picture.x.shape[2:]
    if abs(height / width - rows / columns) > 0.02 * rows / columns:
        raise SorryError(
            f"The mask is {width}×{height} pixels and the picture {columns}×{rows}: "
            "paint the mask over the picture itself, so that the two have one shape."
        )
    missing = (painted > 0.5).float()
    if (height, width) != (rows, columns):
        missing = F.interpolate(missing, (rows, columns), mode="bilinear", antialias=True)
    mask = (missing <= 0.25).float()
    check_mask(mask)
    return mask


def painted(address: object) -> Tensor:
    """The picture in a data URI of the brush, in which what was painted is white.

    Raises:
        SorryError: it is none.
    """
    wrong = "The drawing did not arrive whole: please draw again."
    if not isinstance(address, str) or not address.startswith(DRAWN) or len(address) > 4_000_000:
        raise SorryError(wrong)
    try:
        data = base64.b64decode(address.removeprefix(DRAWN), validate=True)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            return load(picture)
    except (ValueError, OSError) as error:
        raise SorryError(wrong) from error


def check_mask(mask: Tensor) -> None:
    """Refuses a mask with which there is nothing to do, or nothing to go by.

    Raises:
        SorryError: it hides nothing, or nearly everything.
    """
    missing = 1 - float(mask.mean())
    if missing == 0:
        raise SorryError("The mask hides nothing yet: paint over what you want to have filled in.")
    if missing > 0.98:
        raise SorryError("The mask hides nearly everything: leave something to go by.")


def fit_into(x: Tensor, pixels: int) -> Tensor:
    """The picture itself, or a smaller copy of at most so many pixels.

    >>> tuple(fit_into(torch.zeros(1, 3, 400, 100), 10_000).shape[2:])
    (200, 50)
    """
    height, width = x.shape[2:]
    if height * width <= pixels:
        return x
    scale = (pixels / (height * width)) ** 0.5
    size = [max(16, int(side * scale)) for side in (height, width)]
    return F.interpolate(x, size, mode="bilinear", antialias=True).clamp(0, 1)


def encode(x: Tensor, side: int = 512, quality: int = 82) -> bytes:
    """A picture as a small WebP, its longer side at most `side` pixels."""
    memory = io.BytesIO()
    to_pil(scale_to(x, side)).save(memory, "WEBP", quality=quality, method=1)
    return memory.getvalue()


def data_uri(x: Tensor, side: int = 512) -> str:
    """A picture as an address that holds it."""
    return "data:image/webp;base64," + base64.b64encode(encode(x, side)).decode()


def png(x: Tensor) -> bytes:
    """A picture as PNG, pixel for pixel."""
    memory = io.BytesIO()
    to_pil(x).save(memory, "PNG")
    return memory.getvalue()


def _load(path: str, what: str = "Your file") -> tuple[Tensor, str]:
    """A picture, and what its owner should know about it."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", PictureWarning)
        try:
            x = load(path)
        except PictureError as error:
            raise SorryError(_plain(str(error), path, what)) from error
    return x, " ".join(_plain(str(warning.message), path, what) for warning in told)


def _plain(sentence: str, path: str, what: str) -> str:
    """A sentence of the loader with `what` in place of the path; plain text, no HTML."""
    shown = "".join(c if c.isprintable() else "?" for c in os.fsdecode(path))
    plain = sentence.replace(shown, what)
    plain = re.sub(r"\(.*?(Errno|cannot identify|buffer|/tmp|0x).*?\)", "", plain)
    return re.sub(r"\s+([.:,])", r"\1", plain)


def spare(mask: Picture, pixels: int) -> Picture:
    """A mask's picture as one channel of 0 and 1 and at most so many pixels, its thin lines kept.

    >>> spare(Picture(torch.eye(64)[None, None].expand(1, 3, 64, 64)), 256).x.sum()
    tensor(16.)
    """
    x = match_channels(mask.x, like=mask.x[:, :1])
    missing = (x > 0.5).float()
    height, width = x.shape[2:]
    if height * width > pixels:
        scale = (pixels / (height * width)) ** 0.5
        size = [max(1, int(side * scale)) for side in (height, width)]
        missing = F.adaptive_max_pool2d(missing, size)
    return Picture(missing, mask.note, mask.came)


def keep(picture: Picture, path: Path, kind: type[np.unsignedinteger[Any]] = np.uint16) -> None:
    """Puts a picture on disk, so that a visitor who only looks costs no memory."""
    values = (picture.x[0].clamp(0, 1) * np.iinfo(kind).max).round().numpy().astype(kind)
    with open(path, "wb") as file:
        np.save(file, values, allow_pickle=False)


def kept(path: Path) -> Tensor | None:
    """The picture that `keep` put there, (1, C, H, W); None where there is none."""
    if not path.exists():
        return None
    values = np.load(path, allow_pickle=False)
    return torch.from_numpy(values.astype(np.float32) / np.iinfo(values.dtype).max)[None]
