"""GPU on demand, for hosts that lend one to a function at a time; elsewhere nothing.

    for news in on_gpu(fitting)(choice, inputs, limits, folder): ...

`spaces` must be imported before PyTorch, so `app.py` imports this module first of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

try:
    import spaces
except ImportError:
    spaces = None

P = ParamSpec("P")
T = TypeVar("T")
LENT = 200  # seconds, a little more than the longest run


def on_gpu(work: Callable[P, Iterator[T]]) -> Callable[P, Iterator[T]]:
    """The same generator function, with a GPU where the host lends one."""
    if spaces is None:
        return work
    lent: Callable[P, Iterator[T]] = spaces.GPU(duration=LENT)(work)
    return lent
