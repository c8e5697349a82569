"""Deep Image Prior in a minute, on a laptop.

from dip_lite import denoise, fit, load, save

for snap in fit(denoise(load("noisy.png")), seconds=60):
    print(snap.step, snap.loss)
save(snap.best, "clean.png")

The public names are listed in `__init__.pyi`, each with the module that defines it, and are
imported when they are first used: so the command line and the demo start without PyTorch.
"""

import os
import sys

if sys.version_info < (3, 10):  # noqa: UP036  pip checks it, a checkout has only this
    sys.exit("dip_lite needs Python 3.10 to 3.13, this is {}.{}.".format(*sys.version_info[:2]))

import lazy_loader

if "torch" not in sys.modules:
    # OpenMP reads this once, when PyTorch loads it. By default a thread that waits for the others
    # keeps its core busy for milliseconds, so on a machine shared with another program each stalls
    # the other. This is long enough to bridge the gap between two layers of a network, see
    # RESULTS.md. A value that is already set is kept.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
