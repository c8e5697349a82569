"""Many runs at once: python -m benchmarks.sweep [--steps 60] [--write benchmarks/RESULTS.md]

Eight runs, in turn in one process with all threads, and as a sweep: a worker for every core with
one thread each, or one worker with all. Ratios are of medians, taken A B C A B C, each in a process
of its own. A sweep's time has the start and the end of its workers in it, some seconds; no time has
the caller's own import of PyTorch in it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from torch.nn.functional import interpolate

import dip_lite as dip

from .common import machine, markers, publish, table

RUNS, SIDE = 8, 256
CODE = """
import sys, time
from dip_lite.sweep import expand_grid, sweep
from dip_lite.sweep.worker import ExecutionOptions, fetch, run_trial

if __name__ == "__main__":
    picture, out, workers, threads, runs, steps = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    trials = expand_grid([picture], "denoise", {"preset": "fast"}, range(runs),
                         degrade={"sigma": 25 / 255}, steps=steps, stop=False)
    start = time.perf_counter()
    if workers:
        table = sweep(trials, out, workers=workers, threads=threads)
        assert len(table) == runs and not any(table["error"])
    else:
        for trial in trials:
            pictures = {name: fetch(name) for name in trial.files}
            run_trial(trial, pictures, ExecutionOptions(threads))
    print(time.perf_counter() - start)
"""


def measure(picture: str, workers: int, threads: int, steps: int) -> float:
    """Seconds for all runs; no workers: in turn, in one process."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text(CODE)
        command = [sys.executable, script, picture, Path(folder, "out"), workers, threads]
        done = subprocess.run(
            [str(word) for word in [*command, RUNS, steps]],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ) | {"PYTHONPATH": str(Path(dip.__file__).parents[1])},
        )
    return float(done.stdout)


def main() -> None:
    """Measures three ways to do the same and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", help="also put the table between the markers of this file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="of every run")
    options = parser.parse_args()
    markers("sweep", options.write)  # before minutes are spent
    cores = os.cpu_count() or 1
    ways = {
        f"in turn, one process, {cores} threads": (0, cores),
        f"sweep, {cores} workers of 1 thread": (cores, 1),
        f"sweep, 1 worker of {cores} threads": (1, cores),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        picture = str(Path(folder, "astronaut.png"))
        dip.save(interpolate(dip.sample("astronaut"), size=(SIDE, SIDE), mode="bilinear"), picture)
        for _ in range(options.rounds):
            for way, (workers, threads) in ways.items():
                times[way].append(measure(picture, workers, threads, options.steps))
                print(f"{way}: {times[way][-1]:.1f} s", flush=True)
    medians = {way: statistics.median(found) for way, found in times.items()}
    first = next(iter(medians.values()))
    rows = [
        [way, f"{value:.1f} s", f"{min(times[way]):.1f} to {max(times[way]):.1f}",
         f"{first / value:.2f}"]
        for way, value in medians.items()
    ]  # fmt: skip
    head = [f"{RUNS} runs of {options.steps} steps, {SIDE}²", "median", "of all", "times as fast"]
    publish("sweep", f"{machine()}.\n\n{table(head, rows)}", options.write)


if __name__ == "__main__":
    main()
