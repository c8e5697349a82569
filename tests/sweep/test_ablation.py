"""The table of lesson 03 that ships: whole, and fair."""

from __future__ import annotations

import pytest
import torch

import dip_lite as dip
from dip_lite.images.holes import square_mask
from dip_lite.nets.baselines import NETS
from dip_lite.sweep import ablation


def test_the_pictures_are_what_the_table_is_about() -> None:
    pictures = ablation.ablation_pictures()
    assert {tuple(x.shape) for x in pictures.values()} == {(1, 3, 256, 256)}
    assert {*ablation.ablation_table()["picture"]} == {*pictures}
    assert {*ablation.SHOWN} <= {*pictures}


def test_all_networks_fit_the_known_pixels_equally_well() -> None:
    table = ablation.ablation_table()
    fits = table.dropna(subset=["known"])
    assert {*fits["net"]} <= {*ablation.ORDER} <= {*NETS}
    assert {*table["net"]} - {*fits["net"]} == {"blur", "flat"}
    assert fits["known"].max() - fits["known"].min() < 1
    assert not table.duplicated(["picture", "net", "seed", "side"]).any()


def test_each_line_agrees_with_itself() -> None:
    """The error by distance, weighted by the pixels of each band, is the error of the hole."""
    for _, line in ablation.ablation_table().iterrows():
        total, side = 0.0, line["side"]
        for near in range(0, side // 2, 4):
            ring = (side - 2 * near) ** 2 - (side - 2 * near - 8) ** 2
            total += line[f"d{near + 4}"] ** 2 * ring
        assert 10 ** (-line["hole"] / 10) == pytest.approx(total / side**2, rel=0.02)


def test_the_tiles_are_what_was_fitted() -> None:
    tiles, square = ablation.ablation_tiles(), ablation.ablation_holes(0)[0]
    known = ablation.crop(square_mask((256, 256), ablation.ablation_holes(0)), square)
    for (picture, _), tile in tiles.items():
        x_true = ablation.crop(ablation.ablation_pictures()[picture], square)
        assert tile.shape == x_true.shape == (1, 3, ablation.TILE, ablation.TILE)
        where = known.bool().expand_as(tile)
        assert dip.psnr(tile[where], x_true[where]) > 22  # the fit's 30 dB, less the compression
        assert not torch.equal(tile[~where], x_true[~where])
