"""What people look at: sheets of pictures, curves, animations, and a scrubber for notebooks.

| module | holds |
| --- | --- |
| `sheets` | pictures side by side, contact sheets |
| `plots` | curves, spectra, comparisons over seeds |
| `animation` | a run as GIF or WebP |
| `scrubber` | drag through a run in a notebook |
"""
