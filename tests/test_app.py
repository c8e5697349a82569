"""The demo without a browser: visitors, the line, uploads, the endpoint."""

from __future__ import annotations

import io
import itertools
import json
import os
import platform
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dip_lite import Record, Run, sample
from web.choices import Choice, Limits, SorryError
from web.fitting import Ended, Frame, Pace, fitting
from web.folders import lasting
from web.gate import REFUSED, Example, names_an_address
from web.line import Line
from web.live import Live
from web.material import Inputs, make
from web.options import arguments
from web.service import Service
from web.uploads import Picture, mask_of, read_picture

LIMITS = Limits(pixels=64 * 64, seconds=20, queue=3)
TEXTURE = sample("chelsea")[..., :64, :96]
TINY: dict[str, Any] = {"network": "tiny", "steps": 12, "snapshots": 40}


def picture(path: Path, size: tuple[int, int] = (48, 40), seed: int = 0, **options: Any) -> Path:
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(values).save(path, **options)
    return path


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(LIMITS, tmp_path / "visitors")


# --- choices


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("noise", "nan"), ("noise", 1e300), ("noise", None), ("noise", [1]), ("noise", True),
        ("steps", 10**30), ("steps", 2.5), ("steps", -1), ("seed", "0x10"), ("factor", 5),
        ("task", "../../etc"), ("task", 3), ("mask", {}), ("plain", "yes"), ("snapshots", 1e9),
        ("surprise", 1),
    ],
)  # fmt: skip
def test_a_wrong_choice_is_one_sentence(name: str, value: Any) -> None:
    with pytest.raises(SorryError) as caught:
        Choice.of(**{name: value})
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_the_operator_limits_the_time() -> None:
    assert Choice.of(budget="best").seconds(Limits(seconds=30)) == 30
    assert Choice.of(limit=5).seconds(Limits(seconds=30)) == 5
    with pytest.raises(ValueError, match="max-pixels"):
        Limits(pixels=3)
    for wrong in ({"seconds": float("nan")}, {"seconds": float("inf")}, {"each": -1}):
        with pytest.raises(ValueError, match="max-seconds"):
            Limits(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [60, 400, 3000])
def test_snapshots_are_many_and_spread(steps: int) -> None:
    pace = Pace(64, seconds=60.0)
    kept = []
    for step in range(1, steps + 1):
        pace(step, 60.0 * step / steps)
        if pace.kept:
            kept.append(step)
    assert 35 <= len(kept) <= 100
    assert kept[0] <= max(2, steps // 50) and kept[-1] >= 0.95 * steps
    assert max(b - a for a, b in itertools.pairwise(kept)) <= steps / 12


# --- material


@pytest.mark.parametrize(
    "asked",
    [
        {"task": "denoise"}, {"task": "denoise", "plain": True}, {"task": "denoise", "noise": 0},
        {"task": "jpeg"}, {"task": "jpeg", "quality": 0}, {"task": "inpaint", "mask": "text"},
        {"task": "inpaint", "mask": "hole"}, {"task": "inpaint", "mask": "random"},
        {"task": "inpaint", "mask": "scratches"}, {"task": "super-resolve", "factor": 2},
        {"task": "super-resolve", "factor": 2, "shrink": False}, {"task": "flash"},
        {"task": "flash", "noise": 60},
        {"task": "denoise", "lr": 0.01, "reg": 0.1}, {"task": "invert", "layer": "conv2"},
    ],
)  # fmt: skip
def test_every_choice_makes_a_task(asked: dict[str, Any], tmp_path: Path) -> None:
    choice, inputs = Choice.of(**TINY | asked | {"steps": 2}), Inputs(Picture(TEXTURE))
    material = make(choice, inputs, LIMITS)
    assert material.before.shape[2:] == material.task.size
    assert material.truth is None or material.truth.shape[2:] == material.task.size
    if asked.get("lr"):
        assert material.task.settings.lr == 0.01 and material.task.reg == 0.1
    *_, last_but_one, end = fitting(choice, inputs, LIMITS, tmp_path)
    assert isinstance(last_but_one, Frame) and isinstance(end, Ended)
    assert last_but_one.step == 2 and ("psnr" in end.numbers) == (material.truth is not None)


def test_a_mask_of_another_size_covers_all_it_touches() -> None:
    painted = torch.zeros(1, 1, 20, 30)
    painted[..., 5, 7] = 1
    mask = mask_of(painted, Picture(torch.zeros(1, 3, 40, 60)))
    assert (mask[..., 10:12, 14:16] == 0).all() and float(1 - mask.mean()) < 0.02
    with pytest.raises(SorryError, match="one shape"):
        mask_of(painted, Picture(torch.zeros(1, 3, 40, 40)))
    with pytest.raises(SorryError, match="hides nothing"):
        mask_of(0 * painted, Picture(torch.zeros(1, 3, 40, 60)))


def test_a_large_picture_is_made_smaller_and_told_so(tmp_path: Path) -> None:
    came = read_picture(str(picture(tmp_path / "a.png", (400, 100))), pixels=10_000)
    assert came.x.shape[2:] == (50, 200) and "400×100" in came.note


# --- the line


class Waiter:
    left, host = 30.0, ""

    def __init__(self) -> None:
        self.go, self.begun, self.told = threading.Event(), threading.Event(), ""

    def work(self) -> None:
        self.begun.set()
        self.go.wait(10)

    def stop(self) -> None:
        self.told += "stop"
        self.go.set()

    def drop(self) -> None:
        self.told += "drop"


def test_one_at_a_time_and_first_come_first_served() -> None:
    line, waiters = Line(2), [Waiter() for _ in range(4)]
    for waiter in waiters[:3]:
        line.join(waiter)
        if waiter is waiters[0]:
            assert waiter.begun.wait(5)
    assert [line.place(waiter) for waiter in waiters] == [0, 1, 2, None]
    assert line.wait(waiters[2]) == 60
    with pytest.raises(SorryError, match=r"2 people are waiting.*about 2 minutes"):
        line.join(waiters[3])
    line.leave(waiters[1])
    assert waiters[1].told == "drop" and line.place(waiters[2]) == 1
    assert not waiters[2].begun.is_set()
    line.leave(waiters[0])
    assert waiters[0].told == "stop" and waiters[2].begun.wait(5)
    waiters[2].go.set()


# --- visitors


def last(run: Iterator[dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for told in run:
        assert len(json.dumps(told)) < 200_000
    return told


def opened(found: bytes | Path) -> io.BytesIO:
    return io.BytesIO(found if isinstance(found, bytes) else found.read_bytes())


def test_a_run_from_upload_to_downloads(service: Service, tmp_path: Path) -> None:
    service.take("a", str(picture(tmp_path / "a.png")))
    told = last(service.run("a", Choice.of(**TINY, noise=25)))
    assert told["state"] == "done" and told["why"] == "steps: 12 made" and told["size"] == (48, 40)
    assert [row[0] for row in told["frames"]][:2] == [0, 1] and len(told["frames"]) == 13
    live = service.find(told["id"])
    assert isinstance(live, Live)
    pack = live.fetch("frames", 0, 99)
    assert pack is not None and isinstance(pack[0], bytes)
    assert len(pack[0]) == sum(sum(row[5:]) for row in told["frames"])
    first = told["frames"][0]
    assert Image.open(io.BytesIO(pack[0][: first[5]])).size == (48, 40)
    part = live.fetch("frames", 3, 5)
    assert part is not None and isinstance(part[0], bytes)
    assert len(part[0]) == sum(sum(row[5:]) for row in told["frames"][3:5])
    for name, kind in (("result.png", "PNG"), ("film.webp", "WEBP"), ("film.gif", "GIF")):
        found = live.fetch(name)
        assert found is not None and Image.open(opened(found[0])).format == kind
    assert live.fetch("../secret") is None and live.fetch("truth") is not None
    archive = live.fetch("record.zip")
    assert archive is not None
    zipfile.ZipFile(opened(archive[0])).extractall(tmp_path)
    record = Record(tmp_path / "record")
    assert record.finished and len(record) == 13
    assert record.settings["task"] == "denoise" and "psnr_true" in record.curve
    result = np.asarray(Image.open(io.BytesIO(service.result("a"))))
    best = record.frame(-1, "best")[0].permute(1, 2, 0).mul(255).round().numpy()
    assert np.array_equal(result, best)


def test_the_same_seed_gives_the_same_result(service: Service, tmp_path: Path) -> None:
    results = []
    for key in "ab":
        service.take(key, str(picture(tmp_path / "a.png")))
        last(service.run(key, Choice.of(**TINY, noise=0)))
        results.append(service.result(key))
    assert results[0] == results[1]


def test_stop_keeps_what_there_is(service: Service) -> None:
    run = service.run("a", Choice.of(network="tiny", limit=20, past=True))
    told = next(run)
    while len(told["frames"]) < 3:
        told = next(run)
    service.stop("a")
    begun = time.monotonic()
    told = last(run)
    assert told["why"] == "stopped by you" and time.monotonic() - begun < 15
    assert service.find(told["id"]).fetch("result.png") is not None  # type: ignore[union-attr]


def test_whoever_leaves_takes_everything_along(service: Service, tmp_path: Path) -> None:
    run = service.run("a", Choice.of(network="tiny", limit=20, past=True))
    told = next(run)
    while told["state"] != "running":
        told = next(run)
    live = service.find(told["id"])
    assert live is not None and any((tmp_path / "visitors").iterdir())
    service.leave("a")
    assert service.find(told["id"]) is None
    deadline = time.monotonic() + 10
    while (not live.over or any((tmp_path / "visitors").iterdir())) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert live.over and not any((tmp_path / "visitors").iterdir())


def test_closing_the_generator_ends_the_run(service: Service) -> None:
    run = service.run("a", Choice.of(network="tiny", limit=20, past=True))
    told = next(run)
    while told["state"] != "running":
        told = next(run)
    live = service.find(told["id"])
    run.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 10
    while not live.over and time.monotonic() < deadline:  # type: ignore[union-attr]
        time.sleep(0.02)
    assert live.over and not service.busy("a")  # type: ignore[union-attr]


def test_one_run_a_visitor_and_a_fair_refusal(service: Service) -> None:
    slow = Choice.of(network="tiny", limit=20, past=True)
    runs = [service.run(key, slow) for key in "abcd"]
    for run in runs:
        next(run)
    with pytest.raises(SorryError, match="still going"):
        next(service.run("a", slow))
    with pytest.raises(SorryError, match="3 people are waiting"):
        next(service.run("e", slow))
    told = next(runs[3])
    assert told["state"] == "waiting" and told["place"] == 3 and 20 <= told["wait"] <= 60
    for run in runs:
        run.close()  # type: ignore[attr-defined]
    assert len(service.line) == 0


def test_the_silent_are_let_go(tmp_path: Path) -> None:
    service = Service(Limits(idle=0.05), tmp_path)
    service.pick("a", "coffee")
    time.sleep(0.1)
    service.pick("b", "coffee")
    assert len(service) == 1 and len(list(tmp_path.iterdir())) == 1


def test_a_run_is_about_what_the_page_shows(service: Service, tmp_path: Path) -> None:
    """Also when Run came before the upload was read, or the connection broke in between."""
    mine = str(picture(tmp_path / "mine.png", (48, 40)))
    choice, given = Choice.of(**TINY, noise=0), {"picture": mine, "sample": "coffee"}
    assert last(service.run("a", choice, given=given))["size"] == (48, 40)
    assert last(service.run("b", choice, given={"sample": "coffee"}))["size"] == (64, 64)
    coffee = service.picture("b").x
    assert not torch.equal(coffee, service.picture("c").x)  # who says nothing gets the cat
    service.leave("a")
    assert not Path(mine).exists()
    with pytest.raises(SorryError, match="no longer here"):
        last(service.run("a", choice, given=given))


def test_a_file_that_two_have_brought_goes_with_the_second(
    service: Service, tmp_path: Path
) -> None:
    path = picture(tmp_path / "both.png")
    for key in "ab":
        service.take(key, str(path))
    service.leave("a")
    assert path.exists()
    service.forget("b", "picture")
    assert not path.exists()


def test_what_is_replaced_is_deleted(service: Service, tmp_path: Path) -> None:
    first, second, mask = (picture(tmp_path / f"{n}.png", seed=n) for n in range(3))
    service.take("a", str(first))
    service.take("a", str(mask), "mask")
    service.take("a", str(second))
    assert not first.exists() and not mask.exists() and second.exists()
    service.take("a", str(picture(mask)), "mask")
    given = {"picture": str(picture(first)), "mask": str(mask)}  # Run was faster than the page
    with pytest.raises(SorryError, match="Upload a mask"):
        last(service.run("a", Choice.of(**TINY, task="inpaint", mask="upload"), given=given))
    assert first.exists() and not second.exists() and not mask.exists()
    service.pick("a", "coffee")
    assert not first.exists()
    service.leave("a")
    assert not any(tmp_path.glob("*.png"))


def test_a_file_uploaded_again_is_left_to_its_new_owner(service: Service, tmp_path: Path) -> None:
    """Gradio stores by content: the second visitor's upload takes the first one's place."""
    path = picture(tmp_path / "same.png")
    service.take("a", str(path))
    picture(tmp_path / "new.png").replace(path)  # "b" has uploaded it and not come to `take` yet
    service.leave("a")
    assert path.exists()
    assert service.take("b", str(path)).x.shape[2:] == (40, 48)
    service.leave("b")
    assert not path.exists()


def test_whoever_left_does_not_come_back_by_what_was_under_way(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from web import uploads

    read, path = uploads.read_picture, picture(tmp_path / "a.png")

    def slow(*values: Any) -> Picture:
        service.leave("a")
        return read(*values)

    monkeypatch.setattr(uploads, "read_picture", slow)
    with pytest.raises(SorryError, match="page was left"):
        service.take("a", str(path))
    with pytest.raises(SorryError, match="page was left"):  # and what comes only now
        service.take("a", str(picture(path)))
    assert len(service) == 0 and not any((tmp_path / "visitors").iterdir())
    service._left.clear()  # a moment later the same browser is welcome
    monkeypatch.undo()
    service.take("a", str(path))


def test_a_run_of_whoever_left_meanwhile_does_not_begin(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = service._inputs

    def slow(*values: Any) -> Inputs:
        found = inputs(*values)
        service.leave("a")
        return found

    monkeypatch.setattr(service, "_inputs", slow)
    with pytest.raises(SorryError, match="page was left"):
        next(service.run("a", Choice.of(**TINY)))
    assert len(service) == 0 and len(service.line) == 0


def test_those_of_one_address_leave_room_for_others(tmp_path: Path) -> None:
    service = Service(Limits(pixels=64 * 64, queue=4), tmp_path)
    slow = Choice.of(network="tiny", limit=60, past=True)
    runs = [service.run(key, slow, host="10.0.0.1") for key in "abc"]
    for run in runs:
        next(run)
    with pytest.raises(SorryError, match="From your network address 2 are waiting"):
        next(service.run("d", slow, host="10.0.0.1"))
    runs += [service.run("e", slow, host="10.0.0.2"), service.run("f", slow)]
    for run in runs[3:]:
        assert next(run)["state"] == "waiting"
    for run in reversed(runs):
        run.close()  # type: ignore[attr-defined]


def test_an_address_behind_a_proxy_is_believed_only_if_so_told() -> None:
    request = SimpleNamespace(
        client=SimpleNamespace(host="127.0.0.1"), headers={"x-forwarded-for": "1.1.1.1, 2.2.2.2"}
    )
    assert Service(Limits()).host(request) == "127.0.0.1"
    assert Service(Limits(forwarded=True)).host(request) == "2.2.2.2"


def test_so_many_visitors_and_no_more(tmp_path: Path) -> None:
    service = Service(Limits(visitors=2, alone=0.2), tmp_path)
    service.pick("a", "coffee")
    service.beats("a", 1)
    service.pick("b", "coffee")
    with pytest.raises(SorryError, match="as many people"):
        service.pick("c", "coffee")
    time.sleep(0.3)  # "b" has no page open
    service.pick("c", "coffee")
    assert {*service._visitors} == {"a", "c"}


def test_the_silent_and_results_go_without_anybody_coming(tmp_path: Path) -> None:
    service, folder = Service(Limits(idle=0.1), tmp_path / "v"), tmp_path / "result"
    folder.mkdir()
    service.pick("a", "coffee")
    service.discard(folder, 0.1)
    deadline = time.monotonic() + 10
    while (len(service) or folder.exists()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not len(service) and not folder.exists() and not any((tmp_path / "v").iterdir())


def test_a_mask_costs_little(service: Service, tmp_path: Path) -> None:
    large = np.zeros((900, 1200, 3), np.uint8)
    large[:, 300] = 255
    Image.fromarray(large).save(tmp_path / "mask.png")
    service.take("a", str(tmp_path / "mask.png"), "mask")
    kept = next((tmp_path / "visitors").rglob("mask.npy"))
    assert kept.stat().st_size < LIMITS.pixels + 200
    values = np.load(kept)
    assert values.dtype == np.uint8 and values.shape[0] == 1 and (values == 255).any(2).all()


def test_seconds_are_those_of_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, taken = Run.snapshot, []

    def slow(run: Run, *values: Any, **named: Any) -> Any:
        taken.append(run.step)
        time.sleep(0.3)
        return snapshot(run, *values, **named)

    monkeypatch.setattr(Run, "snapshot", slow)
    begun = time.perf_counter()
    choice = Choice.of(network="tiny", limit=3, past=True)
    *news, end = fitting(choice, Inputs(Picture(TEXTURE)), LIMITS, tmp_path)
    assert 3 <= time.perf_counter() - begun < 12  # and not 72 snapshots of 0.3 seconds
    assert isinstance(end, Ended) and end.why == "seconds: 3 used"
    frames = [each for each in news if isinstance(each, Frame)]
    assert 2 <= len(frames) <= 9  # the steps have their share
    assert max(frame.seconds for frame in frames) >= 3


def test_folders_of_the_dead_are_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                           capture_output=True, check=True)  # fmt: skip
    for name, owner in (("dead", int(child.stdout)), ("alive", os.getppid())):
        (tmp_path / f"dip_lite-{name}").mkdir()
        (tmp_path / f"dip_lite-{name}" / "owner").write_text(f"{platform.node()} {owner}")
    (tmp_path / "dip_lite-strange").mkdir()
    mine, other = lasting("dip_lite-"), lasting("dip_lite-")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"dip_lite-alive", "dip_lite-strange", mine.name, other.name}


def test_the_end_of_the_process_ends_the_runs(tmp_path: Path) -> None:
    service = Service(LIMITS, tmp_path / "v")
    run = service.run("a", Choice.of(network="tiny", limit=60, past=True))
    while next(run)["state"] != "running":
        pass
    service.close()
    thread = service.line._thread
    assert thread is not None and not thread.is_alive() and not (tmp_path / "v").exists()
    with pytest.raises(SorryError):
        last(run)


def test_errors_of_a_run_are_sentences(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SorryError, match="Draw over"):
        last(service.run("a", Choice.of(**TINY, task="inpaint", mask="draw")))
    with pytest.raises(SorryError, match="did not arrive whole"):
        last(service.run("a", Choice.of(**TINY, task="inpaint", mask="draw"), painted="data:x"))

    def broken(*arguments: Any) -> Iterator[Any]:
        raise RuntimeError("inner matters")
        yield

    monkeypatch.setattr("web.live.fitting", broken)
    with pytest.raises(SorryError, match="went wrong on our side") as caught:
        last(service.run("a", Choice.of(**TINY)))
    assert "inner" not in str(caught.value) and "inner matters" in capsys.readouterr().err


def test_a_drawn_mask_is_filled_in(service: Service, tmp_path: Path) -> None:
    from base64 import b64encode

    service.take("a", str(picture(tmp_path / "a.png", (64, 64))))
    sheet = Image.new("L", (64, 64))
    sheet.paste(255, (20, 20, 30, 34))
    memory = io.BytesIO()
    sheet.save(memory, "PNG")
    drawing = "data:image/png;base64," + b64encode(memory.getvalue()).decode()
    last(service.run("a", Choice.of(**TINY, task="inpaint", mask="draw"), drawing))
    before = np.asarray(Image.open(tmp_path / "a.png"))
    after = np.asarray(Image.open(io.BytesIO(service.result("a"))))
    changed = (before != after).any(axis=2)
    assert changed[20:34, 20:30].any()
    changed[20:34, 20:30] = False
    assert not changed.any()


# --- the gate and the landing


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=http://example.org/a.png", "/gradio_api/file=HTTPS://example.org/",
        "/gradio_api/proxy=http://example.org", "/monitoring", "/gradio_api/vibe-code",
        "/gradio_api/component_server", "/gradio_api/deep_link", "/gradio_api/run-history/buckets",
        "/gradio_api/file=s3+x://a/b",
    ],
)  # fmt: skip
def test_the_gate_refuses(path: str) -> None:
    assert REFUSED.match(path)


@pytest.mark.parametrize(
    "path",
    [
        "/", "/config", "/gradio_api/upload", "/gradio_api/queue/join",
        "/gradio_api/file=C:\\Temp\\a.png", "/gradio_api/file=d:/Temp/a.png",
    ],
)  # fmt: skip
def test_the_gate_lets_through(path: str) -> None:
    assert not REFUSED.match(path)


def test_a_drive_is_no_address() -> None:
    def post(path: str) -> bytes:
        return json.dumps({"data": [{"path": path}]}).encode()

    assert not any(names_an_address(post(path)) for path in ("C:\\a.png", "d:/a.png", "/a/b:c"))
    assert all(names_an_address(post(path)) for path in ("ab:c", "http://a", " FTP:x", "//a/b"))


def test_the_landing_shows_what_it_should() -> None:
    folder = Path(__file__).parents[1] / "web" / "examples"
    example = Example(folder)
    rows = sorted(example.told["frames"])
    average = [row[3] for row in rows]
    best, end = max(average), average[-1]
    assert average[0] < 15 and best > 29 and end < best - 3  # blur, clean, noise again
    auto = [row[3] for row in rows if row[0] == example.told["numbers"]["auto"]]
    assert len(auto) == 1 and auto[0] > best - 0.5
    assert 40 <= len(rows) <= 100
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1.5e6
    pack = example.fetch("frames", 0, len(rows))
    assert pack is not None and len(pack[0]) == sum(sum(row[5:]) for row in rows)
    assert example.fetch("thumb-coffee") is not None and example.fetch("../app.py") is None


def test_options_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIP_LITE_MAX_PIXELS", "5000")
    monkeypatch.setenv("DIP_LITE_HOST", "0.0.0.0")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "82")
    asked = arguments(["--port", "81"])
    assert (asked.max_pixels, asked.host, asked.port, asked.queue) == (5000, "0.0.0.0", 81, 12)
    assert arguments([]).port == 82 and (asked.per_address, asked.forwarded) == (0, False)
    monkeypatch.setenv("DIP_LITE_PORT", "83")
    assert arguments([]).port == 83


def test_the_page_is_built_without_pytorch() -> None:
    code = (
        "import sys, app; app.build(app.Limits()); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'dip_lite', 'matplotlib')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
