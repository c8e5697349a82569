"""Imported before any test, and so before PyTorch: see the first lines of the package."""

import dip_lite  # noqa: F401
