"""Square holes: where they lie, and how errors in them are measured."""

import pytest
import torch

from dip_lite import psnr
from dip_lite.images.holes import (
    error_profile,
    psnr_where,
    rim_distance,
    square_holes,
    square_mask,
)


@pytest.mark.parametrize("seed", range(20))
def test_holes_keep_their_distances(seed):
    squares = square_holes((256, 256), (96, 64, 32), seed)
    assert [side for _, _, side in squares] == [96, 64, 32]
    for top, left, side in squares:
        assert min(top, left) >= 24 and max(top, left) + side <= 256 - 24
    mask = square_mask((256, 256), squares)
    assert int((mask == 0).sum()) == 96**2 + 64**2 + 32**2  # so none overlap
    assert min(gaps(squares, number) for number in range(3)) >= 40


def gaps(squares, number):
    """The least distance along an axis from one hole to the others, the larger axis counting."""
    top, left, side = squares[number]
    found = []
    for other_top, other_left, other in squares[:number] + squares[number + 1 :]:
        down = max(top - other_top - other, other_top - top - side)
        across = max(left - other_left - other, other_left - left - side)
        found.append(max(down, across))
    return min(found)


def test_holes_are_drawn_from_the_seed():
    assert square_holes((256, 256), (96, 32), 3) == square_holes((256, 256), (96, 32), 3)
    assert square_holes((256, 256), (96, 32), 3) != square_holes((256, 256), (96, 32), 4)


@pytest.mark.parametrize("sides", [(), (0,), (240,), (96, 96, 96)])
def test_holes_that_cannot_be_are_one_sentence(sides):
    with pytest.raises(ValueError, match=r"sides must|do not fit"):
        square_holes((256, 256), sides)


def test_errors_are_counted_where_they_are():
    x_true, squares = torch.full((1, 3, 64, 64), 0.5), [(24, 24, 16)]
    mask = square_mask((64, 64), squares)
    x = x_true + 0.1 * (1 - mask)
    assert psnr_where(x, x_true, 1 - mask) == pytest.approx(20, abs=1e-3)
    assert psnr_where(x, x_true, mask) == psnr(x_true, x_true)  # infinite
    assert error_profile(x, x_true, squares[0]) == pytest.approx([0.1, 0.1], abs=1e-6)
    middle = x_true + 0.2 * (rim_distance(mask) > 4)
    assert error_profile(middle, x_true, squares[0]) == pytest.approx([0, 0.2], abs=1e-6)
