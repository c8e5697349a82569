"""Fits runs on the workers of a Dask cluster, one at a time on each; see `executors.Executor`.

    executor = ClusterExecutor("tcp://10.0.0.7:8786", threads=1)
    for event in executor.stream(request, inputs, limits, folder): ...

A run's record is on the server, complete up to the last frame, and workers keep nothing. When a
worker is lost the run goes on elsewhere from the last state in that record.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

from ..errors import RecordError, UserError, WorkerLostError
from ..records import Record, Recorder
from ..records.record import frame_path
from ..sweep.pool import WorkerPool
from .events import Event, Files, Finished, Notice, Numbers, Progress, Started
from .fitting import ABANDON, STOP
from .limits import Limits
from .request import RunRequest
from .restoration import Inputs
from .worker import fit_on_worker, read_files, warm_up, write_files

POLL = 0.25  # seconds between two looks at whether a worker is free
MAX_LOSSES = 3  # workers lost in a row without a step that was saved
NO_WORKER = "No worker has joined yet: your run waits until one has."
ALL_BUSY = "A worker was lost: your run waits until another one is free."
NO_CLUSTER = "The cluster cannot be reached: your run waits until it is back."
MEMORY, MEMORY_PER_PIXEL = 800_000_000, 1_800  # bytes that a fit needs, see RESULTS.md


class ClusterExecutor:
    """See the module.

    Args:
        scheduler: its address, tcp://host:port or tls://host:port.
        threads: of PyTorch in one run.
        timeout: seconds for the scheduler to answer at first.

    Raises:
        SweepError: Dask is not installed, or no scheduler answers.
    """

    def __init__(self, scheduler: str, threads: int = 1, timeout: float = 10.0) -> None:
        self.threads = threads
        self.on_change: Callable[[int], None] = lambda slots: None
        self.pool = WorkerPool(
            scheduler, functools.partial(warm_up, threads), lambda slots: self.on_change(slots),
            lambda sentence: print(sentence, flush=True), timeout,
        )  # fmt: skip

    @property
    def slots(self) -> int:
        return len(self.pool.workers)

    @property
    def notice(self) -> str:
        if self.slots:
            return ""
        return NO_WORKER if self.pool.connected else NO_CLUSTER

    @property
    def status(self) -> str:
        if not self.pool.connected:
            return "no scheduler"
        return "ok" if self.slots else "no workers"

    @property
    def lost(self) -> int:
        return self.pool.lost

    def stream(
        self, request: RunRequest, inputs: Inputs, limits: Limits, folder: Path
    ) -> Iterator[Event]:
        """Fits a run on one worker after the other until one has finished it."""
        run = _ClusterRun(self, request, inputs, limits, folder)
        while (address := (yield from run.wait_for_worker())) is not None:
            lost = False
            try:
                yield from run.follow(address)
            except WorkerLostError:
                lost = True
            finally:
                self.pool.release(address, lost, run.ended)
            if not lost:
                return
            yield run.after_loss()

    def close(self) -> None:
        self.pool.close()


class _ClusterRun:
    """One run on its way through workers."""

    def __init__(
        self, executor: ClusterExecutor, request: RunRequest, inputs: Inputs, limits: Limits,
        folder: Path,
    ) -> None:  # fmt: skip
        self.pool, self.threads = executor.pool, executor.threads
        self.executor, self.request, self.inputs, self.limits = executor, request, inputs, limits
        self.folder, self.record = folder, folder / "record"
        self.step, self.saved, self.losses = 0, -1, 0  # shown last; saved last; since then
        self.ended = True  # whether the last worker is done with it
        self.seconds, self.notice = 0.0, ""  # of its clock; about the last loss
        self.partial: Finished | None = None  # the last frame, should no worker be left
        self.note: str | None = None  # what the first worker said of the task

    def wait_for_worker(self) -> Generator[Event, None, str | None]:
        """A free worker's address; None if the run is over, with what there is of it."""
        memory, shown = needed_memory(self.request, self.inputs, self.limits), ""
        while True:
            limits = [*self.pool.workers.values()]
            if limits and all(0 < limit < memory for limit in limits):
                raise UserError(
                    f"This picture needs about {memory / 1e9:.1f} GB of memory, and the workers "
                    f"have {max(limits) / 1e9:.1f} GB: use a smaller one."
                )
            if (address := self.pool.acquire(POLL, memory)) is not None:
                if shown:
                    yield Notice(self.notice)
                return address
            if (self.folder / STOP).exists():
                if self.partial:
                    yield replace(self.partial, stop_reason="stopped by you")
                return None
            if not self.pool.connected and self.partial:
                at = self.partial.numbers["step"]
                yield Notice(f"The cluster was lost: this is your picture as of step {at}.")
                yield replace(self.partial, stop_reason="the cluster was lost")
                return None
            if (notice := self.executor.notice or (self.notice and ALL_BUSY)) != shown:
                shown = notice
                yield Notice(notice)

    def follow(self, address: str) -> Iterator[Event]:
        """The run's events while it is on this worker; none more once it is abandoned."""
        names = ("settings.json", "curve.json", "state.pt")
        files = read_files(self.record, *names) if self.saved >= 0 else Files({})
        arguments = (
            self.request, self.inputs, self.limits, files, self.threads, self.seconds
        )  # fmt: skip
        stream = self.pool.stream(address, fit_on_worker, arguments)
        try:
            while not stream.done and not (self.folder / ABANDON).exists():
                signals = [STOP] if (self.folder / STOP).exists() else []
                for item in stream.take(signals):
                    if isinstance(item, Files):
                        write_files(item, self.record)
                        continue
                    if isinstance(item, Progress):
                        self.step = max(self.step, int(item.numbers["step"] or 0))
                        self.seconds = max(self.seconds, item.numbers["seconds"] or 0.0)
                    if isinstance(item, Started):
                        self._check_note(item.note)
                    yield item
        finally:
            self.ended = stream.close(STOP, ABANDON)

    def after_loss(self) -> Notice:
        """Trims the record to its last state, and says where the run goes on."""
        self.partial = self._last_frame() or self.partial
        saved = self._trim()
        self.step = max(self.step, saved)  # files come a little before the page's events
        at = f"A worker was lost at step {self.step}"
        self.losses = 1 if saved > self.saved else self.losses + 1
        self.saved = saved
        if self.losses >= MAX_LOSSES:
            raise UserError(
                f"{MAX_LOSSES} workers in a row were lost with this picture: use a smaller one."
            )
        if saved > 0:
            self.notice = f"{at}: your run goes on from step {saved} on another one."
        else:
            self.notice = f"{at}: your run starts again on another one."
        return Notice(self.notice)

    def _check_note(self, note: str) -> None:
        """Refuses to go on where AlexNet has other weights: that would be another task."""
        if self.note not in (None, note):
            raise UserError(
                "Your run cannot go on, because the workers differ in AlexNet's weights: the "
                "operator has to give all of them the same."
            )
        self.note = note

    def _trim(self) -> int:
        """The step of the last state that reached the server, -1 if there is none."""
        with contextlib.suppress(RecordError):
            if (self.record / "state.pt").exists():
                return int(Recorder.reopen(self.record, sync=False).rows[-1]["step"])
        shutil.rmtree(self.record, ignore_errors=True)
        return -1

    def _last_frame(self) -> Finished | None:
        """The last frame that reached the server as a result, if there is one."""
        with contextlib.suppress(RecordError, OSError, IndexError):
            row = Record(self.record).rows[-1]
            step, level = row["step"], row.get("psnr_true")
            numbers: Numbers = {"step": step, "best_step": step, "auto_step": None}
            if level is not None:
                numbers["psnr"] = round(level, 2)
            return Finished(frame_path(self.record, step, "avg").read_bytes(), "", numbers)
        return None


def needed_memory(request: RunRequest, inputs: Inputs, limits: Limits) -> int:
    """Bytes that a run needs on a worker, about."""
    height, width = inputs.picture.x.shape[2:]
    enlarges = request.task == "super-resolve" and not request.downscale
    pixels = height * width * (request.factor**2 if enlarges else 1)
    return MEMORY + MEMORY_PER_PIXEL * min(pixels, limits.max_pixels)
