"""Many runs at once, on Dask: pictures × tasks × settings × seeds → a table.

    trials = expand_grid(["sample:chelsea"], "denoise", {"energy": ["mse", "recorrupted"]},
                         seeds=range(3), degrade={"sigma": 25 / 255}, steps=200)
    table = sweep(trials, "outputs/sweep")

Dask, distributed and pandas are optional: pip install "dip_lite[sweep]".
"""

from ..errors import SweepError
from .grid import expand_grid, read_grid
from .runner import sweep
from .trial import Trial

__all__ = ["SweepError", "Trial", "expand_grid", "read_grid", "sweep"]
