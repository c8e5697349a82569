"""No visitor reads a traceback: every error of a handler becomes one sentence."""

from __future__ import annotations

import functools
import html
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from .choices import SorryError


def sentence(error: Exception) -> gr.Error:
    """What a visitor reads of an error; never a traceback."""
    text = "Something went wrong on our side: please try again, or with another picture."
    if isinstance(error, SorryError):
        text = str(error)
    else:
        traceback.print_exc()
    return gr.Error(html.escape(text, quote=False), title="Sorry", print_exception=False)


def answers(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The handler with every error made a sentence."""

    @functools.wraps(handler)
    def safe(*values: Any, **named: Any) -> Any:
        try:
            return handler(*values, **named)
        except gr.Error:
            raise
        except Exception as error:
            raise sentence(error) from None

    return safe


def streams(handler: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """As `answers`, for a generator."""

    @functools.wraps(handler)
    def safe(*values: Any, **named: Any) -> Iterator[Any]:
        try:
            yield from handler(*values, **named)
        except Exception as error:
            raise sentence(error) from None

    return safe
