"""What a step costs: python -m benchmarks.engine [--write benchmarks/RESULTS.md]

Every ratio is of medians taken in turn within one run, A B A B, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

from .common import machine, markers, publish, table

STEP = """
import json, sys, time, contextlib
import torch
import dip_lite as dip
from dip_lite.engine import device as hardware
from dip_lite.engine.loop import Run
side, preset, steps, change = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
if change == "give memory back":
    hardware.keep_memory = lambda: False
before = hardware.peak_memory()
x = torch.nn.functional.interpolate(dip.sample("astronaut"), size=(side, side), mode="bilinear")
task = dip.denoise(dip.add_noise(x, 25 / 255), 25 / 255, preset=preset)
task.coarse = None  # all steps at full resolution
run = Run(task, precision="bfloat16" if change == "bfloat16" else "float32")
if change == "contiguous":
    run.net.to(memory_format=torch.contiguous_format)
run.advance()
times, snaps = [], []
for _ in range(steps):
    start = time.perf_counter()
    run.advance()
    times.append(time.perf_counter() - start)
    if len(snaps) < 60:
        snaps.append(run.snapshot())
print(json.dumps({"step": sorted(times)[len(times) // 2],
                  "mb": (hardware.peak_memory() - before) / 2**20}))
"""
SHARE = """
import json, sys, time
import torch
from torch.utils.flop_counter import FlopCounterMode
import dip_lite as dip
from dip_lite.engine.loop import Run
side = int(sys.argv[1])
a, b = torch.randn(2, 1536, 1536)
def multiply():
    start = time.perf_counter()
    a @ b
    return 2 * 1536**3 / (time.perf_counter() - start)
peak = max(multiply() for _ in range(20))
x = torch.nn.functional.interpolate(dip.sample("astronaut"), size=(side, side), mode="bilinear")
task = dip.denoise(dip.add_noise(x, 25 / 255), 25 / 255)
task.coarse = None  # all steps at full resolution
run = Run(task, precision="float32")
with FlopCounterMode(display=False) as counter:
    run.advance()
times = []
for _ in range(20):
    start = time.perf_counter()
    run.advance()
    times.append(time.perf_counter() - start)
peak = max(peak, *(multiply() for _ in range(20)))
print(json.dumps({"flop": counter.get_total_flops(), "peak": peak, "step": sorted(times)[10]}))
"""
IMPORT = """
import time, torch
start = time.perf_counter()
import dip_lite
print(time.perf_counter() - start)
"""


def _run(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def measure(side: int, preset: str = "fast", steps: int = 10, change: str = "-") -> dict:
    """Median seconds a step, and megabytes held at most above the imports."""
    return json.loads(_run(STEP, side, preset, steps, change))


def in_turn(a: tuple, b: tuple, rounds: int = 3) -> tuple[float, float]:
    """Median seconds a step of two variants measured A B A B …"""
    pairs = [(measure(*a)["step"], measure(*b)["step"]) for _ in range(rounds)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def main() -> None:
    """Measures everything and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", help="also put the table between the markers of this file")
    options = parser.parse_args()
    markers("engine", options.write)  # before an hour is spent
    rows = []

    def compare(what: str, a: tuple, b: tuple, scale: float = 1.0, rounds: int = 3) -> None:
        first, second = in_turn(a, b, rounds)
        rows.append(
            [what, f"{first:.3f} s", f"{second:.3f} s", f"1 : {scale * second / first:.2f}"]
        )
        print(" ".join(rows[-1]), flush=True)

    compare("`fast` : `paper`, 512²", (512,), (512, "paper", 2), rounds=2)
    compare("per pixel, 256² : 1024²", (256, "fast", 30), (1024, "fast", 4), scale=1 / 16)
    compare("memory kept : given back, 512²", (512,), (512, "fast", 10, "give memory back"))
    compare("channels_last : contiguous, 512²", (512,), (512, "fast", 10, "contiguous"))
    compare("float32 : bfloat16, 512²", (512,), (512, "fast", 3, "bfloat16"), rounds=1)
    share = json.loads(_run(SHARE, 512))
    reached = share["flop"] / share["step"] / share["peak"]
    held = measure(512, "fast", 65)["mb"]
    imports = statistics.median(float(_run(IMPORT)) for _ in range(5))
    parts = [
        machine() + ".",
        table(["seconds a step", "first", "second", "ratio"], rows),
        f"A step at 512² takes {share['flop'] / 1e9:.1f} GFLOP and {share['step']:.3f} s: "
        f"{reached:.2f} of the {share['peak'] / 1e9:.0f} GFLOP/s of a matrix product.",
        f"Peak memory at 512² with 60 snapshots kept: {held:.0f} MB above the imports. "
        f"`import dip_lite` after `import torch`: {imports * 1e3:.0f} ms.",
    ]
    publish("engine", "\n\n".join(parts), options.write)


if __name__ == "__main__":
    main()
