"""A Dask cluster for tests and benchmarks."""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import dip_lite

# for other processes: the package is found as it lies here, installed or not
HERE = dict(os.environ) | {"PYTHONPATH": str(Path(dip_lite.__file__).parents[1])}


class Cluster:
    """A scheduler and workers on loopback, each a process of its own, without a common disk.

    Attributes:
        address: of the scheduler.
        processes: all that were started.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, list[subprocess.Popen[bytes]]()
        self.address = "tcp://127.0.0.1:0"
        self.start_scheduler()

    def start_scheduler(self) -> None:
        """The first one takes a free port, the next the same."""
        file = self.folder / f"scheduler{len(self.processes)}.json"
        port = self.address.rpartition(":")[2]
        self.scheduler = self._start("scheduler", "--port", port, "--scheduler-file", file)
        deadline = time.monotonic() + 60
        while not file.exists():
            assert self.scheduler.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        self.address = json.loads(file.read_text())["address"]

    def worker(self, *words: object) -> subprocess.Popen[bytes]:
        return self._start("worker", self.address, "--no-nanny", "--nthreads", 1, *words)

    def _start(self, kind: str, *words: object) -> subprocess.Popen[bytes]:
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

    def streams(self) -> set[str]:
        """The folders that workers have for runs, see `sweep.streaming`."""
        return {*glob.glob(f"{self.folder}/**/stream-*", recursive=True)}

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
