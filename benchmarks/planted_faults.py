"""Breaks the package on purpose: python -m benchmarks.planted_faults [00 01 02 …]

Each fault is planted in the kernel before a notebook that it concerns runs in the fast mode; the
table lists the verdicts that hold without it and fail with it. A fault that turns no verdict
anywhere could be in the package without a reader of the course seeing it. Ends with status 1 then.
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

# Every layer of AlexNet answers with what the layer before it says. (Notebooks share the kernel's
# names, so functions keep what they need as defaults.)
WRONG_LAYER = """
from dip_lite.nets import alexnet
def features(self, x, layer, right=alexnet.Probe.features, layers=alexnet.LAYERS):
    return right(self, x, layers[max(0, layers.index(layer) - 1)])
alexnet.Probe.features = features
"""

# Twice as deep is four times the area. Squares are cut to the picture; several, for which there is
# no room at twice the side, stay as they are: those of the table of lesson 03.
DEEP_HOLE = """
from dip_lite.images import holes, masks
def blob(size, seed=0, fraction=1 / 16, right=masks.hole):
    return right(size, seed, 4 * fraction)
def squares(size, sides, seed=0, right=holes.square_holes, margin=holes.MARGIN, **more):
    sides, most = list(sides), min(size) - 2 * int(margin * min(size))
    deep = sides if len(sides) > 1 else [min(2 * side, most) for side in sides]
    return right(size, deep, seed, **more)
masks.hole, holes.square_holes = blob, squares
"""

# name: what the kernel runs first, and the lessons that use what it breaks
FAULTS = {
    "no upsampling": (NO_UPSAMPLING, "00 01 02 03 04 05 06"),
    "mean in place of moving average": (MEAN, "00 02 05 06"),
    "stop at the last step": (LAST_STEP, "00 02 05 06"),
    "features of the wrong layer": (WRONG_LAYER, "04"),
    "hole twice as deep": (DEEP_HOLE, "03 05"),
}


def main(names: list[str]) -> int:
    """Prints a row as each run ends, then the table; returns how many faults no verdict noticed."""
    rows, planted, noticed = [], set(), set()
    for path in find(*names):
        sound = execute(path)
        if sound.error or sound.failed:
            sys.exit(f"{path.stem} fails without a fault: {sound.error or sound.failed}")
        for fault, (prologue, lessons) in FAULTS.items():
            if path.stem[:2] not in lessons.split():
                continue
            planted.add(fault)
            out = execute(path, prologue=prologue)
            turned = out.failed
            if turned:
                noticed.add(fault)
            missed = len(sound.verdicts) - len(out.verdicts)
            note = f"stops with {out.error}, {missed} verdicts unreached" if out.error else ""
            rows.append([path.stem[:2], fault, "; ".join(turned) or "none", note])
            print(" | ".join(rows[-1]), flush=True)
    print("\n" + table(["notebook", "fault", "verdicts that turn ✗", ""], rows))
    return len(planted - noticed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
