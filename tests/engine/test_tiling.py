"""Tiles cover a picture, and what is kept of them covers it once they lose their margins."""

from dataclasses import replace

import pytest
import torch

from dip_lite.engine.settings import Settings
from dip_lite.engine.tiling import inner_window, match_low_frequencies, plan_tiles


def test_a_small_picture_has_no_tiles_and_a_large_one_has() -> None:
    settings = replace(Settings(), tile_above=128 * 128, tile_side=64)
    assert plan_tiles(torch.zeros(1, 1, 128, 128), 32, settings) == []
    windows = plan_tiles(torch.zeros(1, 1, 128, 160), 32, settings)
    assert len(windows) == 12 and len({(w[0].start, w[1].start) for w in windows}) == 12
    assert windows != plan_tiles(torch.zeros(1, 1, 128, 160), 32, settings, seed=1)  # their order


def test_without_margins_every_pixel_is_still_kept() -> None:
    settings, seen = replace(Settings(), tile_above=0, tile_side=128), torch.zeros(256, 192)
    for window in plan_tiles(torch.zeros(1, 1, 256, 192), 64, settings):
        kept, inside = inner_window(window, (256, 192), settings.tile_margin)
        seen[kept] += 1
        assert seen[kept].shape == torch.zeros(128, 128)[inside].shape
    assert bool((seen > 0).all())


def test_low_frequencies_are_those_of_the_guess_and_detail_stays() -> None:
    x, guess = torch.rand(1, 3, 64, 96) - 0.5, torch.full((1, 3, 64, 96), 0.7)
    matched = match_low_frequencies(x, guess)
    assert abs(float(matched.mean()) - 0.7) < 0.01
    detail = x[..., 1:] - x[..., :-1], matched[..., 1:] - matched[..., :-1]
    assert float((detail[0] - detail[1]).abs().max()) < 0.05


@pytest.mark.parametrize("wrong", [{"tile_side": 0}, {"tile_margin": -1}])
def test_tile_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="tile_side must be ≥ 1 and tile_margin ≥ 0"):
        Settings(**wrong)
