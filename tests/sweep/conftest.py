"""What the tests of sweeps share."""

from __future__ import annotations

from pathlib import Path

import pytest

from .helpers import save_clean, write_grid


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A clean picture, as a file."""
    return save_clean(tmp_path_factory.mktemp("pictures") / "clean.png")


@pytest.fixture
def grid_file(tmp_path: Path) -> Path:
    return write_grid(tmp_path)
