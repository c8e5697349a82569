"""Temporary folders that end with the process, and uploads that end with their last user.

folder = temp_folder("dip_lite-")     # deleted at exit; a killed process's at the next start
uploads = UploadCounts()
uploads.acquire(path)                 # False where there is no such file
uploads.release(path)                 # the last release deletes the file
"""

import atexit
import contextlib
import os
import platform
import shutil
import tempfile
import threading
from pathlib import Path

OWNER = "owner"  # a file in each folder: the machine's name and the process's number
_OURS: set[Path] = set()


def temp_folder(prefix: str) -> Path:
    """A new temporary folder, deleted at exit; deletes those of dead processes first."""
    delete_orphans(Path(tempfile.gettempdir()), prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    _OURS.add(folder)
    (folder / OWNER).write_text(f"{platform.node()} {os.getpid()}", "utf-8")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def delete_orphans(root: Path, prefix: str) -> None:
    """Deletes our folders in `root` whose process has ended."""
    if os.name == "nt":  # where asking for a process by its number may end it
        return
    for folder in root.glob(f"{prefix}*"):
        with contextlib.suppress(OSError, ValueError):
            machine, _, pid = (folder / OWNER).read_text("utf-8").partition(" ")
            ours = folder.lstat().st_uid == os.getuid() and machine == platform.node()
            if ours and folder not in _OURS and not _is_alive(int(pid)):
                shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    if pid <= 0 or pid == os.getpid():  # every container may have had a process number 1
        return pid <= 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


FileId = tuple[int, int]  # inode and time of change: tells a replaced file from the old one


class UploadCounts:
    """Counts the sessions that use an uploaded file, and deletes it with the last.

    Gradio names an upload by its content, so two visitors with the same file share one. A file that
    was replaced since it was acquired has been uploaded again by somebody else: it is left to them.
    """

    def __init__(self) -> None:
        self._files: dict[str, tuple[int, FileId]] = {}
        self._lock = threading.Lock()

    def acquire(self, path: str) -> bool:
        """Counts one more user; False where there is no such file."""
        with self._lock:
            if (file_id := _file_id(path)) is None:
                return False
            self._files[path] = self._files.get(path, (0, file_id))[0] + 1, file_id
            return True

    def release(self, path: str) -> None:
        """Counts one less."""
        with self._lock:
            count, file_id = self._files.pop(path, (0, None))
            if count > 1 and file_id is not None:
                self._files[path] = count - 1, file_id
            elif count == 1 and _file_id(path) == file_id:
                Path(path).unlink(missing_ok=True)


def _file_id(path: str) -> FileId | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_mtime_ns
