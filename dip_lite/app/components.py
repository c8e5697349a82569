"""The page's own components: scrubber, mask painter, thumbnails. Their files are in `assets/`.

    viewer = scrubber(example.state)      # its value is what `DemoRun.state_dict` gives
    brush = painter()                     # its value is a drawing, a data URI
    brush: gr.HTML(picture=data_uri(x))   # an update that gives it a picture to draw on

The scrubber holds all frames of a run, so dragging needs no request. The painter exists because
Gradio's image editor re-encodes the picture and needs a mouse; here only the strokes are sent.
Nothing a visitor types or uploads gets into a template.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from .labels import LONG_RUNS_HINT

if TYPE_CHECKING:
    from .example import Example
    from .uploads import Picture

ASSETS = Path(__file__).parent / "assets"
SCRUBBER = Path(__file__).parents[1] / "viz/scrubber"
DOWNLOADS = {
    "result.png": "Result (PNG)", "animation.webp": "Animation (WebP)",
    "animation.gif": "Animation (GIF)", "record.zip": "Record (ZIP)",
}  # fmt: skip


def scrubber(state: dict[str, Any], **options: Any) -> gr.HTML:
    """A run, step by step: the component of `viz.scrubber`, with the demo's downloads."""
    links = "".join(
        f'<a class="dip-file" data-file="{name}" download hidden>{text}</a>'
        for name, text in DOWNLOADS.items()
    )
    html = (SCRUBBER / "scrubber.html").read_text("utf-8").replace("</nav>", f"{links}</nav>")
    module = f"scrubber.js?v={state['version']}"
    return _component("scrubber", state, html_template=html, module=module, **options)


def painter(**options: Any) -> gr.HTML:
    """A brush that draws a mask over a picture, by mouse, touch or keyboard."""
    return _component("painter", "", picture="", **options)


def thumbnails(names: tuple[str, ...], **options: Any) -> gr.HTML:
    """Buttons with the examples' pictures; the value is the name of the one chosen."""
    buttons = [_thumbnail(name, f"example/thumb-{name}", name) for name in names]
    group = 'aria-label="Examples"'
    return _thumbnails(buttons, group, **options)


def long_runs(examples: Mapping[str, Example], **options: Any) -> gr.HTML:
    """Buttons with pictures and titles of long runs; the value is the token of the one chosen.

    Pressed again, none is chosen, and the value is empty.
    """
    buttons = []
    for token, made in examples.items():
        source = f"{token}/thumb?v={made.state['version']}"
        title = made.state["title"]
        buttons.append(_thumbnail(token, source, title, f'<span aria-hidden="true">{title}</span>'))
    group, hint = 'aria-labelledby="long-runs-hint" data-toggle', LONG_RUNS_HINT
    return _thumbnails(buttons, group, f'<p class="hint" id="long-runs-hint">{hint}</p>', **options)


def _thumbnail(value: str, source: str, title: str, text: str = "") -> str:
    return (
        f'<button type="button" data-name="{value}" aria-pressed="false" title="{title}">'
        f'<img data-source="{source}" alt="{title}" width="52" height="52">{text}'
        "</button>"
    )


def _thumbnails(buttons: list[str], group: str, before: str = "", **options: Any) -> gr.HTML:
    html = f'{before}<div class="thumbs" role="group" {group}>{"".join(buttons)}</div>'
    return _component("thumbs", "", html_template=html, **options)


def _component(name: str, value: Any, html_template: str = "", **options: Any) -> gr.HTML:
    return gr.HTML(
        value,
        html_template=html_template or (ASSETS / f"{name}.html").read_text("utf-8"),
        js_on_load=(ASSETS / f"{name}.js").read_text("utf-8"),
        apply_default_css=False,
        **options,
    )


def ready_state(picture: Picture) -> tuple[dict[str, Any], str]:
    """The scrubber's value for a picture that no run has used yet, and the picture's data URI."""
    from .encoder import data_uri

    height, width = picture.x.shape[2:]
    uri = data_uri(picture.x)
    size, note = (width, height), picture.note
    return {"id": "ready", "state": "ready", "preview": uri, "size": size, "note": note}, uri
