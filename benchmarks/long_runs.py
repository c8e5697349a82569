"""Runs with the authors' networks and settings, made once and shipped: `dip_lite.long_run`.

    python -m benchmarks.long_runs jpeg --record outputs/jpeg       # begins, or goes on
    python -m benchmarks.long_runs jpeg --record outputs/jpeg --ship    # packs a finished run

They take more than an hour each on one core, in float32. A run that is killed loses what it made
since the last snapshot, a tenth of it at most.
"""

import argparse
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import dip_lite as dip
from benchmarks.common import machine
from dip_lite.engine.loop import Run
from dip_lite.engine.task import Task
from dip_lite.errors import PictureError, RecordError, sentence
from dip_lite.images.degrade import jpeg
from dip_lite.images.io import atomic_write, encode_webp, to_pil
from dip_lite.records.long_runs import FOLDER
from dip_lite.records.record import Record
from dip_lite.records.recorder import Recorder

SIDE = 256  # pixels
DENSITY = 10  # snapshots to a factor of e in steps
FRAMES, MAX_PACK = 32, 600_000  # of a shipped run; bytes
PSNR_EVERY = 10  # steps between two rows of psnr.csv


@dataclass(frozen=True)
class Case:
    """One long run: the clean picture, the task, and how far it goes."""

    x_true: Tensor  # (1, 3, SIDE, SIDE)
    x0: Tensor
    task: Task
    steps: int
    marks: tuple[int, ...]  # steps recorded whatever the schedule says
    stop: int  # the paper's, where the demo begins
    title: str
    caption: str  # of the demo; {minutes} is filled in
    picture: str = ""  # name of the photograph
    lossless: tuple[int, ...] = ()  # steps whose outputs are shipped without loss

    def wanted(self, step: int) -> bool:
        """Whether a snapshot is recorded."""
        now, before = (int(math.log(max(n, 1)) * DENSITY) for n in (step, step - 1))
        return step < 2 or now > before or step in self.marks or step == self.steps


def square(name: str) -> Tensor:
    """The middle square of a bundled photograph, shrunk to SIDE pixels."""
    x = dip.sample(name)
    side = min(x.shape[2:])
    top, left = ((length - side) // 2 for length in x.shape[2:])
    x = x[..., top : top + side, left : left + side]
    x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)
    return x.clamp(0, 1).mul(255).round() / 255  # as a file


def compressed(name: str = "coffee", quality: int = 10) -> Case:
    """JPEG artifacts (paper, Fig. 3): the snail's network and settings, on to 50 000 iterations."""
    x_true = square(name)
    x0 = jpeg(x_true, quality)
    task = dip.remove_jpeg(x0, blind=True, preset="paper")
    title = "JPEG: 50,000 steps"
    caption = (
        f"The paper's network for JPEG, fitted to a file of quality {quality}: 50,000 iterations, "
        "{minutes} minutes on a shared core. The paper stops at 2400; drag on, and the blocks come "
        "back."
    )
    return Case(
        x_true, x0, task, 50_000, (100, 2400), 2400, title, caption, name, (100, 2400, 50_000)
    )


def noisy(name: str = "astronaut") -> Case:
    """Noise of σ = 25 (paper, section 3.1): the recipe of F16, on to 3000 iterations."""
    x_true = square(name)
    x0 = dip.add_noise(x_true, 25 / 255)
    task = dip.denoise(x0, sigma=25 / 255, preset="paper")
    caption = (
        "The paper's network and settings for noise (σ = 25): 3000 iterations, {minutes} minutes "
        "on a shared core. The paper stops at 1800; drag on, and the noise comes back."
    )
    title, marks, lossless = "Noise: 3,000 steps", (100, 1500, 1800), (1800, 3000)
    return Case(x_true, x0, task, 3000, marks, 1800, title, caption, name, lossless)


CASES: dict[str, Callable[..., Case]] = {"jpeg": compressed, "noise": noisy}


def resume(case: Case, folder: Path) -> None:
    """Begins the run, or goes on with it, up to its last step."""
    run = Run(case.task, seed=0, device="cpu", precision="float32")
    if (folder / "settings.json").exists():
        _check(case, Record(folder))
        recorder = Recorder.reopen(folder, run)
    else:
        recorder = Recorder(
            folder, {"task": case.task.name, "picture": case.picture, "machine": machine()}
        )
    if not recorder.rows:
        _add(recorder, run, case)
    _drop_rows_after(run.step, folder / "psnr.csv")
    with open(folder / "psnr.csv", "a", encoding="utf-8") as curve:
        while run.step < case.steps:
            run.advance()
            if run.step % PSNR_EVERY == 0:
                scores = (dip.psnr(x, case.x_true) for x in (run.x, run.x_avg))
                print(run.step, *(f"{score:.3f}" for score in scores), sep=",", file=curve)
            if case.wanted(run.step):
                curve.flush()
                _add(recorder, run, case)


def _check(case: Case, record: Record) -> None:
    """Refuses the record of another run."""
    found, task = record.settings.get("picture"), record.settings.get("task")
    if (found, task) != (case.picture, case.task.name):
        raise SystemExit(
            f"the record is of the task {task} with {found}, not of {case.task.name} with "
            f"{case.picture}: name another folder"
        )


def _add(recorder: Recorder, run: Run, case: Case) -> None:
    ended = f"steps: {run.step} made" if run.step == case.steps else ""
    snap = replace(run.snapshot(stop=False), stop_reason=ended)
    average, output = (dip.psnr(x, case.x_true) for x in (snap.x_avg, snap.x))
    recorder.add(snap, run.state(), psnr_true=average, psnr_output=output)
    scores = f"output {output:.2f} dB, average {average:.2f} dB"
    print(f"step {snap.step}, {snap.seconds:.0f} s: {scores}", flush=True)


def _drop_rows_after(step: int, path: Path) -> None:
    """Rows of psnr.csv that the run is about to make again."""
    rows = path.read_text("utf-8").splitlines() if path.exists() else []
    kept = [row for row in rows if row.count(",") == 2 and int(row.partition(",")[0]) <= step]
    atomic_write(path, "".join(f"{row}\n" for row in kept).encode())


def ship(case: Case, folder: Path, target: Path) -> None:
    """Packs a finished record for `dip_lite.long_run`: at most MAX_PACK bytes of frames."""
    record = Record(folder)
    _check(case, record)
    if not record.finished:
        made = record.steps[-1] if record.steps else 0
        raise SystemExit(f"the run is at step {made} of {case.steps}: finish it first")
    for quality in range(95, 40, -5):
        frames, pack = _encode(record, case, quality)
        if len(pack) <= MAX_PACK:
            break
    else:
        raise SystemExit(f"{len(frames)} frames do not fit into {MAX_PACK} bytes")
    target.mkdir(parents=True, exist_ok=True)
    last = record.rows[-1]
    numbers = {name: last[name] for name in ("step", "seconds", "loss")}
    numbers |= {"psnr": last["psnr_true"], "best_step": case.stop, "auto_step": None}
    caption = case.caption.format(minutes=round(last["seconds"] / 60))
    shown = {
        "title": case.title, "caption": caption, "task": case.task.name,
        "machine": record.settings["machine"], "input": dip.psnr(case.x0, case.x_true),
        "size": [SIDE, SIDE], "kind": "raw", "truth": True, "numbers": numbers,
        "stop_reason": last["stop_reason"], "frames": frames,
    }  # fmt: skip
    rows = [row.split(",") for row in (folder / "psnr.csv").read_text("utf-8").splitlines()]
    lines = [["step", "output", "average"], *_thinned_curve(rows, case.marks)]
    files = {
        "run.json": json.dumps(shown, ensure_ascii=False).encode() + b"\n",
        "frames.pack": pack,
        "curve.csv": "".join(",".join(line) + "\n" for line in lines).encode(),
        "thumb.webp": encode_webp(case.x0, 128, 70),
    }
    for name, content in files.items():
        atomic_write(target / name, content)
    for name, x in (("before", case.x0), ("truth", case.x_true)):
        dip.save(x, target / f"{name}.webp")  # without loss
    print(f"{len(frames)} snapshots, {len(pack):,} bytes of WebP of quality {quality}")


def _encode(record: Record, case: Case, quality: int) -> tuple[list[list[float]], bytes]:
    """Frames as `viz/scrubber/scrubber.js` describes them, and their WebPs one after another."""
    frames, pack = [], b""
    for row in _thinned(record.rows, case.marks):
        average, output = (record.frame(row["step"], kind) for kind in ("x_avg", "x"))
        webps = [encode_webp(x, SIDE, quality, method=6) for x in (average, output)]
        if row["step"] in case.lossless:
            memory = io.BytesIO()
            to_pil(output).save(memory, "WEBP", lossless=True, method=6)
            webps[1] = memory.getvalue()
        known = [row[name] for name in ("step", "seconds", "loss", "psnr_true", "psnr_output")]
        frames.append([*known, *map(len, webps)])
        pack += b"".join(webps)
    return frames, pack


def _thinned(rows: list[dict[str, Any]], marks: tuple[int, ...]) -> list[dict[str, Any]]:
    """About FRAMES rows, evenly spaced in the record, with the marks and the best ones."""
    gap = max(1.0, (len(rows) - 1) / (FRAMES - 1))
    kept = {round(i * gap) for i in range(FRAMES)} | {len(rows) - 1}
    kept |= {i for i, row in enumerate(rows) if row["step"] in marks}
    for column in ("psnr_true", "psnr_output"):
        kept.add(max(range(len(rows)), key=lambda i, c=column: rows[i][c]))  # type: ignore[misc]
    return [rows[i] for i in sorted(kept) if i < len(rows)]


def _thinned_curve(rows: list[list[str]], marks: tuple[int, ...]) -> list[list[str]]:
    """All rows at first, then ever fewer, as on a logarithmic axis; the marks and the last."""
    kept: list[list[str]] = []
    for row in rows:
        step, last = int(row[0]), int(kept[-1][0]) if kept else 0
        if step >= 1.008 * last or step in marks or row is rows[-1]:
            kept.append(row)
    return kept


def main() -> None:
    """Parses the options and runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--record", type=Path, required=True, help="folder of the record")
    parser.add_argument("--picture", help="another bundled photograph")
    parser.add_argument("--ship", action="store_true", help="write dip_lite/records/runs/CASE")
    options = parser.parse_args()
    try:
        _run(options)
    except (PictureError, RecordError) as error:
        raise SystemExit(sentence(error)) from None


def _run(options: argparse.Namespace) -> None:
    case = CASES[options.case](*[options.picture] if options.picture else [])
    if options.ship:
        ship(case, options.record, FOLDER / options.case)
        return
    print(f"{machine()}. Input: {dip.psnr(case.x0, case.x_true):.2f} dB", flush=True)
    resume(case, options.record)
    print(len(Record(options.record)), "snapshots")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
