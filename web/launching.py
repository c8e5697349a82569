"""How Gradio is launched: its look, its limits, and what of it is switched off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from .choices import Limits
from .gate import Example, Gate
from .service import Service

WEB = Path(__file__).parent


def theme() -> gr.themes.Base:
    """Quiet colours, the visitor's own fonts, and nothing fetched from elsewhere."""
    return gr.themes.Base(
        primary_hue="teal",
        neutral_hue="stone",
        radius_size="md",
        font=["system-ui", "-apple-system", "Segoe UI", "sans-serif"],
        font_mono=["ui-monospace", "Consolas", "monospace"],
    ).set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        body_background_fill_dark="#161514",
        background_fill_primary_dark="#1f1d1c",
        block_border_width="0px",
        block_label_text_color="*neutral_700",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_200",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        checkbox_label_border_width="1px",
        checkbox_label_border_width_dark="1px",
        checkbox_label_border_color="*neutral_300",
        checkbox_label_border_color_dark="*neutral_700",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="*primary_900",
        checkbox_label_border_color_selected="*primary_600",
        slider_color="*primary_600",
    )


def launching(limits: Limits, service: Service, example: Example) -> dict[str, Any]:
    """The keywords of `launch`."""
    middleware = [Middleware(Gate, service=service, example=example)]  # type: ignore[arg-type]
    return {
        "theme": theme(),
        "css_paths": [WEB / name for name in ("page.css", "scrubber.css", "painter.css")],
        "js": (WEB / "page.js").read_text("utf-8"),
        "head": '<meta name="description" content="Deep Image Prior: watch it learn">',
        "max_file_size": limits.size,
        "max_threads": limits.queue + 60,
        "app_kwargs": {"middleware": middleware, "docs_url": None, "redoc_url": None},
        "show_error": False,
        "enable_monitoring": False,
        "run_history": False,
        "footer_links": [],
        "share": False,
        "pwa": False,
        "ssr_mode": False,
        "quiet": True,
    }
