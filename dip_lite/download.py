"""A file over HTTP, with a bar that goes when it ends: what pictures and weights share.

    download(url, path, "AlexNet's weights")     # raises requests' exceptions; `reason` says them

pooch does the rest: hashes, the cache's place, moving into it.
"""

from __future__ import annotations

import os
from pathlib import Path

SECONDS = 30.0  # without a byte, after which a server is given up


def cache() -> Path:
    """Where downloads are kept: DIP_LITE_CACHE, or else the system's folder for caches."""
    import pooch

    return Path(os.environ.get("DIP_LITE_CACHE") or pooch.os_cache("dip_lite"))


def download(url: str, path: str | os.PathLike[str], label: str, timeout: float = SECONDS) -> None:
    """Fetches `url` into `path`, with a progress bar that goes when it ends, however it ends.

    Raises:
        requests.RequestException: no network, a refusal, a connection cut; see `reason`.
        OSError: `path` cannot be written.
    """
    import requests
    from tqdm.auto import tqdm

    with requests.get(url, stream=True, timeout=timeout) as response:
        response.raise_for_status()
        size = int(response.headers.get("content-length", 0)) or None
        with (
            tqdm(total=size, desc=label, unit="B", unit_scale=True, leave=False) as bar,
            open(path, "wb") as copy,
        ):
            for chunk in response.iter_content(1 << 18):
                copy.write(chunk)
                bar.update(len(chunk))


def reason(error: Exception) -> str:
    """What went wrong with a request, in a few words."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}".strip()
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return f"{type(error).__name__}: is the address right?"
