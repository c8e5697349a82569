"""The scrubber: drag through the frames of a run, in a notebook, on a page and in the demo.

    from dip_lite.viz.scrubber import Scrubber
    scrubber = Scrubber(watch(denoise(x0), seconds=20), x_true)   # the last line of a cell: drag
    Path("run.html").write_text(scrubber.to_html())               # needs no kernel and no network

The component is `scrubber.js`; its hosts are `widget`, `page` and the demo's `assets/scrubber.js`.
"""

from typing import TYPE_CHECKING, Any

from ...errors import missing_extra

if TYPE_CHECKING:
    from .widget import Scrubber as Scrubber


def __getattr__(name: str) -> Any:
    """`Scrubber`, imported when it is asked for: only notebooks have anywidget."""
    if name != "Scrubber":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .widget import Scrubber
    except ModuleNotFoundError as error:
        raise ImportError(missing_extra("course", "Scrubber") or str(error)) from error
    return Scrubber
