"""Many runs at once, on Dask: pictures × tasks × settings × seeds → a table.

    table = sweep(trials, "outputs/sweep")                                   # this machine's cores
    table = sweep(trials, "outputs/sweep", scheduler="tcp://10.0.0.7:8786")  # a cluster
    table.groupby("settings.energy")["psnr"].mean()

The folder holds

    table.csv                       a row for every trial, in their order
    <key>/result.json               a finished trial: what it was, and its row
    <key>/best.png, record/…        its picture, and its record if asked for

A trial's folder appears in one move, when its result reaches the caller of `sweep`. So a sweep may
be killed at any moment, and the next one runs only what is missing, or was made by another version
of the package. Dask runs the trials of a lost worker again, and a trial that ran twice is still one
row. Workers need no shared disk: pictures are sent to them, and results come back.

On one machine every worker uses one thread, which is faster in total (1.25 to 1.36 times in
RESULTS.md). In a script call it under `if __name__ == "__main__":`, since every worker imports the
script.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING

from ..errors import PictureError, sentence
from .cluster import ClusterConfig, check_installed, compute, connect
from .store import ResultStore
from .table import make_table
from .trial import Trial
from .worker import ExecutionOptions, Row, TrialResult, run_trial

if TYPE_CHECKING:
    from distributed import Client, Future
    from pandas import DataFrame

Progress = Callable[[Trial, Row], None]


def sweep(
    trials: Iterable[Trial],
    folder: str | os.PathLike[str],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    threads: int = 1,
    device: str = "auto",
    record: bool = False,
    progress: Progress | None = None,
    timeout: float = 10.0,
) -> DataFrame:
    """Runs all trials that are not finished in `folder`, and returns the results of all.

    Args:
        trials: what to run; a trial given twice is run once and has one row.
        folder: for the results; made if it does not exist.
        scheduler: address of a Dask cluster, as tcp://host:port; None: this machine's cores.
        workers: number of processes on this machine; None: one for every `threads` cores.
        threads: of PyTorch in one run.
        device: of the runs, see `Run`.
        record: also keep a record of every run, for `Record`.
        progress: called with every trial and its row; at once for those finished before.
        timeout: seconds for the scheduler to answer.

    Returns:
        a row for every trial, in their order: picture, task, degrade.…, settings.…, seed, budget,
        the numbers of `run_trial`, error (empty if all went well) and key. Failed trials are tried
        again by the next sweep.

    Raises:
        SweepError: Dask or pandas is not installed; there is no cluster, or it was lost; or the
            folder cannot be written.
        KeyboardInterrupt: finished trials are kept.
    """
    check_installed()
    unique = list(dict.fromkeys(trials))
    config = ClusterConfig(scheduler, workers, threads, timeout)
    options = ExecutionOptions(threads, device, record)
    store, rows = ResultStore(folder), dict[Trial, Row]()
    try:
        with contextlib.closing(_run_all(unique, store, config, options)) as results:
            for trial, row in results:
                rows[trial] = row
                if progress:
                    progress(trial, row)
    finally:
        table = make_table([(trial, rows[trial]) for trial in unique if trial in rows])
        store.write("table.csv", table.to_csv(index=False, lineterminator="\n").encode())
    return table


def _run_all(
    trials: list[Trial], store: ResultStore, config: ClusterConfig, options: ExecutionOptions
) -> Generator[tuple[Trial, Row]]:
    """Rows as they come: first those that need no cluster."""
    pending = []
    for trial in trials:
        try:
            row = store.finished(trial, options)
        except PictureError as error:
            row = {"error": sentence(error)}
        if row is None:
            pending.append(trial)
        else:
            yield trial, row
    if not pending:
        return
    with connect(config, len(pending)) as client:
        submit = functools.partial(_submit, client, store, options)
        with contextlib.closing(compute(client, config, pending, submit)) as results:
            for trial, result in results:
                if isinstance(result, TrialResult):
                    yield trial, store.keep(trial, options, result)
                else:
                    yield trial, {"error": _worker_error(result)}


def _submit(client: Client, store: ResultStore, options: ExecutionOptions, trial: Trial) -> Future:
    import dask

    # pictures travel with their trial: data scattered first dies with the worker that holds it
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
        key = f"dip_lite-{trial.key}-{secrets.token_hex(4)}"
        pictures = store.pictures(trial)
        return client.submit(run_trial, trial, pictures, options, key=key, pure=False)


def _worker_error(error: Exception) -> str:
    """The message for a trial that no worker finished."""
    if type(error).__name__ == "KilledWorker":
        return "Every worker that tried it died (out of memory?): make the picture smaller."
    return sentence(error)
