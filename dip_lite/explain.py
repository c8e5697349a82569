"""One sentence for any error, and the exit status that goes with it.

try: ...
except Exception as error:
    text, status = explain(error)
"""

from __future__ import annotations

import os

from .guard import FitError
from .images import PictureError

NO_MEMORY = ("out of memory", "can't allocate memory")  # of PyTorch's own errors


def explain(error: Exception) -> tuple[str, int]:
    """What to say of an error, and the exit status: 2 for wrong input, 1 for the rest.

    With DIP_LITE_DEBUG set, an error that nobody foresaw is raised again.

    >>> explain(ValueError("the mask hides nothing"))
    ('the mask hides nothing.', 2)
    """
    if isinstance(error, (PictureError, ValueError)):
        return _sentence(error), 2
    if os.environ.get("DIP_LITE_DEBUG"):
        raise error
    if isinstance(error, FitError):
        return _sentence(error), 1
    if isinstance(error, MemoryError) or any(phrase in str(error) for phrase in NO_MEMORY):
        return "The picture needs more memory than there is: make it smaller.", 1
    reason = " ".join(str(error).split())[:200]
    return (
        f"Something went wrong inside dip_lite ({type(error).__name__}: {reason}): "
        "set DIP_LITE_DEBUG=1 to see where.",
        1,
    )


def _sentence(error: Exception) -> str:
    """The error's text on one line, with its full stop."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.endswith((".", "?", "!")) else f"{text}."
