"""The `sweep` verb of the command line: python -m dip_lite sweep --help."""

from __future__ import annotations

import click

from .cell import Cell
from .grid_file import read_grid
from .perform import Row
from .sweep import sweep


@click.command(name="sweep", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("grid", type=click.Path())
@click.option(
    "-o",
    "--output",
    default="sweep",
    show_default=True,
    type=click.Path(),
    help="Folder for the results; what is finished in it is not run again.",
)
@click.option("--scheduler", help="Run on this Dask cluster, as tcp://host:8786.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Processes on this machine. [default: its cores]"
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads of one run; one is the fastest in sum.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--record", is_flag=True, help="Keep a record of every run.")
@click.pass_context
def sweep_verb(
    context: click.Context,
    grid: str,
    output: str,
    scheduler: str | None,
    workers: int | None,
    threads: int,
    device: str,
    record: bool,
) -> None:
    """Runs all combinations of a GRID, a TOML file, many at once.

    It says pictures, seeds, steps or seconds, and [[tasks]] with name, spoil and settings, where a
    list is swept. Results are a folder for every run and table.csv. Ctrl-C, or a crash, loses only
    what is running: the same command goes on. Exit status 1 when some runs failed.
    """
    if scheduler and workers:
        raise click.UsageError("--workers are those of this machine: leave it out with --scheduler")
    from tqdm import tqdm

    cells, rows = read_grid(grid), list[Row]()
    bar = tqdm(total=len(cells), unit="run")

    def tell(cell: Cell, row: Row) -> None:
        rows.append(row)
        bar.write(f"{cell.label()}: {_news(row)}")
        bar.update()

    told = {"scheduler": scheduler, "workers": workers, "threads": threads, "device": device}
    try:
        with bar:
            table = sweep(cells, output, record=record, progress=tell, **told)  # type: ignore[arg-type]
    except KeyboardInterrupt:
        kept = sum(not row.get("error") for row in rows)
        click.echo(
            f"Interrupted; {kept} of {len(cells)} runs are finished and kept in {output}: the same "
            f"command goes on.",
            err=True,
        )
        context.exit(130)
    click.echo(table.drop(columns=["why", "key"]).dropna(axis="columns", how="all").to_string())
    failed = int((table["error"] != "").sum())
    click.echo(f"Wrote {output}: {len(table) - failed} of {len(table)} runs finished.")
    if failed:
        context.exit(1)


def _news(row: Row) -> str:
    """How a run went, in a few words."""
    if row.get("error"):
        return str(row["error"])
    quality = f"{row['psnr']:.2f} dB, " if row.get("psnr") is not None else ""
    return f"{quality}{row['steps']} steps, {row['seconds']:.1f} s"
