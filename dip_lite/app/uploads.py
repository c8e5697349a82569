"""An uploaded file → a picture or a mask.

    picture = read_picture(path, max_pixels=300_000)      # Picture(x, note), or UserError
    mask = fit_mask(read_drawing(data_uri), picture)      # (1, 1, H, W), 1 = known

The package's own `load` reads the file, so that 16 bits, CMYK, EXIF and transparency come out right
and nothing is re-encoded. What it refuses becomes one sentence without the file's name or path,
which are not ours to show.
"""

import base64
import io
import os
import re
import warnings
from dataclasses import dataclass

import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..errors import PictureError, PictureWarning, UserError
from ..images.io import load, match_channels
from ..images.jpeg import JpegConstraint
from ..images.jpeg_file import read_jpeg
from ..images.samples import sample

PNG_URI = "data:image/png;base64,"
MAX_DRAWING = 4_000_000  # characters of its data URI


@dataclass(frozen=True)
class Picture:
    """A picture, ready to be worked on."""

    x: Tensor  # (1, C, H, W) in [0, 1]
    note: str = ""  # a sentence about what was done to it


def read_picture(path: str, max_pixels: int) -> Picture:
    """The picture in an uploaded file, scaled down to at most `max_pixels`.

    Raises:
        UserError: the file holds no picture that can be used.
    """
    x, note = _load(path)
    small = scale_down(x, max_pixels)
    if small is not x:
        (height, width), (h, w) = x.shape[2:], small.shape[2:]
        note = f"Your picture was scaled down from {width}×{height} to {w}×{h} pixels. {note}"
    return Picture(small, note.strip())


def read_constraint(path: str, picture: Picture) -> JpegConstraint | None:
    """What the file of a picture says, if it is a JPEG and the picture was not scaled down."""
    try:
        with Image.open(path) as file:  # the header alone
            same = {*file.size} == {*picture.x.shape[2:]}
        return read_jpeg(path) if same else None
    except (PictureError, OSError):
        return None


def read_sample(name: str, max_pixels: int) -> Picture:
    """The center square of one of scikit-image's photographs, 256×256 pixels.

    Raises:
        UserError: another name.
    """
    try:
        x = sample(name)
    except (PictureError, TypeError) as error:
        raise UserError("There is no example with that name.") from error
    height, width = x.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = x[..., top : top + side, left : left + side]
    x = F.interpolate(square, (256, 256), mode="bilinear", antialias=True).clamp(0, 1)
    return Picture(scale_down(x, max_pixels))


def read_mask(path: str, max_pixels: int) -> Picture:
    """The mask in an uploaded file: one channel of 0 and 1, 1 = missing, its thin lines kept.

    Raises:
        UserError: the file holds no picture that can be used.
    """
    mask = read_picture(path, 4096 * 4096)
    missing = (match_channels(mask.x, like=mask.x[:, :1]) > 0.5).float()
    height, width = missing.shape[2:]
    if height * width > max_pixels:
        scale = (max_pixels / (height * width)) ** 0.5
        size = [max(1, int(side * scale)) for side in (height, width)]
        missing = F.adaptive_max_pool2d(missing, size)
    return Picture(missing, mask.note)


def read_drawing(data_uri: object) -> Tensor:
    """The drawing of the mask painter, (1, C, H, W), in which painted pixels are white.

    Raises:
        UserError: it is not a drawing.
    """
    wrong = "The drawing did not arrive: draw it again."
    if not isinstance(data_uri, str) or not data_uri.startswith(PNG_URI):
        raise UserError(wrong)
    if len(data_uri) > MAX_DRAWING:
        raise UserError(wrong)
    try:
        data = base64.b64decode(data_uri.removeprefix(PNG_URI), validate=True)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as drawing:
            return load(drawing)
    except (ValueError, OSError) as error:
        raise UserError(wrong) from error


def fit_mask(drawing: Tensor, picture: Picture) -> Tensor:
    """A mask for `picture`, (1, 1, H, W) with 1 = known, of a drawing in which white is missing.

    The drawing may have another size, if not another shape. A pixel is missing if the drawing
    touches any part of it.

    Raises:
        UserError: another shape, or a mask that hides nothing or everything.
    """
    missing = (match_channels(drawing, like=drawing[:, :1]) > 0.5).float()
    (h, w), (height, width) = missing.shape[2:], picture.x.shape[2:]
    if abs(h / w - height / width) > 0.02 * height / width:
        raise UserError(
            f"The mask is {w}×{h} pixels and the picture {width}×{height}: "
            "make the mask from the picture itself, so that both have the same shape."
        )
    if (h, w) != (height, width):
        missing = F.interpolate(missing, (height, width), mode="bilinear", antialias=True)
    mask = (missing <= 0.25).float()
    check_mask(mask)
    return mask


def check_mask(mask: Tensor) -> None:
    """Refuses a mask that hides nothing or nearly everything.

    Raises:
        UserError: it does.
    """
    missing = 1 - float(mask.mean())
    if missing == 0:
        raise UserError("The mask hides nothing: paint over the area to fill in.")
    if missing > 0.98:
        raise UserError("The mask hides nearly everything: leave more of the picture visible.")


def scale_down(x: Tensor, max_pixels: int) -> Tensor:
    """The picture itself, or a smaller copy with at most `max_pixels`.

    >>> import torch
    >>> tuple(scale_down(torch.zeros(1, 3, 400, 100), 10_000).shape[2:])
    (200, 50)
    """
    height, width = x.shape[2:]
    if height * width <= max_pixels:
        return x
    scale = (max_pixels / (height * width)) ** 0.5
    size = [max(16, int(side * scale)) for side in (height, width)]
    return F.interpolate(x, size, mode="bilinear", antialias=True).clamp(0, 1)


def _load(path: str) -> tuple[Tensor, str]:
    """A picture, and what its owner should know about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", PictureWarning)
        try:
            x = load(path)
        except PictureError as error:
            raise UserError(_without_path(str(error), path)) from error
    return x, " ".join(_without_path(str(warning.message), path) for warning in caught)


def _without_path(message: str, path: str) -> str:
    """A message of the loader with "Your file" in place of the path, and no system details."""
    shown = "".join(c if c.isprintable() else "?" for c in os.fsdecode(path))
    plain = message.replace(shown, "Your file")
    plain = re.sub(r"\(.*?(Errno|cannot identify|buffer|/tmp|0x).*?\)", "", plain)
    return re.sub(r"\s+([.:,])", r"\1", plain)
