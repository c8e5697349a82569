"""A picture as the page shows it: a small, lossy WebP."""

from __future__ import annotations

import base64
import io

from torch import Tensor

from ..images.io import to_pil
from ..viz.sheets import scale_to


def encode_webp(x: Tensor, side: int = 512, quality: int = 82) -> bytes:
    """(1, C, H, W) in [0, 1] as WebP, its longer side at most `side` pixels."""
    memory = io.BytesIO()
    to_pil(scale_to(x, side)).save(memory, "WEBP", quality=quality, method=1)
    return memory.getvalue()


def data_uri(x: Tensor) -> str:
    """The same, as an address that contains it."""
    return "data:image/webp;base64," + base64.b64encode(encode_webp(x)).decode()
