"""What the tests of the command line share: one small scene, and short runs on it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import dip_lite as dip
from dip_lite.__main__ import main
from dip_lite.images.masks import scratches
from dip_lite.images.resample import Downsample

SIZE = (48, 61)  # H, W
# what each task needs beside its picture, and the size of what comes out
ARGUMENTS: dict[str, list[object]] = {
    "denoise": ["noisy.png", "--sigma", 25],
    "jpeg": ["blocky.jpg"],
    "inpaint": ["clean.png", "--mask", "mask.png"],
    "super-resolve": ["small.png", "--factor", 3],
    "flash": ["noisy.png", "--flash", "flash.png"],
    "tv": ["noisy.png", "--weight", 0.05],
}
TINY = ("--preset", "tiny")


def write_scene() -> None:
    """Writes one scene, degraded in every way, into the working folder."""
    clean = dip.sample("chelsea")[..., 100:148, 150:211]
    mask = scratches(SIZE, seed=1, number=4)
    dip.save(clean, "clean.png")
    dip.save(dip.add_noise(clean, 25 / 255), "noisy.png")
    dip.save((clean * 0.8 + 0.2), "flash.png")
    dip.save(1 - mask, "mask.png")
    dip.save(mask, "inverse.png")
    Image.open("clean.png").save("blocky.jpg", quality=10)
    dip.save(Downsample((48, 60), 3)(clean[..., :60]).clamp(0, 1), "small.png")
    dip.save(clean[..., :60], "large.png")


def run(*arguments: object) -> int:
    return main([str(word) for word in arguments])


def short(task: str, *arguments: object, steps: int = 3) -> int:
    """A few steps of a task on its own picture, into out.png."""
    preset = () if task == "tv" else TINY
    budget = () if {"--steps", "--resume"} & set(arguments) else ("--steps", steps)
    return run(task, *ARGUMENTS[task], *([] if "-o" in arguments else ["-o", "out.png"]), *preset,
               *budget, *arguments)  # fmt: skip


def pixels(name: str) -> np.ndarray:
    with Image.open(name) as picture:
        return np.array(picture)


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of stderr that is no progress bar and no note."""
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    lines = [line for line in lines if line and "%|" not in line and line[:5] != "Note:"]
    assert len(lines) == 1, lines
    assert lines[0].endswith("."), lines
    return lines[0]
