"""The command line: in this process where that is the same, in one of its own where it is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import dip_lite as dip
from dip_lite.__main__ import main
from dip_lite.cli import demo
from dip_lite.tasks import TASKS

CLI = [sys.executable, "-m", "dip_lite"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a clean and a noisy picture of 61×48 pixels."""
    clean = dip.sample("chelsea")[..., 100:148, 150:211]
    dip.save(clean, tmp_path / "clean.png")
    dip.save(dip.add_noise(clean, 25 / 255), tmp_path / "noisy.png")
    return tmp_path


def run(*arguments: object) -> int:
    return main([str(word) for word in arguments])


def tiny(folder: Path, *arguments: object) -> int:
    """A short denoising in this process."""
    steps = () if {"--steps", "--seconds"} & set(arguments) else ("--steps", 12)
    return run(
        *("denoise", folder / "noisy.png", "-o", folder / "out.png", "--preset", "tiny"),
        *steps,
        *arguments,
    )


def one_sentence(text: str) -> str:
    """The last line of stderr, checked to be the only one that is no progress bar."""
    lines = [
        line for line in text.replace("\r", "\n").splitlines() if line and "it" not in line[:0]
    ]
    lines = [line for line in lines if "%|" not in line]
    assert len(lines) == 1, text
    assert lines[0].endswith("."), text
    assert "Traceback" not in text
    return lines[0]


def test_writes_a_png_of_the_inputs_size_and_a_report(pictures, capsys):
    path = pictures / "report.json"
    status = tiny(pictures, "--sigma", 25, "--reference", pictures / "clean.png", "--report", path)
    assert status == 0
    with Image.open(pictures / "out.png") as out:
        assert (out.format, out.size, out.mode) == ("PNG", (61, 48), "RGB")
    report = json.loads(path.read_text())
    assert (report["width"], report["height"], report["steps"], report["preset"]) == (
        61,
        48,
        12,
        "tiny",
    )
    assert report["sigma"] == pytest.approx(25 / 255)
    assert report["stop_reason"] == "steps: 12 made"
    assert report["peak_memory_mb"] > 10 and report["seconds"] > 0
    assert {"psnr", "ssim", "psnr_input", "step_returned", "task", "seed"} <= set(report)
    assert report["psnr"] == pytest.approx(
        dip.psnr(dip.load(pictures / "out.png"), dip.load(pictures / "clean.png")), abs=0.05
    )
    assert "dB" in capsys.readouterr().out


def test_the_tiny_preset_cleans(pictures):
    """Margin: +8.9 to +9.3 dB over seeds 0–4 on this picture; 7 asked."""
    assert run(
        *("denoise", pictures / "noisy.png", "-o", pictures / "out.png", "--preset", "tiny"),
        *("--sigma", 25, "--reference", pictures / "clean.png"),
        *("--report", pictures / "r.json"),
    ) == 0  # fmt: skip
    report = json.loads((pictures / "r.json").read_text())
    assert report["psnr"] > report["psnr_input"] + 7


def test_sigma_is_estimated_when_absent_and_may_have_decimals(pictures):
    tiny(pictures, "--report", pictures / "a.json")
    tiny(pictures, "--sigma", "24.99", "--report", pictures / "b.json")
    assert json.loads((pictures / "a.json").read_text())["sigma"] == pytest.approx(
        25 / 255, rel=0.2
    )
    assert json.loads((pictures / "b.json").read_text())["sigma"] == pytest.approx(0.098)


def test_no_stop_and_seconds(pictures):
    report = pictures / "r.json"
    assert tiny(pictures, "--seconds", 0.2, "--no-stop", "--report", report) == 0
    assert json.loads(report.read_text())["stop_reason"].startswith(("seconds", "steps"))


WRONG = {
    "missing file": (["denoise", "nope.png", "-o", "o.png"], "nope.png"),
    "not a picture": (["denoise", "text.png", "-o", "o.png"], "text.png"),
    "empty file": (["denoise", "empty.png", "-o", "o.png"], "empty.png"),
    "one pixel": (["denoise", "pixel.png", "-o", "o.png"], "16"),
    "too thin": (["denoise", "thin.png", "-o", "o.png"], "16"),
    "no output": (["denoise", "noisy.png"], "--output"),
    "unwritable output": (["denoise", "noisy.png", "-o", "text.png/o.png"], "text.png"),
    "no such folder": (["denoise", "noisy.png", "-o", "no/o.png"], "no"),
    "report unwritable": (["denoise", "noisy.png", "-o", "o.png", "--report", "no/r.json"], "no"),
    "unknown preset": (["denoise", "noisy.png", "-o", "o.png", "--preset", "huge"], "huge"),
    "unknown energy": (["denoise", "noisy.png", "-o", "o.png", "--energy", "dark"], "dark"),
    "unknown device": (["denoise", "noisy.png", "-o", "o.png", "--device", "tpu9"], "tpu9"),
    "sigma a word": (["denoise", "noisy.png", "-o", "o.png", "--sigma", "much"], "much"),
    "sigma negative": (["denoise", "noisy.png", "-o", "o.png", "--sigma", "-3"], "255"),
    "sigma NaN": (["denoise", "noisy.png", "-o", "o.png", "--sigma", "nan"], "255"),
    "negative seconds": (["denoise", "noisy.png", "-o", "o.png", "--seconds", "-1"], "-1"),
    "seconds NaN": (["denoise", "noisy.png", "-o", "o.png", "--seconds", "nan"], "nan"),
    "seconds without end": (["denoise", "noisy.png", "-o", "o.png", "--seconds", "inf"], "inf"),
    "seed too large": (["denoise", "noisy.png", "-o", "o.png", "--seed", "9" * 20], "--seed"),
    "report over the picture": (
        ["denoise", "noisy.png", "-o", "o.png", "--report", "o.png"],
        "same file",
    ),
    "output over the picture": (["denoise", "noisy.png", "-o", "noisy.png"], "noisy.png was given"),
    "output over the reference": (
        ["denoise", "noisy.png", "-o", "other.png", "--reference", "other.png"],
        "other.png was given",
    ),
    "report over the mask": (
        ["inpaint", "noisy.png", "--mask", "other.png", "-o", "o.png", "--report", "other.png"],
        "other.png was given",
    ),
    "demo with an unknown preset": (["demo", "--preset", "huge"], "huge"),
    "demo for NaN seconds": (["demo", "--seconds", "nan"], "nan"),
    "demo for no time": (["demo", "--seconds", "0"], "--seconds"),
    "both budgets": (
        ["denoise", "noisy.png", "-o", "o.png", "--seconds", "1", "--steps", "1"],
        "not both",
    ),
    "record and resume": (
        ["denoise", "noisy.png", "-o", "o.png", "--record", "a", "--resume", "b"],
        "not both",
    ),
    "reference of another size": (
        ["denoise", "noisy.png", "-o", "o.png", "--reference", "other.png"],
        "61×48",
    ),
    "resume of nothing": (["denoise", "noisy.png", "-o", "o.png", "--resume", "none"], "none"),
    "unknown command": (["polish", "noisy.png"], "polish"),
    "export of nothing": (["export", "none", "--sheet", "s.png"], "none"),
    "export to nothing": (["export", "none"], "--animation"),
    "export of a newer record": (["export", "newer", "--html", "a.html"], "dip_lite 9.9"),
    "demo of an unknown sample": (["demo", "--sample", "mona_lisa"], "mona_lisa"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_sentence_and_leaves_nothing(case, pictures, monkeypatch, capsys):
    monkeypatch.chdir(pictures)
    (pictures / "text.png").write_text("<html>no picture</html>")
    (pictures / "empty.png").touch()
    Image.new("RGB", (1, 1)).save("pixel.png")
    Image.new("RGB", (15, 4000)).save("thin.png")
    Image.new("RGB", (32, 32)).save("other.png")
    (pictures / "newer").mkdir()
    (pictures / "newer/settings.json").write_text('{"format": 99, "version": "9.9"}')
    before = sorted(path.name for path in pictures.iterdir())
    arguments, expected = WRONG[case]
    assert run(*arguments) == 2
    assert expected in one_sentence(capsys.readouterr().err)
    assert sorted(path.name for path in pictures.iterdir()) == before


def test_an_animated_gif_is_used_and_said_so(pictures, capsys):
    frames = [Image.new("L", (32, 32), value) for value in (90, 200)]
    frames[0].save(pictures / "noisy.gif", save_all=True, append_images=frames[1:])
    arguments = ("-o", pictures / "o.png", "--preset", "tiny", "--steps", 2)
    assert run("denoise", pictures / "noisy.gif", *arguments) == 0
    assert "only the first is used" in capsys.readouterr().err


def test_a_record_can_be_resumed_and_ends_where_it_would_have(pictures):
    """Ended early, then resumed to the full budget: the same picture as in one go."""
    whole, parts = pictures / "whole.png", pictures / "parts.png"
    arguments = ("denoise", pictures / "noisy.png", "--preset", "tiny", "--sigma", 25, "--seed", 3)
    assert run(*arguments, "-o", whole, "--steps", 30) == 0
    assert run(*arguments, "-o", parts, "--steps", 11, "--record", pictures / "rec") == 0
    resume = ("--resume", pictures / "rec", "--steps", 30)
    assert run("denoise", pictures / "noisy.png", "-o", parts, *resume) == 0
    assert np.array_equal(np.array(Image.open(whole)), np.array(Image.open(parts)))


def test_a_resumed_run_keeps_its_budget(pictures):
    """The record knows the steps and the stopping rule, so --resume alone ends at the same step."""
    noisy, out, record = pictures / "noisy.png", pictures / "o.png", pictures / "rec"
    arguments = ("--preset", "tiny", "--steps", 20, "--no-stop", "--record", record)
    assert run("denoise", noisy, "-o", out, *arguments) == 0
    whole = np.array(Image.open(out))
    rows = json.loads((record / "curve.json").read_text())
    (record / "curve.json").write_text(json.dumps(rows[:4]))  # as if killed: rows lost, state kept
    report = pictures / "r.json"
    assert run("denoise", noisy, "-o", out, "--resume", record, "--report", report) == 0
    assert json.loads(report.read_text())["stop_reason"] == "steps: 20 made"
    assert np.array_equal(whole, np.array(Image.open(out)))


def test_a_full_disk_while_recording_loses_no_result(pictures, monkeypatch, capsys):
    from dip_lite.errors import RecordError
    from dip_lite.records import Recorder

    def full(self: Recorder, snap: dip.Snapshot, run: dip.Run, **more: float) -> None:
        raise RecordError("the disk is full: nothing more was recorded.")

    monkeypatch.setattr(Recorder, "add", full)
    assert tiny(pictures, "--record", pictures / "rec") == 2
    assert one_sentence(capsys.readouterr().err) == "the disk is full: nothing more was recorded."
    assert dip.load(pictures / "out.png").shape == (1, 3, 48, 61)


def test_resume_refuses_another_picture_and_other_settings(pictures, capsys):
    assert tiny(pictures, "--record", pictures / "rec") == 0
    resume = ("-o", pictures / "o.png", "--resume", pictures / "rec", "--steps", 12)
    capsys.readouterr()
    assert run("denoise", pictures / "clean.png", *resume) == 2
    assert "another picture" in one_sentence(capsys.readouterr().err)
    assert run("denoise", pictures / "noisy.png", *resume, "--seed", 9) == 2
    assert "seed" in one_sentence(capsys.readouterr().err)
    assert not (pictures / "o.png").exists()


def test_a_record_of_another_format_is_refused(pictures, capsys):
    assert tiny(pictures, "--record", pictures / "rec") == 0
    settings = json.loads((pictures / "rec" / "settings.json").read_text())
    settings |= {"format": 99, "version": "9.9"}
    (pictures / "rec" / "settings.json").write_text(json.dumps(settings))
    capsys.readouterr()
    assert tiny(pictures, "--resume", pictures / "rec") == 2
    assert "9.9" in one_sentence(capsys.readouterr().err)


def test_export_and_demo(pictures, monkeypatch, capsys):
    monkeypatch.chdir(pictures)
    assert run("demo", "--seconds", 1, "--preset", "tiny", "--output", "shown") == 0
    made = {path.name for path in (pictures / "shown").iterdir()}
    expected = "noisy.png clean.png side_by_side.png curve.png snapshots.png learning.webp"
    assert {*expected.split(), "learning.gif"} <= made
    assert run("export", "shown/run", "--animation", "a.gif", "--sheet", "s.png") == 0
    with Image.open("a.gif") as film:
        assert film.n_frames > 3
    pair = ("--before", "shown/noisy.png", "--reference", "shown/original.png")
    assert run("export", "shown/run", "--html", "a.html", *pair) == 0
    page = Path("a.html").read_text("utf-8")
    assert len(page) <= 400_000 and page.count("data:image/webp") == 2 and "//cdn" not in page
    assert capsys.readouterr().out.endswith("Wrote a.html.\n")
    assert run("demo", "--seconds", 0.2, "--preset", "tiny", "--output", "shown") == 0  # again


def test_the_demo_shows_the_result_and_not_the_network_alone(pictures, monkeypatch, capsys):
    monkeypatch.chdir(pictures)
    shown = []
    monkeypatch.setattr(demo, "side_by_side", lambda xs, titles: shown.append((xs, titles)))
    monkeypatch.setattr(demo, "save_figure", lambda *_: None)
    assert run("demo", "--seconds", 0.5, "--output", "fused") == 0
    assert "fused with a classical picture" in capsys.readouterr().out
    (((_, restored, _), titles),) = shown
    assert torch.equal(restored, dip.load("fused/clean.png"))
    level = dip.psnr(restored, dip.load("fused/original.png"))
    assert titles[1] == f"restored, {level:.1f} dB"


def _environment() -> dict[str, str]:
    root = str(Path(dip.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}


def test_help_needs_no_picture():
    shown = subprocess.run([*CLI, "--help"], capture_output=True, text=True, env=_environment())
    assert shown.returncode == 0
    assert "denoise" in shown.stdout and "demo" in shown.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one child")
def test_ctrl_c_keeps_the_best_so_far(pictures):
    arguments = ["denoise", "noisy.png", "-o", "o.png", "--steps", "1000000", "--no-stop"]
    arguments += ["--preset", "tiny", "--record", "rec", "--report", "r.json"]
    child = subprocess.Popen(
        [*CLI, *arguments], cwd=pictures, env=_environment(), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (pictures / "rec" / "state.pt").exists():
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    _, error = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in error
    assert dip.load(pictures / "o.png").shape == (1, 3, 48, 61)
    assert json.loads((pictures / "r.json").read_text())["stop_reason"].startswith("interrupted")


def test_an_unforeseen_error_shows_no_traceback(pictures, monkeypatch, capsys):
    def broken(*_: object, **__: object) -> torch.Tensor:
        raise RuntimeError("a wheel\nfell off")

    monkeypatch.setitem(TASKS, "denoise", broken)
    assert tiny(pictures) == 1
    assert "a wheel fell off" in one_sentence(capsys.readouterr().err)
