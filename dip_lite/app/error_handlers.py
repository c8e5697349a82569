"""Every error of an event handler becomes one sentence: no visitor reads a traceback."""

import contextlib
import html
import traceback
from collections.abc import Iterator

import gradio as gr

from ..errors import FitError, UserError, sentence


def public_sentence(error: Exception) -> str:
    """What a visitor may read of an error; the operator finds the rest in the log."""
    if isinstance(error, (UserError, FitError)):
        return sentence(error)
    traceback.print_exc()
    if isinstance(error, MemoryError):
        return sentence(error)
    return "Something went wrong on our side: try again, or try another picture."


@contextlib.contextmanager
def handle_errors() -> Iterator[None]:
    """Shows every error as a message on the page; a context, or the decorator of a handler."""
    try:
        yield
    except Exception as error:
        text = html.escape(public_sentence(error), quote=False)
        raise gr.Error(text, title="Sorry", print_exception=False) from None
