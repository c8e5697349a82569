"""The working folder of the tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from .scene import write_scene


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a test, with the files of `scene`."""
    monkeypatch.chdir(tmp_path)
    write_scene()
    return tmp_path
