"""Where runs are fitted. The queue, the page and `DemoRun` do not know which of these it is.

    for event in executor.stream(request, inputs, limits, folder): ...

`LocalExecutor` fits in this process, one run at a time; `cluster.ClusterExecutor` on Dask workers.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .events import Event
from .gpu import on_gpu
from .limits import Limits
from .request import RunRequest

if TYPE_CHECKING:
    from .restoration import Inputs


class Executor(Protocol):
    """What fits the runs.

    Attributes:
        slots: how many runs it can fit at a time now.
        notice: a sentence for those that wait, if they wait for more than their turn.
        status: "ok", or what it lacks, for the operator.
        lost: how many workers were lost in the middle of a run.
        on_change: called with `slots` when it may have changed.
    """

    on_change: Callable[[int], None]

    @property
    def slots(self) -> int: ...

    @property
    def notice(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def lost(self) -> int: ...

    def stream(
        self, request: RunRequest, inputs: "Inputs", limits: Limits, folder: Path
    ) -> Iterator[Event]:
        """Fits one run, see `fitting.stream_fit`; files in `folder` stop it."""

    def close(self) -> None:
        """Called at the end of the process."""


class LocalExecutor:
    """Fits in this process, or on a borrowed GPU; see `Executor`."""

    slots, notice, status, lost = 1, "", "ok", 0

    def __init__(self) -> None:
        self.on_change: Callable[[int], None] = lambda slots: None

    def stream(
        self, request: RunRequest, inputs: "Inputs", limits: Limits, folder: Path
    ) -> Iterator[Event]:
        from .fitting import stream_fit

        yield from on_gpu(stream_fit)(request, inputs, limits, folder)

    def close(self) -> None:
        pass
