"""Temporary folders of processes that were killed."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from dip_lite.app.temp_files import temp_folder


def test_folders_of_the_dead_are_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                           capture_output=True, check=True)  # fmt: skip
    for name, owner in (("dead", int(child.stdout)), ("alive", os.getppid())):
        (tmp_path / f"dip_lite-{name}").mkdir()
        (tmp_path / f"dip_lite-{name}" / "owner").write_text(f"{platform.node()} {owner}")
    (tmp_path / "dip_lite-strange").mkdir()
    mine, other = temp_folder("dip_lite-"), temp_folder("dip_lite-")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"dip_lite-alive", "dip_lite-strange", mine.name, other.name}
