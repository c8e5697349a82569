"""The scrubber in the page: a run's frames, dragged through without asking the server.

    stage = scrubber(example.told)      # a gr.HTML whose value is what `Live.told` says

Its page, script and style lie beside it, in files of the same name. Nothing a visitor types or
uploads gets into its template: its value is numbers, and addresses of our own making.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

if TYPE_CHECKING:
    from .uploads import Picture

HERE = Path(__file__).parent


def scrubber(told: dict[str, Any], **more: Any) -> gr.HTML:
    """The component; its value is a dictionary as `Live.told` makes it."""
    return gr.HTML(
        told,
        html_template=(HERE / "scrubber.html").read_text("utf-8"),
        js_on_load=(HERE / "scrubber.js").read_text("utf-8"),
        apply_default_css=False,
        **more,
    )


def still(picture: Picture) -> tuple[dict[str, Any], str]:
    """A value that shows a picture of which nothing has been made yet, and its data URI."""
    from .uploads import data_uri

    height, width = picture.x.shape[2:]
    uri = data_uri(picture.x)
    told = {"id": "ready", "state": "ready", "live": uri, "size": (width, height)}
    return told | {"note": picture.note}, uri
