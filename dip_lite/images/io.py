"""Pictures in, pictures out.

Everywhere in this package a picture is one tensor of shape (1, C, H, W), float32 in [0, 1], with
C = 1 (grey) or 3 (RGB).

    x = load("photo.jpg")                # or an array, a tensor, a PIL image
    save(x, "photo.png")
    padded, size = pad_reflect(x, 32)    # crop(padded, size) gives x again

What cannot be read or written raises `PictureError`, with one sentence for the user.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import secrets
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import PictureError, PictureWarning, name_of, reason
from .decode import decode

if TYPE_CHECKING:
    from PIL import Image

# What `save` writes, by suffix, with the settings that lose least.
_WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".bmp": ("BMP", {}),
}
SAVED = tuple(_WRITERS)  # the suffixes


def load(source: str | os.PathLike[str] | Image.Image | np.ndarray | Tensor) -> Tensor:
    """A checked picture from a file, a PIL image, an array or a tensor.

    Args:
        source: a path; a PIL image; an array (H, W) or (H, W, C) of uint8, uint16, bool, or floats
            in [0, 1]; a tensor (H, W), (C, H, W) or (1, C, H, W) of the same kinds. C is 1, 3 or 4.

    Returns:
        (1, C, H, W) float32 in [0, 1] on the CPU, C = 1 for grey and 3 for colour; a fresh copy.

    Raises:
        PictureError: the input is not a picture between 16 and 4096 pixels a side.

    >>> load(np.full((16, 24), 255, np.uint8)).shape
    torch.Size([1, 1, 16, 24])
    """
    values, frames = decode(source)
    if frames > 1:
        message = f"{name_of(source)} has {frames} frames; only the first is used."
        warnings.warn(message, PictureWarning, stacklevel=2)
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None]  # (1, C, H, W)


# --- writing


def to_uint8(x: Tensor) -> np.ndarray:
    """(1, C, H, W) in [0, 1] -> rounded bytes (H, W) or (H, W, 3); values outside are clamped.

    >>> to_uint8(torch.tensor([0.0, 0.2, 1.0]).view(1, 1, 1, 3)).tolist()
    [[0, 51, 255]]
    """
    if x.ndim != 4 or x.shape[0] != 1 or x.shape[1] not in (1, 3):
        raise PictureError(f"The tensor has shape {tuple(x.shape)}: expected (1, 1 or 3, H, W).")
    values = x.detach()[0].float().cpu().numpy()  # (C, H, W); NumPy starts no threads
    if bad := values.size - np.count_nonzero(np.isfinite(values)):
        raise PictureError(f"The tensor has {bad} values that are NaN or infinite: not a picture.")
    scaled = np.clip(values, 0, 1) * np.float32(255)
    pixels = np.rint(scaled, out=scaled).astype(np.uint8)
    return pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))


def to_pil(x: Tensor) -> Image.Image:
    """The PIL image (mode L or RGB) of a picture."""
    from PIL import Image

    return Image.fromarray(to_uint8(x))


def encode_png(x: Tensor, fast: bool = False) -> bytes:
    """A picture as PNG, 8 bits a channel; `fast` is larger by little, for noise not at all."""
    memory = io.BytesIO()
    options = {"compress_level": 1, "compress_type": zlib.Z_RLE} if fast else {}
    to_pil(x).save(memory, "PNG", **options)
    return memory.getvalue()


def encode_webp(
    x: Tensor | Image.Image, side: int = 512, quality: int = 82, method: int = 1
) -> bytes:
    """A picture as WebP, its longer side at most `side` pixels; `method` 0 is fast, 6 small."""
    from PIL import Image

    picture = x if isinstance(x, Image.Image) else to_pil(x)
    scale = side / max(picture.size)
    if scale < 1:
        width, height = (max(1, round(length * scale)) for length in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    memory = io.BytesIO()
    picture.save(memory, "WEBP", quality=quality, method=method)
    return memory.getvalue()


def data_uri(x: Tensor | Image.Image, side: int = 512, quality: int = 82) -> str:
    """The same, as an address that contains it."""
    return "data:image/webp;base64," + base64.b64encode(encode_webp(x, side, quality)).decode()


def save(x: Tensor, path: str | os.PathLike[str]) -> None:
    """Writes a picture, 8 bits a channel, in the format of the suffix; never half a file.

    Raises:
        PictureError: unknown suffix, no such folder, no permission, a full disk.
    """
    kind, options = _writer(path)
    memory = io.BytesIO()
    try:
        to_pil(x).save(memory, kind, **options)
    except (OSError, KeyError) as error:  # a Pillow built without this format
        raise PictureError(f"{name_of(path)} cannot be encoded as {kind}: use .png.") from error
    atomic_write(path, memory.getvalue())


def check_writable(path: str | os.PathLike[str], picture: bool = True) -> None:
    """Raises now what writing to `path` would raise after the work is done.

    Args:
        path: the file to be written later; it is left as it is.
        picture: also check that `save` knows the suffix; False for a report or another file.
    """
    if picture:
        _writer(path)
    _write(path, b"", keep=False)


def atomic_write(path: str | os.PathLike[str], data: bytes, sync: bool = False) -> None:
    """Puts `data` at `path` in one move: a reader sees the old file or the new one, nothing else.

    Args:
        path: the file; its folder must exist. A link is followed, not replaced.
        data: the file's content.
        sync: wait until the data is on the disk, so that it survives a power cut.

    Raises:
        PictureError: the file cannot be written; an old one is untouched.
    """
    _write(path, data, sync=sync)


def _write(
    path: str | os.PathLike[str], data: bytes, sync: bool = False, keep: bool = True
) -> None:
    try:
        target = Path(os.path.realpath(path))
        _check_target(target, name_of(path))
        temporary = target.with_name(f".dip-{secrets.token_hex(6)}.tmp")  # on the same disk
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
            if keep:
                os.replace(temporary, target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    except PictureError:
        raise
    except (OSError, ValueError) as error:
        raise PictureError(f"{name_of(path)} cannot be written ({reason(error)}).") from error


def _check_target(target: Path, name: str) -> None:
    """Refuses a folder, and what a root user could replace by mistake, such as /dev/null."""
    folder = target.parent
    if target.is_dir():
        raise PictureError(f"{name} is a folder: give the name of a file in it.")
    if target.exists() and not target.is_file():
        raise PictureError(f"{name} is a pipe or a device: give the name of a file.")
    if not folder.is_dir():
        why = "is not a folder" if folder.exists() else "does not exist"
        raise PictureError(f"{name} cannot be written: {name_of(folder)} {why}.")


def _writer(path: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        found = f"has the suffix {name_of(suffix)}" if suffix else "has no suffix"
        raise PictureError(f"{name_of(path)} {found}: use one of {', '.join(_WRITERS)}.")
    return _WRITERS[suffix]


# --- shapes


def check_same_size(
    x: Tensor, x_true: Tensor, what: str = "reference", of: str = "picture"
) -> None:
    """Raises PictureError, giving both sizes, unless `x_true` (the `what`) has x's size."""
    (h, w), (h_true, w_true) = x.shape[-2:], x_true.shape[-2:]
    if (h, w) != (h_true, w_true):
        raise PictureError(
            f"The {what} is {w_true}×{h_true} pixels (W×H), but the {of} is {w}×{h}: use one of "
            "the same size."
        )


def match_channels(x: Tensor, like: Tensor) -> Tensor:
    """`x` with as many channels as `like`: grey is repeated, RGB becomes its Rec. 601 luma.

    >>> red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    >>> match_channels(red, like=torch.zeros(1, 1, 8, 8))
    tensor([[[[0.2990]]]])
    """
    if x.shape[1] == like.shape[1]:
        return x
    if x.shape[1] == 1:
        return x.repeat(1, like.shape[1], 1, 1)
    luma = x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)  # ITU-R BT.601
    return (x * luma).sum(1, keepdim=True)


def pad_reflect(
    x: Tensor, size_divisor: int, min_multiples: int = 1
) -> tuple[Tensor, tuple[int, int]]:
    """Pads right and bottom by reflection to multiples of `size_divisor`.

    The reflection repeats as often as needed; torch's own cannot exceed the picture's side.

    Args:
        x: picture, (1, C, H, W).
        size_divisor: each side becomes a multiple of it, in pixels.
        min_multiples: the least number of multiples a side.

    Returns:
        the padded picture, and the (H, W) that `crop` needs to undo it.

    >>> x = torch.tensor([[1.0, 2.0, 3.0]]).view(1, 1, 1, 3)
    >>> pad_reflect(x, 8)[0][0, 0, 0]
    tensor([1., 2., 3., 2., 1., 2., 3., 2.])
    """
    h, w = x.shape[-2:]
    for dim, side in ((-2, h), (-1, w)):
        length = max(-(-side // size_divisor), min_multiples) * size_divisor
        if length > side:
            period = max(2 * (side - 1), 1)  # 0 1 2 3 2 1 | 0 1 2 3 ...
            index = torch.arange(length, device=x.device) % period
            x = x.index_select(dim, torch.where(index < side, index, period - index))
    return x, (h, w)


def crop(x: Tensor, size: tuple[int, int]) -> Tensor:
    """The top left (H, W) of a picture: undoes `pad_reflect`."""
    return x[..., : size[0], : size[1]]
