"""The command that starts the demo: `python app.py --help`."""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from starlette.middleware import Middleware

from ..errors import SweepError, missing_extra, sentence
from . import environment  # noqa: F401  before Gradio
from .components import SCRUBBER
from .example import Example, load_examples
from .executors import Executor, LocalExecutor
from .limits import Limits
from .middleware import DemoMiddleware
from .page import build
from .sessions import Sessions
from .theme import theme

ASSETS = Path(__file__).parent / "assets"


@click.command(
    context_settings={
        "auto_envvar_prefix": "DIP_LITE",
        "show_default": True,
        "help_option_names": ["-h", "--help"],
    }
)
@click.option(
    "--host",
    default="127.0.0.1",
    envvar=["DIP_LITE_HOST", "GRADIO_SERVER_NAME"],
    help="Address to listen on; 0.0.0.0 for all.",
)
@click.option(
    "--port",
    default=7860,
    envvar=["DIP_LITE_PORT", "GRADIO_SERVER_PORT"],
    help="Port to listen on; 0 for the first free one from 7860.",
)
@click.option("--max-pixels", default=Limits.max_pixels, help="Scale larger pictures down to this.")
@click.option("--max-seconds", default=Limits.max_seconds, help="Time limit per run, in seconds.")
@click.option("--queue", default=Limits.queue, help="How many runs may wait.")
@click.option(
    "--per-address",
    default=Limits.per_address,
    help="How many waiting runs one network address may have; 0 = half the queue. A class behind "
    "one router shares an address, as do all visitors behind a proxy without --forwarded: give the "
    "length of the queue.",
)
@click.option(
    "--forwarded",
    is_flag=True,
    help="Behind a proxy: take a visitor's address from the last X-Forwarded-For.",
)
@click.option(
    "--scheduler",
    help="Fit on the workers of this Dask cluster, tcp://host:8786, as many runs at once as there "
    "are workers. Default: in this process, one at a time.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="PyTorch threads of each worker's run.  [default: 1]",
)
@click.option("--metrics", is_flag=True, help="Answer /healthz (JSON) and /metrics (Prometheus).")
@click.option("--open", is_flag=True, help="Open the demo in your browser.")
def main(
    host: str, port: int, open: bool, scheduler: str | None, threads: int | None, **limits: Any
) -> None:
    """Serve the Deep Image Prior demo until interrupted.

    Each option can also be set as an environment variable, for example DIP_LITE_PORT=8000.
    """
    address: dict[str, Any] = {"server_name": host, "server_port": port or None, "inbrowser": open}
    try:
        allowed = Limits(**limits)
        executor = connect_executor(scheduler, threads)
        sessions, examples = Sessions(allowed, executor=executor), load_examples()
        page = build(sessions, examples)
        settings = launch_settings(sessions, examples)
        _, url, _ = page.launch(**address, prevent_thread_lock=True, **settings)
    except (ValueError, OSError) as error:  # a wrong option, or a port that is in use
        if str(error).startswith("Cannot find empty port"):
            error = OSError(
                f"port {port} of {host} cannot be opened, perhaps since a demo is open there "
                "already: choose another, as in --port 7870 or DIP_LITE_PORT=7870"
            )
        raise click.ClickException(f"The demo cannot start: {error}") from None
    signal.signal(signal.SIGTERM, _exit)
    print(f"The demo is at {url}", flush=True)
    page.block_thread()


def connect_executor(scheduler: str | None, threads: int | None, timeout: float = 10.0) -> Executor:
    """Where runs are fitted: in this process, or on a cluster that answers within `timeout` s.

    Raises:
        SystemExit: there is no cluster, with status 2, after one sentence.
    """
    error = ""
    if not scheduler:
        if threads is None:
            return LocalExecutor()
        error = "--threads is for the workers of a cluster: give its --scheduler, too."
    elif not (error := missing_extra("sweep", "A demo on a cluster")):
        from .cluster import ClusterExecutor

        try:
            return ClusterExecutor(scheduler, threads or 1, timeout)
        except SweepError as caught:
            error = f"The demo cannot start: {sentence(caught)}"
    click.echo(f"Error: {error}", err=True)
    sys.exit(2)


def launch_settings(sessions: Sessions, examples: Mapping[str, Example]) -> dict[str, Any]:
    """The arguments of Gradio's `launch`: look, limits, and what is switched off."""
    limits = sessions.limits
    middleware: Any = DemoMiddleware
    app = {"middleware": [Middleware(middleware, sessions=sessions, examples=examples)]}
    return {
        "theme": theme(),
        "css_paths": [ASSETS / "page.css", SCRUBBER / "scrubber.css", ASSETS / "painter.css"],
        "js": (ASSETS / "page.js").read_text("utf-8"),
        "head": '<meta name="description" content="Deep Image Prior: watch a network learn">',
        "max_file_size": limits.max_upload_bytes,
        "state_session_capacity": limits.max_sessions,  # Gradio keeps the page's values of each
        "max_threads": limits.queue + 60,
        "app_kwargs": {**app, "docs_url": None, "redoc_url": None},
        "footer_links": [],
        "quiet": True,
        **dict.fromkeys(
            ("show_error", "enable_monitoring", "run_history", "share", "pwa", "ssr_mode"), False
        ),
    }


def _exit(*_: Any) -> None:
    """Exits normally, so that temporary files are deleted; ignores a second signal meanwhile."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit()
