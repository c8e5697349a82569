"""Every way to degrade a picture."""

from __future__ import annotations

import torch

import dip_lite as dip
from dip_lite.sweep.degradation import DEGRADATIONS, check_degrade, degrade

from .helpers import assert_one_sentence


def test_every_way_to_degrade(picture: str) -> None:
    x = dip.load(picture)
    other = {"mask": (x[:, :1] > 0.4).float(), "file": dip.add_noise(x, 0.2)}
    amounts = {"sigma": 0.1, "quality": 10, "missing": 0.5, "scratches": 9, "hole": 0.1}
    amounts |= {"squares": "9 8", "factor": 4, "photons": 0.1, "impulses": 0.2}
    for way in DEGRADATIONS:
        how = {way: amounts.get(way, way)}
        check_degrade(how)
        degraded = degrade(x, how, 3, other)
        assert degraded.x_true is not None and degraded.x0.shape[1] == 3
        assert degraded.enlarged().shape == degraded.x_true.shape
        assert 5 < dip.psnr(degraded.enlarged(), degraded.x_true) < 40
        if "mask" in degraded.settings:
            assert torch.equal(degraded.x0, x * degraded.settings["mask"])
    assert torch.equal(degrade(x, {"sigma": 0.1, "seed": 7}).x0, dip.add_noise(x, 0.1, seed=7))
    assert degrade(x, {}).x0 is x and degrade(x, {}).x_true is None
    assert_one_sentence(lambda: degrade(x, {"factor": 1}), "factor", "1")
