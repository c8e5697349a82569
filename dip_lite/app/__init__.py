"""The web demo, started by `app.py`.

PyTorch takes seconds to import and half a gigabyte, so it waits for the first picture:
`session_pictures`, `uploads`, `restoration`, `fitting` and `runs` are imported then.
"""
