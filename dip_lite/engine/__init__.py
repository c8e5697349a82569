"""How a network is fitted; nothing here knows what for.

| module | holds |
| --- | --- |
| `task` | `Task`: a network, its input, an energy; `Settings`, how to fit them |
| `loop` | `fit` and `Run`: the one training loop of the package; `Snapshot` |
| `muon` | the optimiser: Muon for convolutions, Adam for the rest |
| `early_stopping` | when to stop, without the clean picture |
| `rollback` | back to the last good weights after a spike or NaN |
| `tiling` | large pictures, fitted tile by tile |
| `device` | device, precision, memory |
| `progress` | `watch`: a fit behind a progress bar |
"""
