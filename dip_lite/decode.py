"""From whatever people have to the values of a picture.

    values, frames = decode("photo.jpg")       # (H, W, 1 or 3) float32 in [0, 1]; 1 frame

Integers are divided by their largest value (v / 255, v / 65535), transparency is laid over white
(c·a + 1 − a), EXIF rotation is applied. What cannot be a picture raises `PictureError`: one
sentence that says what came, what was expected and how to mend it. Files are Pillow's work, which
keeps 16 bits of grey and 8 of colour. `images.load` makes a tensor of the values.
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

if TYPE_CHECKING:
    from PIL import Image

MIN_SIDE = 16  # pixels; the deepest scale of a five-scale hourglass still has something to see
MAX_SIDE = 4096  # pixels; beyond it a fit needs more memory than a laptop has
MAX_PIXELS = 50_000_000  # what a header may claim before it is called a decompression bomb


class PictureError(ValueError):
    """What came cannot be used as a picture; the message is one sentence for the user."""


class PictureWarning(UserWarning):
    """Something about a picture that its owner should know and that stops nothing."""


def decode(source: Any) -> tuple[np.ndarray, int]:
    """Values (H, W, 1 or 3), float32 in [0, 1], and number of frames of any source `load` takes.

    Raises:
        PictureError: for any input that is not a picture between 16 and 4096 pixels a side.

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
    except Exception as error:  # decoders meet garbage with every exception there is
        raise PictureError(f"{name} cannot be read as a picture ({reason(error)}).") from error


@contextlib.contextmanager
def _pillow(name: str, otherwise: str) -> Iterator[None]:
    """Keeps Pillow's warnings to ourselves and makes one sentence of whatever it raises."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(_too_many_pixels(name)) from error
    except UnidentifiedImageError as error:  # its own text says no more than ours
        raise PictureError(f"{name} {otherwise}.") from error
    except Exception as error:  # OSError, SyntaxError, struct.error, EOFError, MemoryError ...
        raise PictureError(f"{name} {otherwise} ({reason(error)}).") from error


def _from_file(path: str | os.PathLike[str], name: str) -> tuple[np.ndarray, int]:
    """Pixels and number of frames of the file at `path`."""
    from PIL import Image

    _check_file(path, name)
    with _pillow(name, "is not a picture in a known format such as PNG, JPEG, TIFF or WebP"):
        picture = Image.open(path)
    with picture:
        return _from_pil(picture, name)


def _check_file(path: str | os.PathLike[str], name: str) -> None:
    """Refuses what the first bytes, or their absence, already give away."""
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
        raise PictureError(f"{name} may not be read: check its permissions.") from error
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
    from PIL import Image, ImageOps

    if not isinstance(picture, Image.Image):
        kinds = "expected a path, a PIL image, a NumPy array or a tensor"
        raise PictureError(f"{name} is not a picture: {kinds}.")
    _check_size(*picture.size, name)
    with _pillow(name, "is damaged or cut short, save or download it again"):
        picture.load()
        upright = picture
        with contextlib.suppress(Exception):  # unreadable EXIF tells no orientation
            upright = ImageOps.exif_transpose(picture)
        _check_size(*upright.size, name)  # icons and the like change size when decoded
        return _pixels(upright, name), _frames(picture)


def _pixels(picture: Image.Image, name: str) -> np.ndarray:
    """Decoded PIL image of any mode -> (H, W, 1 or 3) float32 in [0, 1]."""
    mode = picture.mode
    clear = mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info
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


def _frames(picture: Image.Image) -> int:
    """How many frames an animation has; a photograph's built-in preview is not one."""
    if picture.format in ("MPO", "PSD") or not getattr(picture, "is_animated", False):
        return 1
    if picture.tell():  # opened elsewhere, and this frame chosen there
        return 1
    try:
        return int(getattr(picture, "n_frames", 1))
    except Exception:  # counting reads to the end, which may be missing; the first frame is there
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
    """(H, W) or (H, W, 1, 3 or 4) of any accepted kind -> (H, W, 1 or 3) float32 in [0, 1]."""
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
    """Floats must be finite and lie in [0, 1], give or take a rounding."""
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
        raise PictureError(f"{size}, but a side may have {MAX_SIDE} at most: scale it down first.")
    if min(width, height) < MIN_SIDE:
        raise PictureError(f"{size}, but a side needs {MIN_SIDE} at least: take a larger picture.")


def _too_many_pixels(name: str, size: str = "") -> str:
    limit = MAX_PIXELS // 1_000_000
    return f"{name} claims more than {limit} megapixels{size}: scale it down first."


def name_of(source: object) -> str:
    """What to call `source` in a sentence; always on one line."""
    if isinstance(source, (str, os.PathLike)):
        shown = "".join(c if c.isprintable() else "?" for c in os.fsdecode(source))
        return shown or "''"
    kinds = {Tensor: "The tensor", np.ndarray: "The array"}
    for kind, name in kinds.items():
        if isinstance(source, kind):
            return name
    file = getattr(source, "filename", None)  # of a PIL image
    return name_of(file) if isinstance(file, str) and file else f"The {type(source).__name__}"


def reason(error: BaseException) -> str:
    """The first line of an error, to stand between brackets."""
    text = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    return text.strip().rstrip(".")
