"""Many runs on this machine: each is there once, whatever is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dip_lite as dip
from dip_lite.errors import SweepError
from dip_lite.sweep import sweep
from tests.cluster import HERE

from .helpers import assert_one_sentence, make_trials, run_here


def test_an_empty_sweep_is_an_empty_table(tmp_path: Path) -> None:
    assert len(sweep([], tmp_path)) == 0


def test_a_sweep_on_this_machine(picture: str, tmp_path: Path, capfd: Any) -> None:
    good = make_trials(picture, 2)
    wrong = replace(good[0], settings={"preset": "huge"})
    missing = replace(good[0], picture="nowhere.png")
    table = sweep([good[0], wrong, missing, good[1]], tmp_path, workers=2, record=True)
    assert list(table["key"]) == [c.key for c in (good[0], wrong, missing, good[1])]
    assert [bool(error) for error in table["error"]] == [False, True, True, False]
    assert "huge" in table["error"][1] and "nowhere.png" in table["error"][2]
    for at, trial in ((0, good[0]), (3, good[1])):
        row = run_here(trial).row
        assert table["psnr"][at] == row["psnr"] and table["ssim"][at] == row["ssim"]
        assert table["steps"][at] == 12
        kept = dip.Record(tmp_path / trial.key / "record")
        assert kept.finished and kept.curve["psnr_true"][-1] == row["psnr"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [*(c.key for c in good), "table.csv"]
    )
    assert capfd.readouterr() == ("", "")


SCRIPT = """
import signal
import sys
from dip_lite.sweep import expand_grid, sweep

def progress(trial, row):
    print(trial.seed, flush=True)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored
    tiny = [sys.argv[1]], "denoise", {"preset": "tiny"}
    trials = expand_grid(*tiny, range(2), degrade={"sigma": 0.1}, steps=5)
    # one alone, so that a worker is left for the others whatever comes first
    trials += expand_grid(*tiny, [2], steps=10**4, stop=False)
    sweep(trials, sys.argv[2], workers=2, progress=progress)
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


@pytest.mark.parametrize("package", ["dask", "distributed", "pandas"])
def test_a_missing_package_is_one_sentence(
    picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    trials = make_trials(picture)
    words = (package, 'pip install "dip_lite[sweep]"', "pip install -r requirements-sweep.txt")
    assert_one_sentence(lambda: sweep(trials, tmp_path / "out"), *words, kind=SweepError)
    assert not (tmp_path / "out").exists()


def test_importing_the_package_imports_no_dask() -> None:
    code = "import sys, dip_lite, dip_lite.sweep, dip_lite.cli.sweep; " + (
        "print({'dask', 'distributed', 'pandas'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "set()\n"
