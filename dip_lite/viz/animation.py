"""A run as an animated GIF or WebP.

labels = [f"step {snap.step}" for snap in snaps]
data = encode_animation([snap.x_avg for snap in snaps], labels, "gif")
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..images.io import to_pil
from .sheets import GAP, scale_to

if TYPE_CHECKING:
    from PIL import Image

FRAME_KINDS = ("x_avg", "x", "best")  # the pictures of a snapshot
FRAMES_PER_SECOND = 12  # at most
HOLD_SECONDS = 1.5  # how long the last frame is held


def encode_animation(
    pictures: Iterable[Tensor | Image.Image],
    labels: Sequence[str],
    kind: str,
    seconds: float = 6.0,
    side: int = 512,
    quality: int = 85,
) -> bytes:
    """An animated GIF or WebP, looped, each frame with its label beneath.

    Every frame is shown equally long, so that snapshots at logarithmic steps play evenly, and the
    last one 1.5 s longer.

    Args:
        pictures: (1, C, H, W) each or PIL images, all of one size; an iterator saves memory.
        labels: one for each picture.
        kind: "gif" (256 colours a frame) or "webp" (smaller, full colour).
        seconds: from the first frame to the last.
        side: larger tensors are scaled down to so many pixels; images stay as they are.
        quality: of WebP, 0 to 100.

    Raises:
        ValueError: another kind, no pictures, or not as many labels.
    """
    options: dict[str, dict[str, Any]] = {"gif": {}, "webp": {"quality": quality, "method": 3}}
    if kind not in options:
        raise ValueError(f"an animation must be gif or webp, got {kind!r}")
    width = _label_width(labels)
    frames = [_captioned(x, t, width, kind, side) for x, t in zip(pictures, labels, strict=True)]
    if not frames:
        raise ValueError("an animation needs at least one picture, got none")
    times = [max(20, round(1000 * seconds / len(frames)))] * len(frames)  # milliseconds
    times[-1] += round(1000 * HOLD_SECONDS)
    memory = io.BytesIO()
    frames[0].save(
        memory, kind, save_all=True, append_images=frames[1:], duration=times, loop=0,
        **options[kind],
    )  # fmt: skip
    return memory.getvalue()


def _label_width(labels: Sequence[str]) -> int:
    """Pixels the longest label needs."""
    from PIL import ImageFont

    font = ImageFont.load_default(14)
    return max((math.ceil(font.getlength(label)) + 2 * GAP for label in labels), default=0)


def _captioned(
    x: Tensor | Image.Image, label: str, width: int, kind: str, side: int
) -> Image.Image:
    """One frame: the picture, scaled, with its label beneath."""
    from PIL import Image, ImageDraw, ImageFont

    picture = x if isinstance(x, Image.Image) else to_pil(scale_to(x, side, side // 2))
    width = max(picture.width, width)
    canvas = Image.new(picture.mode, (width, picture.height + 24), "white")
    canvas.paste(picture, ((width - picture.width) // 2, 0))
    font = ImageFont.load_default(14)
    middle = (width / 2, picture.height + 12)
    ImageDraw.Draw(canvas).text(middle, label, fill="black", font=font, anchor="mm")
    if kind == "gif" and canvas.mode == "RGB":  # 256 colours of this frame's own, with dither
        return canvas.quantize(palette=canvas.quantize(256))
    return canvas
