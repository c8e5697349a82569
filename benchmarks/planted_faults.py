"""Breaks the package on purpose: python -m benchmarks.planted_faults [00 01 02 …]

Each fault is planted in the kernel before a notebook runs in the fast mode; the table lists the
verdicts that hold without it and fail with it. A fault that turns no verdict anywhere could be in
the package without a reader of the course seeing it. Ends with status 1 then.
"""

from __future__ import annotations

import sys

from .common import table
from .lessons import execute, find

# The network is replaced by plain convolutions at full resolution, z spread over every other pixel.
NO_UPSAMPLING = """
from torch import nn
from dip_lite.nets import baselines, hourglass

class Spread(nn.Module):
    def __init__(self, stride):
        super().__init__()
        self.stride = stride
    def forward(self, z):
        n, c, h, w = z.shape
        x = z.new_zeros(n, c, self.stride * h, self.stride * w)
        x[..., :: self.stride, :: self.stride] = z
        return x

def module(self, c_in, c_out):
    return nn.Sequential(Spread(self.stride), baselines.PlainConvNet().module(c_in, c_out))

hourglass.Hourglass.module = module
"""

# Of all outputs so far, in place of a moving average of the latest.
MEAN = """
from dip_lite.engine import loop, settings
loop.EMA_WARMUP = 1
def whole(self):
    object.__setattr__(self, "ema_decay", 1 - 1e-9)
settings.Settings.__post_init__ = whole
"""

# The rule takes every output for the steadiest yet, and never ends a run.
LAST_STEP = """
from dip_lite.engine.early_stopping import EarlyStopping
def update(self, x, deviation=None):
    self.steps += 1
    self.best_step, self.best = self.steps, 0.0
    return True
EarlyStopping.update = update
"""

FAULTS = {
    "no upsampling": NO_UPSAMPLING,
    "mean in place of moving average": MEAN,
    "stop at the last step": LAST_STEP,
}


def main(names: list[str]) -> int:
    """Prints a row as each run ends, then the table; returns how many faults nothing noticed."""
    rows, noticed = [], set()
    for path in find(*names):
        sound = execute(path)
        if sound.error or sound.failed:
            sys.exit(f"{path.stem} fails without a fault: {sound.error or sound.failed}")
        for fault, prologue in FAULTS.items():
            out = execute(path, prologue=prologue)
            turned = out.failed
            if turned:
                noticed.add(fault)
            missed = len(sound.verdicts) - len(out.verdicts)
            note = f"stops with {out.error}, {missed} verdicts unreached" if out.error else ""
            rows.append([path.stem[:2], fault, "; ".join(turned) or "none", note])
            print(" | ".join(rows[-1]), flush=True)
    print("\n" + table(["notebook", "fault", "verdicts that turn ✗", ""], rows))
    return len(FAULTS) - len(noticed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
