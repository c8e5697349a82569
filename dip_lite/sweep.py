"""Many runs at once, on Dask: pictures × tasks × settings × seeds → a table.

    cells = grid(["sample:chelsea", "sample:coffee"], "denoise", {"energy": ["mse", "recorrupted"]},
                 seeds=range(3), spoil={"sigma": 25 / 255}, steps=200)
    table = sweep(cells, "outputs/sweep")                                # this machine's cores
    table = sweep(cells, "outputs/sweep", scheduler="tcp://10.0.0.7:8786")  # a cluster's
    table.groupby("options.energy")["psnr"].mean()

The folder holds

    table.csv                       a row for every cell, in their order
    <key>/result.json               one finished cell: what it was, and its row
    <key>/best.png, record/…        its picture, and its record where that was asked for

A cell's folder comes into being in one move, when its result reaches the caller of `sweep`. So a
sweep may be killed at any moment, and the next one runs only what is not there. Dask runs the cells
of a lost worker again, and a cell it has run twice is still one row. Workers need no common disk:
pictures are sent to them, and results come back.

On one machine every worker has one thread of PyTorch, which is faster in sum (1.25 to 1.36 times
in RESULTS.md). In a script call it under `if __name__ == "__main__":`, since every worker imports
the script.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

from .cell import Cell, SweepError, grid
from .cluster import Site, connect
from .gather import gather
from .images import PictureError
from .perform import How, Outcome, Row, perform, sentence
from .shelf import Shelf

if TYPE_CHECKING:
    from distributed import Client, Future
    from pandas import DataFrame

__all__ = ["Cell", "SweepError", "grid", "sweep"]

NUMBERS = ("steps", "step_returned", "seconds", "why", "psnr", "ssim", "psnr_input", "psnr_best")
Progress = Callable[[Cell, Row], None]


def sweep(
    cells: Iterable[Cell],
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
    """Runs all cells that are not finished in `folder`, and tells of all.

    Args:
        cells: what to run; a cell that is there twice is run once and has one row.
        folder: of the results; made here.
        scheduler: address of a Dask cluster, as tcp://host:port; None: this machine's cores.
        workers: how many processes on this machine; one for every `threads` cores unless given.
        threads: of PyTorch in one run.
        device: of the runs, see `Run`.
        record: also keep a record of every run, for `Record`.
        progress: called with every cell and its row, at once for those finished before.
        timeout: seconds for the scheduler to answer.

    Returns:
        a row for every cell, in their order: picture, task, spoil.…, options.…, seed, budget, what
        `perform` tells, error (empty when all went well) and key. What failed is tried anew by the
        next sweep.

    Raises:
        SweepError: no cluster, or it went away; or the folder cannot be written.
        KeyboardInterrupt: what is finished is kept.
    """
    unique = list(dict.fromkeys(cells))
    site = Site(scheduler, workers, threads, timeout)
    how = How(threads, device, record)
    shelf, rows = Shelf(folder), dict[Cell, Row]()
    try:
        with contextlib.closing(_all(unique, shelf, site, how)) as found:
            for cell, row in found:
                rows[cell] = row
                if progress:
                    progress(cell, row)
    finally:
        table = _table([(cell, rows[cell]) for cell in unique if cell in rows])
        shelf.write("table.csv", table.to_csv(index=False, lineterminator="\n").encode())
    return table


def _all(cells: list[Cell], shelf: Shelf, site: Site, how: How) -> Generator[tuple[Cell, Row]]:
    """Rows as they come: first those which need no cluster."""
    waiting = []
    for cell in cells:
        try:
            row = shelf.finished(cell, how)
        except PictureError as error:
            yield cell, {"error": sentence(error)}
            continue
        if row is None:
            waiting.append(cell)
        else:
            yield cell, row
    if waiting:
        with connect(site, len(waiting)) as client:
            found = gather(client, site, waiting, functools.partial(_send, client, shelf, how))
            with contextlib.closing(found):  # cancels what is left while there is a client
                for cell, outcome in found:
                    if isinstance(outcome, Outcome):
                        yield cell, shelf.keep(cell, how, outcome)
                    else:
                        yield cell, {"error": _lost(outcome)}


def _send(client: Client, shelf: Shelf, how: How, cell: Cell) -> Future:
    import dask

    # pictures travel with their cell: data that is sent ahead dies with the worker that holds it
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
        key = f"dip_lite-{cell.key}-{secrets.token_hex(4)}"
        return client.submit(perform, cell, shelf.pictures(cell), how, key=key, pure=False)


def _lost(error: Exception) -> str:
    """What to say of a cell that no worker brought to an end."""
    if type(error).__name__ == "KilledWorker":
        return "Every worker that tried it died (out of memory?): make the picture smaller."
    return sentence(error)


def _table(rows: list[tuple[Cell, Row]]) -> DataFrame:
    """One line a cell; a column for everything that any of them was told."""
    import pandas

    told = [_line(cell, row) for cell, row in rows]
    named = dict.fromkeys(name for line in told for name in line)
    swept = {kind: [n for n in named if n.startswith(f"{kind}.")] for kind in ("spoil", "options")}
    columns = ["picture", "task", *swept["spoil"], *swept["options"], "seed", "budget", *NUMBERS]
    table = pandas.DataFrame(told, columns=[*columns, "error", "key"])
    return table.astype({"steps": "Int64", "step_returned": "Int64"})  # whole, though some lack


def _line(cell: Cell, row: Row) -> dict[str, Any]:
    budget = [f"{cell.steps} steps"] if cell.steps is not None else []
    budget += [f"{cell.seconds:g} s"] if cell.seconds is not None else []
    budget += [] if cell.stop else ["no stop"]
    line = {"picture": cell.picture, "task": cell.task, "seed": cell.seed, "key": cell.key}
    line |= {f"spoil.{name}": value for name, value in cell.spoil.items()}
    line |= {f"options.{name}": value for name, value in cell.options.items()}
    numbers = {name: row.get(name) for name in NUMBERS}
    return {**line, "budget": ", ".join(budget), **numbers, "error": row.get("error", "")}
