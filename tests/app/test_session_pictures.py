"""The pictures of a session: what is kept, and when it is deleted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dip_lite.app.request import RunRequest
from dip_lite.app.session_pictures import SessionPictures
from dip_lite.app.sessions import Sessions
from dip_lite.errors import UserError
from tests.app.helpers import LIMITS, TINY, add, add_sample, last, picture


def pictures_of(sessions: Sessions, key: str) -> SessionPictures:
    with sessions.pictures(key) as pictures:
        return pictures


def test_a_run_is_about_what_the_page_shows(sessions: Sessions, tmp_path: Path) -> None:
    """Also when Run is pressed before the upload is read, or the connection broke in between."""
    mine = str(picture(tmp_path / "mine.png", (48, 40)))
    request, shown = RunRequest.parse(**TINY, noise=0), {"picture": mine, "sample": "coffee"}
    assert last(sessions.run("a", request, shown=shown))["size"] == (48, 40)
    assert last(sessions.run("b", request, shown={"sample": "coffee"}))["size"] == (64, 64)
    coffee = pictures_of(sessions, "b").picture().x
    cat = pictures_of(sessions, "c").picture().x  # of a page that shows nothing else
    assert not torch.equal(coffee, cat)
    sessions.leave("a")
    assert not Path(mine).exists()
    with pytest.raises(UserError, match="when you left"):
        last(sessions.run("a", request, shown=shown))


def test_a_file_that_two_have_brought_goes_with_the_second(
    sessions: Sessions, tmp_path: Path
) -> None:
    path = picture(tmp_path / "both.png")
    for key in "ab":
        add(sessions, key, path)
    sessions.leave("a")
    assert path.exists()
    with sessions.pictures("b") as pictures:
        pictures.remove("picture")
    assert not path.exists()


def test_what_is_replaced_is_deleted(sessions: Sessions, tmp_path: Path) -> None:
    first, second, mask = (picture(tmp_path / f"{n}.png", seed=n) for n in range(3))
    add(sessions, "a", first)
    add(sessions, "a", mask, "mask")
    add(sessions, "a", second)
    assert not first.exists() and not mask.exists() and second.exists()
    add(sessions, "a", picture(mask), "mask")
    shown = {"picture": str(picture(first)), "mask": str(mask)}  # Run was faster than the page
    with pytest.raises(UserError, match="Upload a mask"):
        last(
            sessions.run("a", RunRequest.parse(**TINY, task="inpaint", mask="upload"), shown=shown)
        )
    assert first.exists() and not second.exists() and not mask.exists()
    add_sample(sessions, "a")
    assert not first.exists()
    sessions.leave("a")
    assert not any(tmp_path.glob("*.png"))


def test_a_file_uploaded_again_is_left_to_its_new_owner(sessions: Sessions, tmp_path: Path) -> None:
    """Gradio stores by content: the second visitor's upload takes the first one's place."""
    path = picture(tmp_path / "same.png")
    add(sessions, "a", path)
    picture(tmp_path / "new.png").replace(path)  # "b" has uploaded it and not come to `take` yet
    sessions.leave("a")
    assert path.exists()
    assert add(sessions, "b", path).x.shape[2:] == (40, 48)
    sessions.leave("b")
    assert not path.exists()


def test_a_mask_costs_little(sessions: Sessions, tmp_path: Path) -> None:
    large = np.zeros((900, 1200, 3), np.uint8)
    large[:, 300] = 255
    Image.fromarray(large).save(tmp_path / "mask.png")
    add(sessions, "a", tmp_path / "mask.png", "mask")
    kept = next((tmp_path / "visitors").rglob("mask.npy"))
    assert kept.stat().st_size < LIMITS.max_pixels + 200
    values = np.load(kept)
    assert values.dtype == np.uint8 and values.shape[0] == 1 and (values == 255).any(2).all()


def test_the_file_of_an_uploaded_jpeg_is_read_when_it_counts(
    sessions: Sessions, tmp_path: Path
) -> None:
    """Not when damage is added first, nor for a picture that was scaled down or is no JPEG."""
    asked = {
        name: RunRequest.parse(task="jpeg", quality=q) for name, q in (("own", 0), ("made", 9))
    }
    blocky, large = tmp_path / "blocky.jpg", tmp_path / "large.jpg"
    with Image.open(picture(tmp_path / "clean.png", (48, 40))) as clean:
        clean.save(blocky, quality=20)
        clean.resize((480, 400)).save(large, quality=20)
    add(sessions, "a", blocky)
    mine = pictures_of(sessions, "a")
    constraint = mine.inputs(asked["own"]).constraint
    assert constraint is not None and constraint.size == tuple(mine.picture().x.shape[2:])
    assert mine.inputs(asked["made"]).constraint is None
    assert mine.inputs(RunRequest.parse(**TINY)).constraint is None
    for path in (large, picture(tmp_path / "other.png")):
        add(sessions, "a", path)
        assert mine.inputs(asked["own"]).constraint is None
