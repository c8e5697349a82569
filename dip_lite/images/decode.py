"""Decodes files, PIL images, arrays and tensors to the values of a picture.

    values, frames = decode("photo.jpg")       # (H, W, 1 or 3) float32 in [0, 1]; 1 frame

Integers are divided by their largest value (v / 255, v / 65535), transparency is laid over white
(c·a + 1 − a), EXIF rotation is applied. Anything else raises `PictureError`, with one sentence that
says what was given, what was expected and how to mend it. Pillow reads the files, with 16 bits of
grey and 8 of colour. `io.load` makes a tensor of the values.
"""

from __future__ import annotations

import contextlib
import os
import stat
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import PictureError, name_of, reason

if TYPE_CHECKING:
    from PIL import Image

MIN_SIDE = 16  # pixels; a five-scale hourglass needs no less
MAX_SIDE = 4096  # pixels; beyond it a fit needs more memory than a laptop has
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")  # of Pillow
MAX_PIXELS = 50_000_000  # more in a header is refused as a decompression bomb


def decode(source: Any) -> tuple[np.ndarray, int]:
    """The values of any source `io.load` takes, and its number of frames.

    Returns:
        (H, W, 1 or 3) float32 in [0, 1]; the number of frames, above 1 for animations.

    Raises:
        PictureError: the input is not a picture between 16 and 4096 pixels a side.

    >>> decode(np.full((16, 24), 255, np.uint8))[0].shape
    (16, 24, 1)
    """
    name = name_of(source)
    try:
        if isinstance(source, Tensor):
            return _from_tensor(source, name), 1
        if isinstance(source, np.ndarray):
            return _from_array(source, name), 1
        if isinstance(source, (str, os.PathLike)):
            return _from_file(source, name)
        return _from_pil(source, name)
    except PictureError:
        raise
    except Exception as error:  # decoders raise anything on garbage
        raise PictureError(f"{name} cannot be read as a picture ({reason(error)}).") from error


def decode_alpha(source: Any) -> np.ndarray | None:
    """Opacity (H, W) in [0, 1] of any source `io.load` takes; None without transparency.

    Raises:
        PictureError: as `decode` does.
    """
    decode(source)  # checks it
    if isinstance(source, Tensor):
        channels = source.reshape(-1, *source.shape[-2:])  # (C, H, W)
        return decode(channels[3])[0][..., 0] if len(channels) == 4 else None
    if isinstance(source, np.ndarray):
        has_alpha = source.ndim == 3 and source.shape[2] == 4
        return decode(source[..., 3])[0][..., 0] if has_alpha else None
    if not isinstance(source, (str, os.PathLike)):
        return _alpha(source, name_of(source))
    from PIL import Image

    with Image.open(source) as picture:
        return _alpha(picture, name_of(source))


@contextlib.contextmanager
def _pillow(name: str, problem: str) -> Iterator[None]:
    """Silences Pillow's warnings and turns whatever it raises into a `PictureError`."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(_too_many_pixels(name)) from error
    except UnidentifiedImageError as error:  # its message adds nothing
        raise PictureError(f"{name} {problem}.") from error
    except Exception as error:  # OSError, SyntaxError, struct.error, EOFError, MemoryError ...
        raise PictureError(f"{name} {problem} ({reason(error)}).") from error


def _from_file(path: str | os.PathLike[str], name: str) -> tuple[np.ndarray, int]:
    """Pixels and number of frames of the file at `path`."""
    from PIL import Image

    _check_file(path, name)
    with _pillow(name, "is not a picture in a known format such as PNG, JPEG, TIFF or WebP"):
        picture = Image.open(path)
    with picture:
        return _from_pil(picture, name)


def _check_file(path: str | os.PathLike[str], name: str) -> None:
    """Refuses files that their first bytes already show to be no pictures."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise PictureError(f"{name} is a folder: give the picture file inside it.")
        if not stat.S_ISREG(mode):
            raise PictureError(f"{name} is a pipe or a device: give a picture file.")
        with open(path, "rb") as file:
            head = file.read(1024)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PictureError(f"{name} does not exist: check the path.") from error
    except PermissionError as error:
        raise PictureError(f"{name} cannot be read: check its permissions.") from error
    if not head:
        raise PictureError(f"{name} is empty (0 bytes): save or download it again.")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<") and (b"<html" in text or text.startswith(b"<!doctype html")):
        raise PictureError(f"{name} is a web page, not a picture: download the picture itself.")
    if text.startswith((b"<svg", b"<?xml", b"<!", b"%!ps", b"%pdf", b"\xc5\xd0\xd3\xc6")):
        raise PictureError(f"{name} is a vector drawing (SVG, EPS, PDF): convert it to PNG first.")
    if head[4:12] in (b"ftypheic", b"ftypheix"):
        raise PictureError(f"{name} is a HEIC photograph: convert it to PNG or JPEG first.")


def _from_pil(picture: Any, name: str) -> tuple[np.ndarray, int]:
    """Pixels and number of frames of a PIL image, its size checked before anything is decoded."""
    from PIL import Image

    if not isinstance(picture, Image.Image):
        kinds = "expected a path, a PIL image, a NumPy array or a tensor"
        raise PictureError(f"{name} is not a picture: {kinds}.")
    _check_size(*picture.size, name)
    with _pillow(name, "is damaged or incomplete: save or download it again"):
        picture.load()
        upright = _upright(picture)
        _check_size(*upright.size, name)  # icons and the like change size when decoded
        return _pixels(upright, name), _frames(picture)


def _upright(picture: Image.Image) -> Image.Image:
    """The picture turned as its EXIF data says."""
    from PIL import ImageOps

    with contextlib.suppress(Exception):  # unreadable EXIF has no orientation
        return ImageOps.exif_transpose(picture)
    return picture


def _pixels(picture: Image.Image, name: str) -> np.ndarray:
    """Decoded PIL image of any mode -> (H, W, 1 or 3) float32 in [0, 1]."""
    mode = picture.mode
    clear = mode in ALPHA_MODES or "transparency" in picture.info
    if mode == "F":
        return _from_array(np.asarray(picture), name)
    if mode.startswith("I"):  # I;16, I;16B, and I, in which Pillow keeps 16 bits as well
        wide = np.array(picture, dtype=np.int64)
        if isinstance(picture.info.get("transparency"), int):
            wide[wide == picture.info["transparency"]] = 65535
        if wide.min() < 0 or wide.max() > 65535:
            span = f"values from {wide.min()} to {wide.max()}"
            raise PictureError(f"{name} has {span}: scale them to 0..65535 first.")
        return _from_array(wide.astype(np.uint16), name)
    if mode in ("1", "L") and not clear:
        return _from_array(np.asarray(picture.convert("L")), name)
    if mode in ("La", "RGBa"):  # premultiplied: Pillow undoes it only into the plain mode
        picture = picture.convert(mode[:-1] + "A")
    pixels = np.asarray(picture.convert("RGBA" if clear else "RGB"))  # (H, W, 3 or 4)
    values = _from_array(pixels, name)
    palette = mode in ("P", "PA") and bool((pixels[..., :3] == pixels[..., :1]).all())
    return values[..., :1] if palette or mode in ("1", "L", "LA", "La") else values


def _alpha(picture: Image.Image, name: str) -> np.ndarray | None:
    """Opacity (H, W) in [0, 1] of a PIL image that `decode` could read."""
    with _pillow(name, "has transparency that cannot be read"):
        picture.load()
        upright = _upright(picture)
        clear = upright.info.get("transparency")
        if upright.mode in ALPHA_MODES:
            return np.array(upright.getchannel(upright.getbands()[-1])) / 255
        if clear is None or upright.mode == "F":
            return None
        if upright.mode.startswith("I"):  # 16 bits of grey, one value of which is transparent
            return (np.array(upright, dtype=np.int64) != clear).astype(float)
        return np.array(upright.convert("RGBA").getchannel("A")) / 255


def _frames(picture: Image.Image) -> int:
    """How many frames an animation has; a photograph's built-in preview is not one."""
    if picture.format in ("MPO", "PSD") or not getattr(picture, "is_animated", False):
        return 1
    if picture.tell():  # the caller chose this frame
        return 1
    try:
        return int(getattr(picture, "n_frames", 1))
    except Exception:  # counting reads the whole file, which may be cut short
        return 1


def _from_tensor(x: Tensor, name: str) -> np.ndarray:
    """(H, W), (C, H, W) or (1, C, H, W) -> (H, W, C) float32 in [0, 1]."""
    shape = tuple(x.shape)
    if x.ndim == 4 and shape[0] == 1:
        x = x[0]
    if x.ndim == 2:
        x = x[None]
    if x.ndim != 3 or x.shape[0] not in (1, 3, 4):
        wanted = "expected (H, W), (C, H, W) or (1, C, H, W) with 1, 3 or 4 channels"
        raise PictureError(f"{name} has shape {shape}: {wanted}.")
    if x.dtype == torch.bfloat16:  # unknown to NumPy
        x = x.float()
    return _from_array(x.detach().cpu().permute(1, 2, 0).numpy(), name)


def _from_array(values: np.ndarray, name: str) -> np.ndarray:
    """(H, W) or (H, W, 1, 3 or 4) of any accepted type -> (H, W, 1 or 3) float32 in [0, 1]."""
    shape = values.shape
    if values.ndim == 2:
        values = values[..., None]  # (H, W, 1)
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4):
        wanted = "expected (H, W) or (H, W, C) with 1, 3 or 4 channels, the channels last"
        raise PictureError(f"{name} has shape {shape}: {wanted}.")
    _check_size(values.shape[1], values.shape[0], name)
    largest = {"b1": 1, "u1": 255, "u2": 65535}.get(f"{values.dtype.kind}{values.dtype.itemsize}")
    if largest:
        values = values.astype(np.float32) / np.float32(largest)
    elif values.dtype.kind == "f":
        _check_range(values, name)
        values = values.clip(0, 1).astype(np.float32)
    else:
        wanted = "expected uint8, uint16, bool, or floats in [0, 1]"
        raise PictureError(f"{name} has dtype {values.dtype}: {wanted}.")
    if values.shape[2] == 4:
        colour, alpha = values[..., :3], values[..., 3:]
        values = colour * alpha + (1 - alpha)  # over white; (H, W, 3)
    return values


def _check_range(values: np.ndarray, name: str) -> None:
    """Floats must be finite and in [0, 1], up to rounding."""
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        share = f"{bad} of {values.size} values that are NaN or infinite"
        raise PictureError(f"{name} has {share}: replace them first.")
    low, high = float(values.min()), float(values.max())
    if low >= -1e-3 and high <= 1 + 1e-3:
        return
    advice = "rescale them"
    if low >= 0 and 2 < high <= 65535:
        advice = f"divide them by {255 if high <= 255 else 65535}"
    elif -1.001 <= low < 0 and high <= 1.001:
        advice = "add 1 and divide by 2 if they run from -1 to 1, else clip them"
    raise PictureError(f"{name} has values from {low:g} to {high:g}, not in [0, 1]: {advice}.")


def _check_size(width: int, height: int, name: str) -> None:
    size = f"{name} is {width}×{height} pixels (W×H)"
    if width * height > MAX_PIXELS:
        raise PictureError(_too_many_pixels(name, f" ({width}×{height})"))
    if max(width, height) > MAX_SIDE:
        raise PictureError(f"{size}, but a side may have at most {MAX_SIDE}: scale it down first.")
    if min(width, height) < MIN_SIDE:
        raise PictureError(f"{size}, but a side needs at least {MIN_SIDE}: use a larger picture.")


def _too_many_pixels(name: str, size: str = "") -> str:
    limit = MAX_PIXELS // 1_000_000
    return f"{name} has more than {limit} megapixels{size}: scale it down first."
