"""The authors' runs are fetched by hash, in order, or not at all."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import pytest

from dip_lite.images import paper_runs
from dip_lite.images.paper_runs import MANIFEST, RUNS, fetch_run, published

from .common import one_sentence
from .test_samples import MADE_UP, Server, kept, server

__all__ = ["server"]  # the fixture
FOLDER = Path(__file__).parents[2] / "../shared/data/paper_runs"
shared = pytest.mark.skipif(not FOLDER.is_dir(), reason="the authors' runs are not here")
SHA256 = hashlib.sha256(MADE_UP).hexdigest()


@pytest.fixture
def tiny(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server of one run, "tiny", with the iterations 0, 50 … 450."""
    manifest = {"tiny": {step: (len(MADE_UP), SHA256) for step in range(0, 500, 50)}}
    monkeypatch.setattr(paper_runs, "published", lambda: manifest)
    monkeypatch.setenv("DIP_LITE_RUNS", server.address)
    server.files |= {f"tiny/{step}.png": MADE_UP for step in manifest["tiny"]}
    return server


def asked(server: Server) -> list[int]:
    return [int(Path(path).stem) for path in server.asked]


# --- the manifest


def test_the_manifest_is_well_formed_and_small() -> None:
    assert list(published()) == list(RUNS)
    assert MANIFEST.stat().st_size <= 60_000
    rows = [(name, step, *of) for name, run in published().items() for step, of in run.items()]
    assert len(rows) == len({row[3] for row in rows}) == 524
    for _, step, size, sha256 in rows:
        assert step % 50 == 0 and 10_000 < size < 1_000_000
        assert len(sha256) == 64 and int(sha256, 16)


@shared
def test_the_manifest_is_the_shared_one() -> None:
    for line in (FOLDER / "MANIFEST.tsv").read_text().splitlines():
        path, size, sha256 = line.split("\t")
        _, name, file = path.split("/")
        assert published()[name][int(Path(file).stem)] == (int(size), sha256)


# --- fetching


def test_all_frames_come_in_order_and_once(tiny: Server, tmp_path: Path) -> None:
    found = fetch_run("tiny")
    assert list(found) == asked(tiny) == list(range(0, 500, 50))
    assert found[450] == tmp_path / "cache/paper_runs/tiny/450.png"
    assert {path.read_bytes() for path in found.values()} == {MADE_UP}
    assert fetch_run("tiny") == found
    assert len(tiny.asked) == 10


@pytest.mark.parametrize("count", range(1, 12))
def test_a_count_thins_them_out_and_keeps_both_ends(tiny: Server, count: int) -> None:
    steps = list(fetch_run("tiny", count))
    assert asked(tiny) == steps and len(steps) == min(count, 10)
    assert steps[-1] == 450 and (count == 1 or steps[0] == 0)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("count", [2, 8, 24, 39])
def test_gaps_never_shrink(name: str, count: int) -> None:
    steps = paper_runs._thin(list(published()[name]), count)
    gaps = [b - a for a, b in pairwise(steps)]
    assert len(steps) == count and steps[0] == 0 and steps[-1] == max(published()[name])
    assert all(b >= a - 50 for a, b in pairwise(gaps))  # rounding


def test_steps_by_name(tiny: Server) -> None:
    assert list(fetch_run("tiny", steps=(450, 100, 100))) == asked(tiny) == [100, 450]
    message = one_sentence(lambda: fetch_run("tiny", steps=(100, 120)), "'tiny'", "120", "0 to 450")
    assert "nearest is 100" in message


def test_a_folder_in_place_of_a_server(
    tiny: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIP_LITE_RUNS", str(tmp_path))
    path = tmp_path / "tiny/50.png"
    one_sentence(lambda: fetch_run("tiny", steps=[50]), "Iteration 50", "unset DIP_LITE_RUNS")
    path.parent.mkdir(parents=True)
    path.write_bytes(MADE_UP[:-1])
    one_sentence(lambda: fetch_run("tiny", steps=[50]), "another SHA-256", "unset DIP_LITE_RUNS")
    path.write_bytes(MADE_UP)
    assert fetch_run("tiny", steps=[50]) == {50: path}
    assert not tiny.asked


# --- what goes wrong


def test_unknown_names_list_the_known() -> None:
    one_sentence(lambda: fetch_run("cat"), "'cat'", *RUNS)


def test_no_frames(tiny: Server) -> None:
    one_sentence(lambda: fetch_run("tiny", 0), "1 or more", "0")


@pytest.mark.parametrize(
    "fault, expected",
    [("cut", "connection was cut"), ("other", "SHA-256 differs"), ("broken", "503")],
)
def test_what_is_not_the_frame_is_not_kept(
    tiny: Server, tmp_path: Path, fault: str, expected: str
) -> None:
    fetch_run("tiny", steps=[0])
    tiny.fault = fault
    one_sentence(lambda: fetch_run("tiny"), "Iteration 50", "'tiny'", expected, "DIP_LITE_RUNS")
    assert kept(tmp_path) == ["0.png"]
    tiny.fault = ""
    assert len(fetch_run("tiny")) == 10


def test_nobody_listens(tiny: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIP_LITE_RUNS", "http://127.0.0.1:1/")
    one_sentence(lambda: fetch_run("tiny"), "no connection", "set DIP_LITE_RUNS")
