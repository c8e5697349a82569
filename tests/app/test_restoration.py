"""Every request makes a task that can be fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dip_lite.app.events import Finished, Frame
from dip_lite.app.fitting import stream_fit
from dip_lite.app.request import RunRequest
from dip_lite.app.restoration import Inputs, build_restoration
from dip_lite.app.uploads import Picture
from tests.app.helpers import LIMITS, TEXTURE, TINY


@pytest.mark.parametrize(
    "asked",
    [
        {"task": "denoise"}, {"task": "denoise", "plain_prior": True},
        {"task": "denoise", "noise": 0}, {"task": "jpeg"}, {"task": "jpeg", "quality": 0},
        {"task": "inpaint", "mask": "text"}, {"task": "inpaint", "mask": "hole"},
        {"task": "inpaint", "mask": "random"}, {"task": "inpaint", "mask": "scratches"},
        {"task": "super-resolve", "factor": 2},
        {"task": "super-resolve", "factor": 2, "downscale": False}, {"task": "flash"},
        {"task": "flash", "noise": 60}, {"task": "invert", "layer": "conv2"},
        {"task": "denoise", "lr": 0.01, "reg_noise_std": 0.1},
    ],
)  # fmt: skip
def test_every_request_makes_a_task(asked: dict[str, Any], tmp_path: Path) -> None:
    request, inputs = RunRequest.parse(**TINY | asked | {"steps": 2}), Inputs(Picture(TEXTURE))
    restoration = build_restoration(request, inputs, LIMITS)
    assert restoration.before.shape[2:] == restoration.task.size
    assert restoration.truth is None or restoration.truth.shape[2:] == restoration.task.size
    if asked.get("lr"):
        assert restoration.task.settings.lr == 0.01 and restoration.task.reg_noise_std == 0.1
    *_, last_but_one, end = stream_fit(request, inputs, LIMITS, tmp_path)
    assert isinstance(last_but_one, Frame) and isinstance(end, Finished)
    assert last_but_one.step == 2 and ("psnr" in end.numbers) == (restoration.truth is not None)
