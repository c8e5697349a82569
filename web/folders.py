"""Folders that end with the process; what one that was killed left behind goes at the next start.

folder = lasting("dip_lite-")         # in it a file `owner`: this machine's name and our number
"""

from __future__ import annotations

import atexit
import contextlib
import os
import platform
import shutil
import tempfile
from pathlib import Path

OWNER = "owner"
_OURS: set[Path] = set()


def lasting(prefix: str) -> Path:
    """A new folder among the temporary ones, deleted at exit; those of dead processes go first."""
    clear(Path(tempfile.gettempdir()), prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    _OURS.add(folder)
    (folder / OWNER).write_text(f"{platform.node()} {os.getpid()}", "utf-8")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def clear(place: Path, prefix: str) -> None:
    """Deletes such folders of ours whose process is no more."""
    if os.name == "nt":  # where asking for a process by its number may end it
        return
    for folder in place.glob(f"{prefix}*"):
        with contextlib.suppress(OSError, ValueError):
            machine, _, number = (folder / OWNER).read_text("utf-8").partition(" ")
            ours = folder.lstat().st_uid == os.getuid() and machine == platform.node()
            if ours and folder not in _OURS and not _lives(int(number)):
                shutil.rmtree(folder, ignore_errors=True)


def _lives(number: int) -> bool:
    if number <= 0 or number == os.getpid():  # in a container each of us may have been number 1
        return number <= 0
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
