"""Many pictures by one command: which, where to, and what becomes of the bad ones."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import dip_lite as dip
from dip_lite.__main__ import main
from dip_lite.cli import batch
from dip_lite.cli.files import find_companion, find_pictures, is_many, name_outputs
from dip_lite.cli.report import Result
from dip_lite.cli.request import RestoreRequest
from dip_lite.errors import PictureError
from dip_lite.images.masks import scratches

SIZE = (32, 40)  # H, W
SHORT = ("--preset", "tiny", "--steps", 2)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a test, with three pictures in `in`."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number, name in enumerate(("a.png", "b.png", "c.jpg")):
        dip.save(dip.add_noise(_clean(number), 25 / 255, seed=number), f"in/{name}")
    return tmp_path


def _clean(number: int) -> torch.Tensor:
    left = 100 + 60 * number
    return dip.sample("chelsea")[..., 100 : 100 + SIZE[0], left : left + SIZE[1]]


def run(*arguments: object) -> int:
    return main([str(word) for word in arguments])


def names(place: str) -> list[str]:
    return sorted(path.name for path in Path(place).iterdir())


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of stderr that are no progress bars."""
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    return [line for line in lines if line.strip() and "%|" not in line]


# --- which pictures, and where to


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["in"], ["a.png", "b.png", "c.jpg"]),
        (["in/*.png"], ["a.png", "b.png"]),
        (["in/b.png", "in"], ["b.png", "a.png", "c.jpg"]),
        (["in/a.png", "in/../in/a.png"], ["a.png"]),
        (["**/c.*"], ["c.jpg"]),
        (["in/none.png"], ["none.png"]),  # it is missed when it is its turn
    ],
)
def test_the_words_name_pictures_once_each(
    arguments: list[str], expected: list[str], folder: Path
) -> None:
    Path("in/notes.txt").write_text("not a picture")
    Path("in/.hidden.png").touch()
    Path("in/deeper.png").mkdir()
    assert [Path(path).name for path in find_pictures(arguments)] == expected


def test_a_file_with_brackets_is_no_pattern(folder: Path) -> None:
    shutil.copy("in/a.png", "in/a[1].png")
    assert find_pictures(["in/a[1].png"]) == ["in/a[1].png"]
    assert not is_many(["in/a[1].png"]) and is_many(["in/[ab].png"]) and is_many(["in"])


def test_results_are_named_after_their_pictures() -> None:
    pictures = ["a.jpg", "x/b.jpg", "y/B.png", "z/b.jpg"]
    found = [Path(path).name for path in name_outputs(pictures, "out", pictures)]
    assert found == ["a.png", "b.jpg.png", "B.png.png", "b.jpg-2.png"]


def test_no_result_takes_the_place_of_an_input(folder: Path) -> None:
    Path("in/masks").mkdir()
    shutil.copy("in/a.png", "in/masks/b.png")
    pictures = ["in/a.png", "in/c.jpg"]
    assert name_outputs(pictures, "in", pictures) == ["in/a.png.png", "in/c.png"]
    assert name_outputs(["in/b.png"], "in/masks", ["in/masks"]) == ["in/masks/b.png.png"]


def test_companions_go_by_name(folder: Path) -> None:
    assert find_companion(None, "in/a.png", "mask") is None
    assert find_companion("one.png", "in/a.png", "mask") == "one.png"
    assert find_companion("in", "elsewhere/b.png", "mask") == str(Path("in/b.png"))
    assert find_companion("in", "elsewhere/c.png", "mask") == str(Path("in/c.jpg"))
    with pytest.raises(PictureError, match=r"in has no mask for d\.png: name it d\.png"):
        find_companion("in", "d.png", "mask")
    shutil.copy("in/a.png", "in/c.tif")
    with pytest.raises(PictureError, match=r"c\.jpg and c\.tif: which is the mask for c\.png"):
        find_companion("in", "c.png", "mask")


# --- what comes out


def test_a_folder_becomes_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("denoise", "in", "-o", "new/out", *SHORT, "--report", "r.json") == 0
    assert names("new/out") == ["a.png", "b.png", "c.png"]
    entries = json.loads(Path("r.json").read_text())
    assert [Path(entry["picture"]).name for entry in entries] == ["a.png", "b.png", "c.jpg"]
    assert all(entry["steps"] == 2 for entry in entries)
    assert "Restored 3 of 3 pictures into new/out." in capsys.readouterr().out


def test_each_result_is_that_of_its_own_command(folder: Path) -> None:
    assert run("denoise", "in/a.png", "in/b.png", "-o", "out", *SHORT) == 0
    assert run("denoise", "in/b.png", "-o", "single.png", *SHORT) == 0
    assert np.array_equal(np.array(Image.open("out/b.png")), np.array(Image.open("single.png")))


def test_one_picture_may_go_into_a_folder(folder: Path) -> None:
    Path("out").mkdir()
    assert run("denoise", "in/a.png", "-o", "out", *SHORT) == 0
    assert run("denoise", "in/c.jpg", "-o", "new/", *SHORT) == 0
    assert names("out") == ["a.png"] and names("new") == ["c.png"]


def test_masks_and_references_from_folders(folder: Path) -> None:
    for place in ("masks", "true"):
        Path(place).mkdir()
    for number, name in enumerate("abc"):
        dip.save(1 - scratches(SIZE, seed=number, number=1 + number), f"masks/{name}.png")
        dip.save(_clean(number), f"true/{name}.png")
    arguments = ("--mask", "masks", "--reference", "true", "--report", "r.json")
    assert run("inpaint", "in", "-o", "out", *SHORT, *arguments) == 0
    entries = json.loads(Path("r.json").read_text())
    assert [Path(entry["mask"]).name for entry in entries] == ["a.png", "b.png", "c.png"]
    assert len({entry["missing"] for entry in entries}) == 3
    assert all(entry["psnr"] > 15 for entry in entries)
    assert run("inpaint", "in", "-o", "out2", *SHORT, "--mask", "masks/a.png") == 0  # one for all


def test_flash_pictures_from_a_folder(folder: Path) -> None:
    Path("flashes").mkdir()
    for number, name in enumerate("abc"):
        dip.save(_clean(number), f"flashes/{name}.png")
    assert run("flash", "in", "-o", "out", *SHORT, "--flash", "flashes") == 0
    assert names("out") == ["a.png", "b.png", "c.png"]


def test_a_record_for_each_and_a_batch_can_go_on(folder: Path) -> None:
    """One run unfinished and one never begun: the same command with --resume does the rest."""
    arguments = ("in/*.png", "-o", "out", "--preset", "tiny", "--no-stop")
    assert run("denoise", *arguments, "--steps", 8) == 0
    whole = [np.array(Image.open(f"out/{name}.png")) for name in "ab"]
    assert run("denoise", *arguments, "--steps", 3, "--record", "rec") == 0
    assert names("rec") == ["a", "b"]
    shutil.rmtree("rec/b")
    assert run("denoise", *arguments, "--steps", 8, "--resume", "rec") == 0
    assert names("rec") == ["a", "b"]
    parts = [np.array(Image.open(f"out/{name}.png")) for name in "ab"]
    assert all(np.array_equal(one, other) for one, other in zip(whole, parts, strict=True))


# --- what becomes of the bad ones


def test_a_bad_file_does_not_stop_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("in/b.png").write_text("<html>no picture</html>")
    arguments = ("in", "in/none.png", "-o", "out", "--report", "r.json")
    assert run("denoise", *arguments, *SHORT) == 1
    assert names("out") == ["a.png", "c.png"]
    page, missing = said(capsys)
    assert "in/b.png is a web page" in page and "in/none.png does not exist" in missing
    entries = json.loads(Path("r.json").read_text())
    assert ["error" in entry for entry in entries] == [False, True, False, True]


def test_a_sentence_that_names_no_file_gets_its_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dip.save(1 - scratches((32, 32)), "mask.png")
    dip.save(torch.zeros(1, 3, 32, 32), "in/d.png")
    assert run("inpaint", "in", "-o", "out", *SHORT, "--mask", "mask.png") == 1
    assert names("out") == ["d.png"]
    faults = said(capsys)
    assert len(faults) == 3 and all("of the same size" in line for line in faults)
    assert [line.split(":")[0] for line in faults] == ["in/a.png", "in/b.png", "in/c.jpg"]


def test_all_bad_leaves_no_empty_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("in/x.png", "in/y.png", "-o", "deep/out", "--record", "rec")
    assert run("denoise", *arguments, *SHORT) == 1
    assert len(said(capsys)) == 2
    assert names(".") == ["in"]


WRONG: dict[str, tuple[list[object], str]] = {
    "folder with no picture": (["denoise", "empty", "-o", "out"], "empty has no picture"),
    "glob with no match": (["denoise", "in/*.tif", "-o", "out"], "in/*.tif"),
    "output called like a picture": (["denoise", "in", "-o", "out.png"], "out.png"),
    "output that is a file": (["denoise", "in", "-o", "notes"], "notes is a file"),
    "output inside a file": (["denoise", "in", "-o", "notes/out"], "notes/out"),
    "records in a file": (["denoise", "in", "-o", "out", "--record", "notes"], "notes is a file"),
    "no such records": (["denoise", "in", "-o", "out", "--resume", "rec"], "rec"),
    "report unwritable": (["denoise", "in", "-o", "out", "--report", "no/r.json"], "no/r.json"),
    "report over a picture": (["denoise", "in", "-o", "out", "--report", "out/a.png"], "the same"),
    "unknown device": (["denoise", "in", "-o", "out", "--device", "tpu9"], "tpu9"),
    "no output": (["denoise", "in"], "--output"),
    "no picture": (["denoise", "-o", "out"], "PICTURE"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_command_is_one_sentence_and_leaves_nothing(
    case: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    Path("notes").write_text("no folder")
    before = sorted(map(str, folder.rglob("*")))
    arguments, expected = WRONG[case]
    assert run(*arguments) == 2
    (sentence,) = said(capsys)
    assert expected in sentence and sentence.endswith(".")
    assert sorted(map(str, folder.rglob("*"))) == before


# --- Ctrl-C


@pytest.mark.parametrize("when", ["while it fits", "before it fits"])
def test_ctrl_c_begins_no_other(
    when: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real: Callable[..., Result] = batch.restore

    def interrupted(request: RestoreRequest, label: str = "") -> Result:
        result = real(request, label)
        if "b.png" not in request.picture:
            return result
        if when == "before it fits":
            raise KeyboardInterrupt
        return Result(result.output, "interrupted: Ctrl-C", result.report)

    monkeypatch.setattr(batch, "restore", interrupted)
    assert run("denoise", "in", "-o", "out", *SHORT) == 130
    (sentence,) = said(capsys)
    state = "out/b.png is the best so far" if when == "while it fits" else "nothing was written"
    assert state in sentence and "1 picture was not started" in sentence
    assert names("out") == ["a.png", "b.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one child")
def test_a_real_ctrl_c_keeps_the_best_so_far(folder: Path) -> None:
    arguments = ["in", "-o", "out", "--preset", "tiny", "--steps", "1000000", "--no-stop"]
    arguments += ["--record", "rec", "--report", "r.json"]
    root = str(Path(dip.__file__).parents[1])
    child = subprocess.Popen(
        [sys.executable, "-m", "dip_lite", "denoise", *arguments],
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not Path("rec/a/state.pt").exists():
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.05)
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    _, error = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in error and "2 pictures were not started" in error
    assert names("out") == ["a.png"]
    (entry,) = json.loads(Path("r.json").read_text())
    assert entry["stop_reason"].startswith("interrupted")
