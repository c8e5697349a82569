"""The brush that draws a mask over a picture, in the browser: mouse, touch or keys.

    brush = painter()                     # a gr.HTML whose value is a drawing, a data URI
    brush: gr.HTML(picture=data_uri(x))   # the update that gives it a picture to draw on

A component of our own because Gradio's editor hands the picture back re-encoded, and cannot be used
without a mouse; here only the strokes come back, and the file's own pixels stay as they were.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

HERE = Path(__file__).parent


def painter(**more: Any) -> gr.HTML:
    """The component, with nothing to draw on yet."""
    return gr.HTML(
        "",
        html_template=(HERE / "painter.html").read_text("utf-8"),
        js_on_load=(HERE / "painter.js").read_text("utf-8"),
        apply_default_css=False,
        picture="",
        **more,
    )


def thumbnails(names: tuple[str, ...], **more: Any) -> gr.HTML:
    """Buttons with the examples' pictures; its value is the name of the one taken."""
    buttons = "".join(
        f'<button type="button" data-name="{name}" aria-pressed="false" title="{name}">'
        f'<img data-thumb="{name}" alt="{name}" width="52" height="52"></button>'
        for name in names
    )
    return gr.HTML(
        "",
        html_template=f'<div class="thumbs" role="group" aria-label="Examples">{buttons}</div>',
        js_on_load=(HERE / "thumbs.js").read_text("utf-8"),
        apply_default_css=False,
        **more,
    )
