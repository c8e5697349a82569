"""A run on disk: settings, curve, pictures, and all it needs to go on.

    recorder = Recorder("run1", {"task": "denoise", "seed": 0})
    for snap in fit(run): recorder.add(snap, run.state())
    record = Record("run1")              # record.curve["loss"], record.frame(120), record.settings
    record.animate("run1.gif")
    Path("run1.html").write_text(record.to_html())     # a page to drag through

A folder holds

    settings.json                        the settings, and the version that wrote them
    frames/000120_avg.png, _out.png      x_avg and x after step 120, 8 bits a channel
    curve.json                           a row for every snapshot
    state.pt                             weights, optimiser, random numbers: `Run.state`

Every file is put in place in one move, and `state.pt` is the last of a snapshot. So a run may be
killed at any moment: `Recorder.reopen` drops whatever is later than the state, and the run, being
deterministic, makes it again.
"""

from .record import Record
from .recorder import Recorder

__all__ = ["Record", "Recorder"]
