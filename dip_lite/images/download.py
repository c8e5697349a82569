"""A file from a server, kept only if it has the SHA-256 that was expected.

    path = download("paper/zebra", ADDRESS, "sr/zebra_GT.png", sha256, target, "use another")

Files are a few megabytes: one is read into memory, checked, and moved into place whole.
"""

import contextlib
import hashlib
import os
import secrets
import ssl
import sys
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from ..errors import PictureError, reason

TIMEOUT = 30.0  # seconds without a byte from the server
CHUNK = 1 << 16  # bytes read at a time


def cache_folder() -> Path:
    """Where downloads are kept: DIP_LITE_CACHE, or else the system's folder for caches."""
    if chosen := os.environ.get("DIP_LITE_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        local = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
        return local / "dip_lite" / "dip_lite" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "dip_lite"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dip_lite"


def download(
    name: str,
    address: str,
    path: str,
    sha256: str,
    target: Path,
    instead: str,
    progressbar: bool = False,
) -> Path:
    """A file of a server, kept at `target` if it has the hash; not fetched if it is there.

    Several processes may ask at once: each writes a file of its own and moves it into place.

    Args:
        name: what to call it in a message.
        address, path: where it is; http or https.
        instead: what the user may do without it, as the end of a message.

    Raises:
        PictureError: no network, an HTTP error, a cut connection, a wrong hash, or a folder that
            cannot be written.
    """
    with contextlib.suppress(OSError):
        if hashlib.sha256(target.read_bytes()).hexdigest() == sha256:
            return target
    try:
        data = _read(f"{address.rstrip('/')}/{path}", name if progressbar else "")
    except (OSError, ValueError, HTTPException) as error:
        server = urlsplit(address).netloc or address
        raise PictureError(
            f"{name} could not be downloaded from {server} ({_why(error)}): try again later, or "
            f"{instead}."
        ) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PictureError(
            f"{name} was downloaded but its SHA-256 differs from the expected one, so it was not "
            f"kept: try again later, or {instead}."
        )
    try:
        _keep(data, target)
    except OSError as error:
        raise PictureError(
            f"{name} cannot be saved in {target.parent} ({reason(error)}): set DIP_LITE_CACHE to a "
            f"folder you can write to, or {instead}."
        ) from error
    return target


def _read(url: str, label: str) -> bytes:
    """The whole body, behind a progress bar if there is a label."""
    from tqdm.auto import tqdm

    if urlsplit(url).scheme not in ("http", "https"):  # urllib would read a local file, too
        raise ValueError(f"{url} is not an http address")
    data = bytearray()
    with urlopen(url, timeout=TIMEOUT) as reply:
        size = int(reply.headers.get("Content-Length") or 0)
        with tqdm(
            total=size or None, desc=label, unit="B", unit_scale=True, leave=False,
            disable=not label,
        ) as bar:  # fmt: skip
            while chunk := reply.read(CHUNK):
                data += chunk
                bar.update(len(chunk))
    if len(data) < size:
        raise ConnectionResetError("the body is shorter than its length")
    return bytes(data)


def _keep(data: bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".dip-{secrets.token_hex(6)}.tmp")  # on the same disk
    try:
        temporary.write_bytes(data)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _why(error: Exception) -> str:
    """A failed request in a few words."""
    if isinstance(error, HTTPError):
        error.close()  # it holds the connection
        return f"the server answered {error.code} {error.reason}".strip()
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, ssl.SSLError):
        return f"no secure connection: {reason(cause)}"
    if isinstance(error, (ConnectionError, IncompleteRead)):
        return "the connection was cut"
    if isinstance(cause, OSError):
        return "no connection"
    return "is the address right?"
