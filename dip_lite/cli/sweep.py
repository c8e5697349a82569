"""The `sweep` command: python -m dip_lite sweep --help."""

from typing import Any

import click

from ..sweep import runner
from ..sweep.grid import read_grid
from ..sweep.trial import Trial
from ..sweep.worker import Row


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("grid", type=click.Path())
@click.option(
    "-o",
    "--output",
    default="sweep",
    show_default=True,
    type=click.Path(),
    help="Folder for the results; finished runs in it are not run again.",
)
@click.option("--scheduler", help="Use this Dask cluster, as tcp://host:8786.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Number of processes on this machine. [default: one for every core]",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads for each run; 1 is fastest in total.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--record", is_flag=True, help="Keep a record of every run.")
@click.pass_context
def sweep(
    context: click.Context, grid: str, output: str, workers: int | None, **options: Any
) -> None:
    """Run every combination in a GRID file, many at once.

    GRID is a TOML file with pictures, seeds, steps or seconds, and [[tasks]] with name, degrade
    and settings; every combination of values in lists is run. The output folder gets table.csv and
    a folder for each run. After Ctrl-C or a crash, repeat the command to continue. The exit status
    is 1 if some runs failed.

    \b
    python -m dip_lite sweep grid.toml -o results
    """
    if options["scheduler"] and workers:
        raise click.UsageError("--workers is for this machine: leave it out with --scheduler")
    from tqdm import tqdm

    trials, rows = read_grid(grid), list[Row]()
    bar = tqdm(total=len(trials), unit="run")

    def progress(trial: Trial, row: Row) -> None:
        rows.append(row)
        bar.write(f"{trial.label()}: {_summary(row)}")
        bar.update()

    try:
        with bar:
            table = runner.sweep(trials, output, workers=workers, progress=progress, **options)
    except KeyboardInterrupt:
        kept = sum(not row.get("error") for row in rows)
        click.echo(
            f"Interrupted: {kept} of {len(trials)} runs are finished and kept in {output}; repeat "
            f"the command to continue.",
            err=True,
        )
        context.exit(130)
    shown = table.drop(columns=["stop_reason", "key"]).dropna(axis="columns", how="all")
    click.echo(shown.to_string())
    failed = int((table["error"] != "").sum())
    click.echo(f"Wrote {output}: {len(table) - failed} of {len(table)} runs finished.")
    if failed:
        context.exit(1)


def _summary(row: Row) -> str:
    """The outcome of a run in a few words."""
    if row.get("error"):
        return str(row["error"])
    quality = f"{row['psnr']:.2f} dB, " if row.get("psnr") is not None else ""
    return f"{quality}{row['steps']} steps, {row['seconds']:.1f} s"
