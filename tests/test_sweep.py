"""Many runs at once: none is lost, none comes twice, whatever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import dip_lite as dip
from dip_lite.cell import Cell, SweepError, grid
from dip_lite.cluster import Site, connect
from dip_lite.grid_file import read_grid
from dip_lite.perform import How, Outcome, digest, fetch, perform
from dip_lite.shelf import Shelf
from dip_lite.spoil import WAYS, check_spoil, spoil
from dip_lite.sweep import sweep
from dip_lite.sweep_cli import sweep_verb

# of another process: it finds the package as it lies here, installed or not
HERE = dict(os.environ) | {"PYTHONPATH": str(Path(dip.__file__).parents[1])}

TINY = {"preset": "tiny"}
DEAD = "tcp://127.0.0.1:9"  # nobody listens there: whoever needs a cluster fails


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A clean picture of 64×48 pixels, as a file."""
    path = tmp_path_factory.mktemp("pictures") / "clean.png"
    dip.save(dip.sample("chelsea")[..., 100:148, 150:214], path)
    return str(path)


def some(picture: str, count: int = 3, steps: int = 12, **more: Any) -> list[Cell]:
    seeds = range(count)
    return grid([picture], "denoise", TINY, seeds, spoil={"sigma": 0.1}, steps=steps, **more)


def alone(cell: Cell, **how: Any) -> Outcome:
    """The cell run in this process."""
    return perform(cell, {name: fetch(name) for name in cell.files}, How(**how))


def fill(cells: list[Cell], folder: Path) -> list[dict[str, Any]]:
    """Puts the results of runs in this process into a sweep's folder."""
    shelf = Shelf(folder)
    return [shelf.keep(cell, How(), alone(cell)) for cell in cells]


def one_sentence(call: Callable[[], object], *words: str, kind: type = ValueError) -> None:
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert message.splitlines() == [message]
    for word in words:
        assert word in message


# --- cells


def test_a_grid_is_the_product_in_order() -> None:
    cells = grid(
        ["a.png", "b.png"],
        "denoise",
        {"preset": "tiny", "energy": ["mse", "recorrupted"]},
        range(2),
        spoil={"sigma": [0.05, 0.1]},
        steps=9,
    )
    assert len(cells) == len(set(cells)) == len({cell.key for cell in cells}) == 16
    assert [cell.seed for cell in cells[:4]] == [0, 1, 0, 1]
    assert [cell.options["energy"] for cell in cells[:4]] == ["mse"] * 2 + ["recorrupted"] * 2
    assert [cell.spoil["sigma"] for cell in cells[:8:4]] == [0.05, 0.1]
    assert {cell.picture for cell in cells[:8]} == {"a.png"}
    assert {(cell.steps, cell.seconds, cell.stop) for cell in cells} == {(9, None, True)}


def test_keys_are_of_the_content_alone() -> None:
    cell = Cell("a.png", spoil={"sigma": 0.1, "seed": 1}, options={"preset": "tiny"}, seconds=60)
    assert cell.key == "35371060b46dfc59"  # written down: a change loses everybody's results
    same = Cell("a.png", "denoise", {"seed": 1.0, "sigma": 0.1}, TINY, seconds=60.0)
    assert same == cell and same.key == cell.key and hash(same) == hash(cell)
    changes = [{"seed": 1}, {"stop": False}, {"steps": 5}, {"spoil": {"sigma": 0.2}}]
    assert len({replace(cell, **change).key for change in [{}, *changes]}) == 5  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"task": "repaint"}, ["task", "denoise", "repaint"]),
        ({"options": {"enregy": "mse"}}, ["enregy", "energy", "preset"]),
        ({"options": {"sigma": float("nan")}}, ["sigma", "NaN"]),
        ({"options": {"sigma": [1]}}, ["sigma", "[1]"]),
        ({"spoil": {"blur": 1}}, ["blur", "sigma"]),
        ({"spoil": {"sigma": 0.1, "quality": 10}}, ["one of"]),
        ({"spoil": {"seed": 1}}, ["one of"]),
        ({"spoil": {"sigma": "much"}}, ["sigma", "much"]),
        ({"spoil": {"mask": 3}}, ["mask", "words", "3"]),
        ({"spoil": {"factor": 2.5}}, ["factor", "whole", "2.5"]),
        ({"spoil": {"sigma": 0.1, "seed": -1}}, ["seed", "-1"]),
        ({"seed": -1}, ["seed", "-1"]),
        ({"steps": -1}, ["steps", "-1"]),
        ({"seconds": float("inf")}, ["seconds", "inf"]),
        ({"stop": 1}, ["stop", "1"]),
    ],
)
def test_what_cannot_be_a_cell_is_one_sentence(wrong: dict[str, Any], words: list[str]) -> None:
    one_sentence(lambda: Cell("a.png", **wrong), *words)


def test_every_way_to_spoil(picture: str) -> None:
    x = dip.load(picture)
    other = {"mask": (x[:, :1] > 0.4).float(), "file": dip.add_noise(x, 0.2)}
    amounts = {"sigma": 0.1, "quality": 10, "missing": 0.5, "scratches": 9, "hole": 0.1}
    amounts |= {"factor": 4, "photons": 0.1, "impulses": 0.2}
    for way in WAYS:
        how = {way: amounts.get(way, way)}
        check_spoil(how)
        spoilt = spoil(x, how, 3, other)
        assert spoilt.x_true is not None and spoilt.x0.shape[1] == 3
        assert spoilt.enlarged().shape == spoilt.x_true.shape
        assert 5 < dip.psnr(spoilt.enlarged(), spoilt.x_true) < 40
        if "mask" in spoilt.told:
            assert torch.equal(spoilt.x0, x * spoilt.told["mask"])
    assert torch.equal(spoil(x, {"sigma": 0.1, "seed": 7}).x0, dip.add_noise(x, 0.1, seed=7))
    assert spoil(x, {}).x0 is x and spoil(x, {}).x_true is None
    one_sentence(lambda: spoil(x, {"factor": 1}), "factor", "1")


# --- one run


def test_pictures_travel_as_bytes_and_unchanged(picture: str) -> None:
    values = fetch(picture)
    assert values.dtype.name == "uint8" and torch.equal(dip.load(values), dip.load(picture))
    assert digest(values) != digest(values[::-1]) != digest(fetch("sample:coins"))


def test_a_run_tells_what_fit_would(picture: str) -> None:
    cell = some(picture, steps=25)[1]
    x_true = dip.load(picture)
    task = dip.denoise(dip.add_noise(x_true, 0.1, seed=1), 0.1, preset="tiny", seed=1)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        *_, last = dip.fit(task, steps=25, seed=1)
    finally:
        torch.set_num_threads(before)
    outcome = alone(cell)
    assert outcome.row["psnr"] == dip.psnr(last.best.clamp(0, 1), x_true)
    assert outcome.row["why"] == last.why and outcome.row["steps"] == 25
    assert outcome.row["psnr_best"] >= dip.psnr(last.x_avg.clamp(0, 1), x_true)
    assert torch.get_num_threads() == before


def test_without_the_clean_picture_there_is_no_psnr(picture: str) -> None:
    row = alone(Cell(picture, options=TINY, steps=3)).row
    assert "psnr" not in row and row["steps"] == 3 and "error" not in row


@pytest.mark.parametrize(
    ("task", "how"),
    [
        ("jpeg", {"quality": 10}),
        ("inpaint", {"missing": 0.5}),
        ("super-resolve", {"factor": 2}),
        ("tv", {"sigma": 0.1}),
    ],
)
def test_the_maker_is_told_what_it_asks_for(picture: str, task: str, how: dict[str, Any]) -> None:
    options = {} if task == "tv" else TINY
    row = alone(Cell(picture, task, how, options, steps=2)).row
    assert "error" not in row and row["psnr"] > 5 and row["psnr_input"] > 5


def test_options_may_name_pictures(picture: str) -> None:
    options = {**TINY, "mask": picture}
    cell = Cell(picture, "inpaint", {}, options, steps=2)
    assert cell.files == [picture] and "error" not in alone(cell).row
    assert "mask" in alone(Cell(picture, "inpaint", {}, TINY, steps=2)).row["error"]  # it needs one
    small = {**TINY, "mask": "sample:coins"}
    assert "sizes differ" in alone(Cell(picture, "inpaint", {}, small, steps=2)).row["error"]
    assert "error" not in alone(Cell(picture, "flash", {}, {**TINY, "flash": picture}, steps=2)).row


@pytest.mark.parametrize(
    ("cell", "how", "words"),
    [
        ({"options": {"preset": "huge"}}, {}, ["preset", "huge"]),
        ({"spoil": {"sigma": 3}}, {}, ["sigma", "3"]),
        ({}, {"device": "tpu9"}, ["tpu9"]),
        ({}, {"version": "9.9"}, ["9.9", dip.__version__]),
    ],
)
def test_what_fails_is_a_row_with_one_sentence(
    picture: str, cell: dict[str, Any], how: dict[str, Any], words: list[str]
) -> None:
    outcome = alone(Cell(picture, **cell), **how)
    assert not outcome.files and list(outcome.row) == ["error"]
    assert outcome.row["error"][-1] in ".?" and all(w in outcome.row["error"] for w in words)


# --- the folder


def test_finished_cells_are_read_not_run(picture: str, tmp_path: Path) -> None:
    cells = some(picture)
    rows = fill(cells, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*/*")}
    seen: list[Cell] = []
    table = sweep(
        [*cells, cells[0]], tmp_path, scheduler=DEAD, progress=lambda cell, row: seen.append(cell)
    )
    assert seen == cells and list(table["key"]) == [cell.key for cell in cells]
    assert list(table["psnr"]) == [row["psnr"] for row in rows]
    assert list(table["seed"]) == [0, 1, 2] and set(table["options.preset"]) == {"tiny"}
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*/*")}
    assert (tmp_path / "table.csv").read_text().count("\n") == 4
    made = dip.load(tmp_path / cells[0].key / "best.png")
    assert dip.psnr(made, dip.load(picture)) == pytest.approx(rows[0]["psnr"], abs=0.05)


def test_half_a_cell_or_another_picture_is_not_finished(picture: str, tmp_path: Path) -> None:
    other = tmp_path / "moving.png"
    dip.save(dip.load(picture), other)
    cell = some(str(other), 1)[0]
    folder = tmp_path / "sweep"
    fill([cell], folder)
    assert Shelf(folder).finished(cell, How()) is not None
    assert Shelf(folder).finished(cell, How(record=True)) is None  # it has none
    result = folder / cell.key / "result.json"
    whole = result.read_text()
    for spoilt in ("", whole[:-20], "[]", whole.replace('"format": 1', '"format": 2')):
        result.write_text(spoilt)
        assert Shelf(folder).finished(cell, How()) is None
    fill([cell], folder)  # takes its place
    assert Shelf(folder).finished(cell, How()) is not None
    dip.save(1 - dip.load(picture), other)
    assert Shelf(folder).finished(cell, How()) is None
    assert sorted(path.name for path in folder.iterdir()) == [cell.key]


def test_a_killed_writer_leaves_nothing_that_counts(
    picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = some(picture, 1)[0]
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full")))
        one_sentence(lambda: fill([cell], tmp_path), "disk full", kind=SweepError)
    assert Shelf(tmp_path).finished(cell, How()) is None and not [*tmp_path.iterdir()]
    draft = tmp_path / ".dip-0123.tmp"
    draft.mkdir()
    Shelf(tmp_path)
    assert draft.exists()  # another sweep may be writing it
    os.utime(draft, (1, 1))
    Shelf(tmp_path)
    assert not draft.exists()


def test_a_folder_that_cannot_be_is_one_sentence(picture: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    one_sentence(lambda: sweep([], tmp_path / "file"), "file", kind=SweepError)


def test_an_empty_sweep_is_an_empty_table(tmp_path: Path) -> None:
    assert len(sweep([], tmp_path)) == 0


# --- on this machine


def test_a_sweep_on_this_machine(picture: str, tmp_path: Path, capfd: Any) -> None:
    good = some(picture, 2)
    wrong = replace(good[0], options={"preset": "huge"})
    missing = replace(good[0], picture="nowhere.png")
    table = sweep([good[0], wrong, missing, good[1]], tmp_path, workers=2, record=True)
    assert list(table["key"]) == [c.key for c in (good[0], wrong, missing, good[1])]
    assert [bool(error) for error in table["error"]] == [False, True, True, False]
    assert "huge" in table["error"][1] and "nowhere.png" in table["error"][2]
    for at, cell in ((0, good[0]), (3, good[1])):
        row = alone(cell).row
        assert table["psnr"][at] == row["psnr"] and table["ssim"][at] == row["ssim"]
        assert table["steps"][at] == 12
        kept = dip.Record(tmp_path / cell.key / "record")
        assert kept.finished and kept.curve["psnr_true"][-1] == row["psnr"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [*(c.key for c in good), "table.csv"]
    )
    assert capfd.readouterr() == ("", "")


SCRIPT = """
import signal
import sys
from dip_lite.sweep import grid, sweep

def tell(cell, row):
    print(cell.seed, flush=True)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored
    cells = grid([sys.argv[1]], "denoise", {"preset": "tiny"}, range(2), spoil={"sigma": 0.1},
                 steps=5)
    # one alone, so that a worker is left for the others whatever comes first
    cells += grid([sys.argv[1]], "denoise", {"preset": "tiny"}, [2], steps=10**4, stop=False)
    sweep(cells, sys.argv[2], workers=2, progress=tell)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process there")
def test_ctrl_c_keeps_what_is_finished(picture: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    child = subprocess.Popen(
        [sys.executable, "script.py", picture, "out"],
        cwd=tmp_path,
        env=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches a whole group
    )
    with child:
        assert child.stdout and {child.stdout.readline(), child.stdout.readline()} == {"0\n", "1\n"}
        os.killpg(child.pid, signal.SIGINT)
        _, err = child.communicate(timeout=30)
    assert child.returncode != 0 and err.strip().endswith("KeyboardInterrupt")
    assert "distributed.worker" not in err and "distributed.nanny" not in err
    assert len([*(tmp_path / "out").glob("*/result.json")]) == 2
    assert (tmp_path / "out" / "table.csv").read_text().count("\n") == 3


# --- on a cluster


class Cluster:
    """A scheduler and workers on loopback, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, list[subprocess.Popen[bytes]]()
        file = folder / "scheduler.json"
        self.scheduler = self.start("scheduler", "--port", "0", "--scheduler-file", file)
        while not file.exists():
            assert self.scheduler.poll() is None and not time.sleep(0.05)
        self.address = json.loads(file.read_text())["address"]

    def start(self, kind: str, *words: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--host", "127.0.0.1"]
        process = subprocess.Popen(
            [*command, "--no-dashboard", *map(str, words)],
            cwd=self.folder,
            env=HERE | {"DASK_TEMPORARY_DIRECTORY": str(self.folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def worker(self, *words: object) -> subprocess.Popen[bytes]:
        return self.start("worker", self.address, "--no-nanny", "--nthreads", 1, *words)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.close()


def holder(client: Any, cell: Cell) -> str | None:
    """The address of the worker that runs a cell now."""
    for address, keys in client.processing().items():
        if any(cell.key in str(key) for key in keys):
            return str(address)
    return None


def test_a_worker_is_killed_and_nothing_is_lost(
    picture: str, tmp_path: Path, cluster: Cluster
) -> None:
    """The one that dies is in the midst of a run; the other makes that run again."""
    cells = [replace(cell, stop=False) for cell in some(picture, 5, steps=8)]
    cells[0] = replace(cells[0], steps=150)
    workers = [cluster.worker(), cluster.worker()]
    killed: list[str] = []
    seen: list[str] = []
    folder = tmp_path / "out"
    with connect(Site(cluster.address)) as client:
        client.wait_for_workers(2, timeout=30)
        pids = client.run(os.getpid)

        def tell(cell: Cell, row: dict[str, Any]) -> None:
            seen.append(cell.key)
            if not killed and (address := holder(client, cells[0])):
                killed.append(address)
                os.kill(pids[address], signal.SIGKILL)

        table = sweep(cells, folder, scheduler=cluster.address, progress=tell)
    assert killed and sum(worker.poll() is not None for worker in workers) == 1
    assert sorted(seen) == sorted(cell.key for cell in cells)  # each once
    assert list(table["key"]) == [cell.key for cell in cells] and not any(table["error"])
    assert list(table["psnr"]) == [alone(cell).row["psnr"] for cell in cells]
    assert len([*folder.glob("*/result.json")]) == len(cells)
    again = sweep(cells, folder, scheduler=DEAD)  # needs no cluster: nothing is run again
    assert again.equals(table)


def test_a_cluster_of_threads_gives_the_same_and_may_go(
    picture: str, tmp_path: Path, cluster: Cluster
) -> None:
    cells = some(picture, 4)
    site = Site(cluster.address, patience=0.5)
    one_sentence(lambda: connect(site).__enter__(), "no worker", kind=SweepError)
    cluster.worker("--nthreads", 4)
    table = sweep(cells, tmp_path / "out", scheduler=cluster.address)
    assert list(table["psnr"]) == [alone(cell).row["psnr"] for cell in cells]

    def tell(cell: Cell, row: dict[str, Any]) -> None:
        cluster.scheduler.kill()

    endless = replace(cells[0], steps=10**6, stop=False)
    short = replace(cells[0], seed=9)
    one_sentence(
        lambda: sweep([short, endless], tmp_path / "out", scheduler=cluster.address, progress=tell),
        "has gone",
        kind=SweepError,
    )
    assert (tmp_path / "out" / short.key / "result.json").exists()


def test_a_worker_without_the_package_is_one_sentence(tmp_path: Path, cluster: Cluster) -> None:
    preload = "import sys; sys.modules['dip_lite'] = None"
    cluster.worker("--preload", preload)
    one_sentence(
        lambda: connect(Site(cluster.address)).__enter__(), "no dip_lite", "worker", kind=SweepError
    )


def test_a_scheduler_that_does_not_answer_is_one_sentence(picture: str, tmp_path: Path) -> None:
    start = time.monotonic()
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        for address in (DEAD, f"tcp://127.0.0.1:{deaf.getsockname()[1]}"):
            one_sentence(
                lambda at=address: sweep(some(picture), tmp_path, scheduler=at, timeout=1),
                address,
                "within 1 s",
                kind=SweepError,
            )
    assert time.monotonic() - start < 8
    one_sentence(lambda: sweep(some(picture), tmp_path, scheduler="here"), "here", kind=SweepError)


# --- from a file

GRID = """
pictures = ["clean.png", "sample:coins"]
seeds = [0, 1]
steps = 6
[[tasks]]
name = "denoise"
spoil = { sigma = [15, 0.1] }
settings = { preset = "tiny", energy = ["mse", "recorrupted"] }
[[tasks]]
name = "denoise"
pictures = ["clean.png"]
seeds = [5]
seconds = 2
stop = false
settings = { preset = "tiny" }
"""


@pytest.fixture
def grid_file(picture: str, tmp_path: Path) -> Path:
    dip.save(dip.load(picture), tmp_path / "clean.png")
    (tmp_path / "grid.toml").write_text(GRID)
    return tmp_path / "grid.toml"


def test_a_grid_is_read(grid_file: Path) -> None:
    cells = read_grid(grid_file)
    assert len(cells) == 17
    assert cells[0].picture == str(grid_file.parent / "clean.png")
    assert cells[0].spoil == {"sigma": 15 / 255} and cells[4].spoil == {"sigma": 0.1}
    assert cells[8].picture == "sample:coins" and cells[0].steps == 6
    last = cells[-1]
    assert (last.seed, last.steps, last.seconds, last.stop) == (5, 6, 2.0, False)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seeds = [0, 1]", "seeds = [0, 1", ["grid.toml", "not TOML", "line"]),
        ("seeds = [0, 1]", "seed = [0, 1]", ["grid.toml", "'seed'", "seeds"]),
        ("seeds = [0, 1]", "seeds = 3", ["seeds", "list", "3"]),
        ("seeds = [0, 1]", "seeds = [-1]", ["seed", "-1"]),
        ("steps = 6", "steps = true", ["steps", "True"]),
        ("seconds = 2", "seconds = -2", ["number 2", "seconds", "-2"]),
        ("clean.png", "dirty.png", ["dirty.png", "not exist"]),
        ("sample:coins", "sample:coin", ["coin", "coins"]),
        ('pictures = ["clean.png", "sample:coins"]', "", ["pictures", "nothing"]),
        ('name = "denoise"\nspoil', "spoil", ["number 1", "name"]),
        ('"denoise"\nspoil', '"repaint"\nspoil', ["repaint", "denoise"]),
        ("sigma = [15, 0.1]", "blur = 3", ["blur", "sigma"]),
        ("spoil = { sigma = [15, 0.1] }", "spoil = 3", ["spoil", "table"]),
        ("energy =", "enregy =", ["enregy", "energy"]),
        ("[[tasks]]", "[[task]]", ["'task'"]),
        ("settings", "options", ["'options'", "settings"]),
        ("[15, 0.1]", "[2015-01-01]", ["sigma", "2015"]),
    ],
)
def test_every_mistake_in_a_grid_is_one_sentence(
    grid_file: Path, old: str, new: str, words: list[str]
) -> None:
    assert old in GRID
    grid_file.write_text(GRID.replace(old, new))
    one_sentence(lambda: read_grid(grid_file), *words)


def test_a_grid_that_is_no_text_is_one_sentence(grid_file: Path) -> None:
    one_sentence(lambda: read_grid(grid_file.parent), "cannot be read")
    one_sentence(lambda: read_grid(grid_file.parent / "no.toml"), "no.toml", "not exist")
    one_sentence(lambda: read_grid(grid_file.parent / "clean.png"), "not text")
    grid_file.write_text("pictures = ['clean.png']")
    one_sentence(lambda: read_grid(grid_file), "[[tasks]]")


def test_the_verb(grid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = read_grid(grid_file)
    fill(cells, grid_file.parent / "out")
    words = [str(grid_file), "--output", str(grid_file.parent / "out"), "--scheduler", DEAD]
    done = CliRunner().invoke(sweep_verb, words)
    assert done.exit_code == 0, done.output
    assert "17 of 17" in done.output and cells[0].label() in done.output

    def failing(cells: list[Cell], folder: str, **more: Any) -> Any:
        wrong = replace(cells[0], picture="nowhere.png")
        return sweep([*cells, wrong], folder, **more)

    monkeypatch.setattr("dip_lite.sweep_cli.sweep", failing)
    done = CliRunner().invoke(sweep_verb, words)
    assert done.exit_code == 1 and "nowhere.png does not exist" in done.output

    def interrupted(cells: list[Cell], folder: str, **more: Any) -> Any:
        more["progress"](cells[0], {"steps": 3, "seconds": 1.0})
        raise KeyboardInterrupt

    monkeypatch.setattr("dip_lite.sweep_cli.sweep", interrupted)
    done = CliRunner().invoke(sweep_verb, words)
    assert done.exit_code == 130 and "1 of 17 runs are finished" in done.output


def test_importing_the_package_imports_no_dask() -> None:
    code = "import sys, dip_lite, dip_lite.sweep, dip_lite.sweep_cli as c; " + (
        "print({'dask', 'distributed', 'pandas'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "set()\n"


def test_two_clusters_of_one_machine_take_no_port_from_each_other() -> None:
    """In a notebook a warning of Dask's would be an error, and the sweep would not begin."""
    with connect(Site(workers=1)) as first, connect(Site(workers=1)) as second:
        assert first.submit(sum, [1, 2]).result(timeout=60) == 3
        assert second.submit(sum, [3, 4]).result(timeout=60) == 7
        addresses = {
            client.scheduler_info()["services"].get("dashboard") for client in (first, second)
        }
        assert len(addresses) == 2 and 8787 not in addresses
