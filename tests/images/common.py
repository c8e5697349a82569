"""What the tests of pictures share: pictures, and two checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dip_lite.errors import PictureError

GREY = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
RGB = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
WIDE = np.random.default_rng(2).integers(0, 65536, (20, 30), dtype=np.uint16)
X = torch.from_numpy(RGB.transpose(2, 0, 1)[None] / np.float32(255))


def one_sentence(call: Callable[[], object], *phrases: str) -> str:
    """The message of the PictureError that `call` raises: one line, with these phrases."""
    with pytest.raises(PictureError) as caught:
        call()
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.endswith(".") and not message.endswith("..")
    for phrase in phrases:
        assert phrase in message
    return message


def close(x: torch.Tensor, values: Any, tolerance: float = 1e-6) -> bool:
    """`x` holds the (H, W) or (H, W, 3) `values` on the [0, 1] scale, as a checked picture."""
    expected = np.asarray(values, np.float64)
    expected = expected[..., None] if expected.ndim == 2 else expected
    assert x.dtype == torch.float32 and x.is_contiguous()
    assert x.shape == (1, expected.shape[2], *expected.shape[:2])
    return bool(np.abs(x[0].permute(1, 2, 0).double().numpy() - expected).max() <= tolerance)
