"""Numbers for the operator, without anything of a visitor.

/healthz    {"status": "ok", "waiting": 3, "running": 2, "workers": 2, …}
/metrics    the same for Prometheus
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from .sessions import Sessions

METRICS = {  # what Prometheus calls them: kind, and what they are
    "waiting": ("gauge", "Runs in the queue."),
    "running": ("gauge", "Runs whose turn it is."),
    "workers": ("gauge", "Runs that can be fitted at a time."),
    "sessions": ("gauge", "Visitors, and programs that use the API."),
    "served_total": ("counter", "Runs that are over."),
    "lost_total": ("counter", "Workers lost in the middle of a run."),
    "memory_bytes": ("gauge", "Memory of the server process."),
}


def health(sessions: Sessions) -> dict[str, Any]:
    """The numbers; `status` is "ok", "no workers" or "no scheduler"."""
    queue, executor = sessions.queue, sessions.executor
    return {
        "status": executor.status,
        "waiting": len(queue),
        "running": len(queue.running),
        "workers": executor.slots,
        "sessions": len(sessions),
        "served_total": queue.served,
        "lost_total": executor.lost,
        "memory_bytes": resident_memory(),
    }


def prometheus(sessions: Sessions) -> str:
    """The numbers in Prometheus' text format."""
    numbers, lines = health(sessions), []
    for name, (kind, text) in METRICS.items():
        full = f"dip_lite_{name}"
        lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}", f"{full} {numbers[name]}"]
    return "\n".join(lines) + "\n"


def resident_memory() -> int:
    """Bytes of memory that this process has; not on Linux: that it has had at most."""
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.partition("VmRSS:")[2].split()[0])
    except OSError:
        from ..engine.device import peak_memory

        return peak_memory()


PATHS: dict[str, Callable[[Sessions], Response]] = {
    "/healthz": lambda sessions: JSONResponse(health(sessions)),
    "/metrics": lambda sessions: PlainTextResponse(
        prometheus(sessions), media_type="text/plain; version=0.0.4"
    ),
}
