"""The authors' runs as snapshots; how they are fetched is in tests/images/test_paper_runs.py."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import pytest

from dip_lite import load, paper_run, psnr, psnrs
from dip_lite.viz.scrubber import Scrubber

from .images.test_paper_runs import FOLDER, shared, tiny
from .images.test_samples import PAPER, Server, server

__all__ = ["server", "tiny"]  # the fixtures


def test_snapshots_hold_what_is_known(tiny: Server) -> None:
    snaps = paper_run("tiny", count=4)
    assert [snap.step for snap in snaps] == [snap.best_step for snap in snaps] == [0, 50, 150, 450]
    for snap in snaps:
        assert snap.x.shape == (1, 3, 96, 128)
        assert snap.x is snap.x_avg is snap.best is snap.network
        assert all(math.isnan(value) for value in (snap.loss, snap.seconds, snap.variance))
        assert not snap.stop_reason and not snap.rollback
    assert [snap.step for snap in paper_run("tiny", steps=[50, 0])] == [0, 50]


def test_a_run_of_which_only_pictures_are_known_can_be_scrubbed(tiny: Server) -> None:
    scrubber = Scrubber(paper_run("tiny", count=4), which="best")
    rows = scrubber.run["frames"]
    assert [row[:5] for row in rows] == [[step, *[None] * 4] for step in (0, 50, 150, 450)]
    assert all(row[5] > 0 and row[6] == 0 for row in rows)  # one picture a frame
    run = re.search(r"still\(document.body, (\{.*?\}), decode", scrubber.to_html())
    assert run and len(json.loads(run[1])["frames"]) == 4


@shared
def test_the_snail_of_the_paper(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every frame comes over HTTP with its hash, and nears the JPEG file that was fitted."""
    monkeypatch.setenv("DIP_LITE_RUNS", server.address)
    for path in (FOLDER / "snail").glob("*.png"):
        server.files[f"snail/{path.name}"] = path.read_bytes()
    x0 = load(PAPER / "snail.jpg")[..., 2:258, 8:392]  # cropped as the authors do
    snaps = paper_run("snail")
    assert len(snaps) == len(server.asked) == 24
    near = psnrs(snaps, x0)
    assert near[-1] == max(near) > near[1] + 15 and 29 < near[-1] < 29.5
    assert len(Scrubber(snaps, which="best", x0=x0).to_html().encode()) <= 400_000


@shared
@pytest.mark.parametrize("name", ["F16", "library"])
def test_others_come_from_a_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(FOLDER / name, tmp_path / name)
    monkeypatch.setenv("DIP_LITE_RUNS", str(tmp_path))
    steps = [int(path.stem) for path in (FOLDER / name).glob("*.png")]
    snaps = paper_run(name, steps=steps)
    assert [snap.step for snap in snaps] == sorted(steps)
    if name == "F16":  # the hill of the paper
        x_true = load(PAPER / "F16.png")
        of = {snap.step: psnr(snap.x, x_true) for snap in snaps}
        assert of[1600] > of[200] + 7 and of[1600] > of[2800] + 2
