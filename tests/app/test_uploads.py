"""Pictures and masks from files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dip_lite.app.uploads import Picture, fit_mask, read_picture
from dip_lite.errors import UserError
from tests.app.helpers import picture


def test_a_mask_of_another_size_covers_all_it_touches() -> None:
    painted = torch.zeros(1, 1, 20, 30)
    painted[..., 5, 7] = 1
    mask = fit_mask(painted, Picture(torch.zeros(1, 3, 40, 60)))
    assert (mask[..., 10:12, 14:16] == 0).all() and float(1 - mask.mean()) < 0.02
    with pytest.raises(UserError, match="same shape"):
        fit_mask(painted, Picture(torch.zeros(1, 3, 40, 40)))
    with pytest.raises(UserError, match="hides nothing"):
        fit_mask(0 * painted, Picture(torch.zeros(1, 3, 40, 60)))


def test_a_large_picture_is_made_smaller_and_says_so(tmp_path: Path) -> None:
    read = read_picture(str(picture(tmp_path / "a.png", (400, 100))), max_pixels=10_000)
    assert read.x.shape[2:] == (50, 200) and "400×100" in read.note
