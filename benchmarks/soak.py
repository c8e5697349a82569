"""Whether memory, handles and threads stay flat: `python -m benchmarks.soak`.

    python -m benchmarks.soak --fits 200 --sessions 500     # about 25 minutes on two cores
    python -m benchmarks.soak --rounds 2                    # 20 of each: does it work?

Fits: tiny ones of every task, one after the other in this process. Sessions: callers of the demo's
/restore, one after the other, each with an upload and a run; the demo is a process of its own.
Resident memory is compared as the median of the last tenth against that of the second tenth, at
most 1.05 times is wanted; handles and threads as their largest. Exits with 1 if one is not flat.
Linux only: it reads /proc. Needs requirements-dev.txt.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import torch

from benchmarks.common import machine, table
from dip_lite import add_noise, denoise, fit, inpaint, prior, remove_jpeg, sample, super_resolve
from dip_lite.engine.task import Task
from dip_lite.images.masks import random_mask

MOST = 1.05  # times the memory of the second tenth
SLACK = 3  # handles or threads that may be more at the end


@dataclass
class Usage:
    """What a process holds, round by round."""

    memory: list[float] = field(default_factory=list)  # MB resident
    handles: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def look(self, pid: int) -> None:
        """Adds what the process has now."""
        status = Path(f"/proc/{pid}/status").read_text()
        self.memory.append(int(status.partition("VmRSS:")[2].split()[0]) / 1024)
        self.threads.append(int(status.partition("Threads:")[2].split()[0]))
        self.handles.append(len(os.listdir(f"/proc/{pid}/fd")))

    def course(self) -> str:
        """The memory, tenth by tenth."""
        return ", ".join(f"{statistics.median(part):.0f}" for part in tenths(self.memory)) + " MB"

    def row(self, name: str) -> list[str]:
        """Name, rounds, memory, ratio, handles, threads, verdict."""
        early, late = map(statistics.median, second_and_last(self.memory))
        counts = [[*map(max, second_and_last(of))] for of in (self.handles, self.threads)]
        flat = late <= MOST * early and all(end <= begin + SLACK for begin, end in counts)
        shown = [f"{begin} → {end}" for begin, end in counts]
        memory = f"{early:.0f} → {late:.0f} MB"
        verdict = "flat" if flat else "grows"
        return [name, str(len(self.memory)), memory, f"× {late / early:.3f}", *shown, verdict]


def tenths(values: Sequence[float]) -> list[Sequence[float]]:
    """All values in ten parts, none of which is empty: fewer parts of fewer values."""
    cuts = [len(values) * i // 10 for i in range(11)]
    return [values[begin:end] for begin, end in pairwise(cuts) if begin < end]


def second_and_last(values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """The second tenth and the last."""
    parts = tenths(values)
    return parts[:2][-1], parts[-1]


def tasks() -> Iterator[Callable[[int], Task]]:
    """Tiny tasks, again and again; each takes a seed."""
    x = sample("chelsea")[..., 100:148, 150:214]
    x0 = add_noise(x, 25 / 255)
    known = random_mask((48, 64), 0.5)
    while True:
        yield lambda seed: denoise(x0, preset="tiny", seed=seed)
        yield lambda seed: inpaint(x0, known, preset="tiny", seed=seed)
        yield lambda seed: super_resolve(x[..., ::2, ::2], 2, preset="tiny", seed=seed)
        yield lambda seed: remove_jpeg(x0, preset="tiny", seed=seed)
        yield lambda seed: prior(x0, seed=seed)


def soak_fits(count: int, steps: int) -> Usage:
    """Fits one after the other; nothing is kept."""
    usage = Usage()
    for number, make in zip(range(count), tasks(), strict=False):
        for _snap in fit(make(number), steps=steps, stop=False):
            pass
        del _snap
        gc.collect()
        usage.look(os.getpid())
    return usage


def soak_sessions(count: int, steps: int) -> Usage:
    """Callers of the demo one after the other."""
    from benchmarks.app import Caller, picture
    from tests.app.server import Server

    server, usage = Server(), Usage()
    try:
        for number in range(count):
            caller = Caller(server)
            last = caller.restore(picture((64 + number % 5, 64), number), steps)
            assert "done" in last, last
            caller.wire.close()
            usage.look(server.process.pid)
        output = server.output()
    finally:
        server.close()
    assert "Traceback" not in output, output
    return usage


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--fits", type=int, default=200)
    parser.add_argument("--sessions", type=int, default=500)
    parser.add_argument("--steps", type=int, default=20, help="of each fit")
    parser.add_argument(
        "--rounds", type=int, help="of ten fits and ten sessions each; replaces both"
    )
    options = parser.parse_args()
    if options.rounds is not None:
        options.fits = options.sessions = 10 * options.rounds
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    found = {}
    if options.fits:
        found["fits in one process"] = soak_fits(options.fits, options.steps)
    if options.sessions:
        found["sessions of the demo"] = soak_sessions(options.sessions, options.steps)
    rows = [usage.row(name) for name, usage in found.items()]
    print(f"{machine()}, {options.steps} steps each.\n")
    head = ["what", "rounds", "memory", "ratio", "handles", "threads", "verdict"]
    print(table(head, rows))
    for name, usage in found.items():
        print(f"\nMemory by tenths, {name}: {usage.course()}")
    return any(row[-1] != "flat" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
