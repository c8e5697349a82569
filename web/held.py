"""Uploads, deleted when nobody holds them any more.

    held = Held()
    held.take(path)       # False where there is no such file
    held.drop(path)       # the file is deleted with the last of those who took it

Gradio names an upload by its content, so two visitors with the same file have one between them. Of
whoever has just uploaded it and not yet come to `take` we know only that the file is a new one:
such a one is left to them.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

Mark = tuple[int, int]  # of a file: another one under the same name has another


class Held:
    """See the module."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[int, Mark]] = {}  # how many hold it, and which file it was
        self._lock = threading.Lock()

    def take(self, path: str) -> bool:
        """Counts one more who holds the file."""
        with self._lock:
            mark = _mark(path)
            if mark is None:
                return False
            self._files[path] = self._files.get(path, (0, mark))[0] + 1, mark
            return True

    def drop(self, path: str) -> None:
        """Counts one less."""
        with self._lock:
            count, mark = self._files.pop(path, (0, None))
            if count > 1 and mark is not None:
                self._files[path] = count - 1, mark
            elif count == 1 and _mark(path) == mark:
                Path(path).unlink(missing_ok=True)


def _mark(path: str) -> Mark | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_mtime_ns
