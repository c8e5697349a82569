"""GPUs: whether there is one, and how to borrow one on hosts that lend them per function call.

for event in on_gpu(stream_fit)(request, inputs, limits, folder): ...
"""

import os
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

try:
    import spaces
except ImportError:
    spaces = None

P = ParamSpec("P")
T = TypeVar("T")
LOAN = 200  # seconds, a little more than the longest run


def on_gpu(work: Callable[P, Iterator[T]]) -> Callable[P, Iterator[T]]:
    """The same generator function, on a borrowed GPU where the host lends them."""
    if spaces is None:
        return work
    borrowed: Callable[P, Iterator[T]] = spaces.GPU(duration=LOAN)(work)
    return borrowed


def has_gpu() -> bool:
    """Whether the machine seems to have a GPU; does not import PyTorch."""
    return os.path.exists("/dev/nvidia0")
