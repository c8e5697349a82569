"""The authors' own runs: pictures of a fit, as published on the project page, fetched by hash.

    frames = fetch_run("snail", count=24)       # {step: path}, downloaded once, about 2 MB
    frames = fetch_run("F16", steps=(0, 200, 1600, 2800))

The authors show how their fits went, with the network's output at every 50th iteration. The files
are in github.com/DmitryUlyanov/dmitryulyanov.github.io, folder assets/deep-image-prior/process, and
are served by the page; `paper_runs.tsv` lists each with its size in bytes and its SHA-256, and a
file with another one is not kept. (The hashes were computed from a copy of the authors' files;
whether the page serves the same bytes has not been checked.) DIP_LITE_RUNS is the address of a
mirror, or a folder that holds `snail/0.png` …; DIP_LITE_CACHE is where downloads are kept.
`dip_lite.paper_run` makes snapshots of these files.
"""

import hashlib
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..errors import PictureError, reason
from .samples import cache_folder, download

ADDRESS = "https://dmitryulyanov.github.io/assets/deep-image-prior/process/"
INSTEAD = "set DIP_LITE_RUNS to a mirror or to a folder with the files"
MANIFEST = Path(__file__).with_name("paper_runs.tsv")  # run, iteration, bytes, SHA-256

# What each run does. The page shows all but lena, whose task the authors do not name.
RUNS: dict[str, str] = {
    "snail": "removes JPEG artifacts",
    "library": "fills a large hole",
    "F16": "removes noise of σ = 25",
    "lena": "not shown on the project page",
    "kate": "removes text",
    "vase": "fills a large hole",
    "zebra": "enlarges four times",
}


@cache
def published() -> dict[str, dict[int, tuple[int, str]]]:
    """The manifest: run → iteration → (bytes, SHA-256).

    >>> len(published()["snail"]), max(published()["snail"])
    (80, 3950)
    """
    runs: dict[str, dict[int, tuple[int, str]]] = {}
    for line in MANIFEST.read_text("utf-8").splitlines():
        name, step, size, sha256 = line.split("\t")
        runs.setdefault(name, {})[int(step)] = int(size), sha256
    return runs


def fetch_run(
    name: str, count: int | None = None, steps: Sequence[int] | None = None
) -> dict[int, Path]:
    """The files of one of the authors' runs, downloaded in order unless the cache has them.

    Args:
        name: one of `RUNS`, such as "snail".
        count: so many frames, dense at first and sparse later; None for all of them.
        steps: these iterations instead.

    Returns:
        Iteration → path, in order.

    Raises:
        PictureError: an unknown name or iteration, a count below 1, no network, an HTTP error, a
            wrong hash, or a cache that cannot be written. What was fetched before is kept.
    """
    if name not in published():
        raise PictureError(
            f"{name!r} is not one of the authors' runs: choose from {', '.join(published())}."
        )
    known = published()[name]
    if steps is None:
        chosen = _thin(sorted(known), count)
    elif unknown := [step for step in steps if step not in known]:
        near = min(known, key=lambda step: abs(step - unknown[0]))
        raise PictureError(
            f"The run {name!r} has no iteration {unknown[0]}: the nearest is {near}, and they go "
            f"from {min(known)} to {max(known)}."
        )
    else:
        chosen = sorted(set(steps))
    from tqdm.auto import tqdm

    size = sum(known[step][0] for step in chosen) / 1e6
    found = {}
    with tqdm(total=len(chosen), desc=f"{name}, {size:.1f} MB", unit="file", leave=False) as bar:
        for step in chosen:
            found[step] = _file(name, step, known[step][1])
            bar.update()
    return found


def _file(name: str, step: int, sha256: str) -> Path:
    """One frame, from the folder of DIP_LITE_RUNS, the cache or the server."""
    address, path = os.environ.get("DIP_LITE_RUNS") or ADDRESS, f"{name}/{step}.png"
    label = f"Iteration {step} of the run {name!r}"
    if "://" not in address:
        return _local(label, Path(address).expanduser() / path, sha256)
    return download(label, address, path, sha256, cache_folder() / "paper_runs" / path, INSTEAD)


def _local(label: str, path: Path, sha256: str) -> Path:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PictureError(
            f"{label} is not in the folder of DIP_LITE_RUNS ({path}: {reason(error)}): put it "
            "there, or unset DIP_LITE_RUNS to download it."
        ) from error
    if found != sha256:
        raise PictureError(
            f"{label} in the folder of DIP_LITE_RUNS has another SHA-256 than the published file: "
            "replace it, or unset DIP_LITE_RUNS to download it."
        )
    return path


def _thin(steps: Sequence[int], count: int | None) -> list[int]:
    """About logarithmically spaced: each gap at least as long as the one before.

    >>> _thin(range(0, 4000, 50), 8)
    [0, 50, 100, 200, 400, 850, 1850, 3950]
    """
    if count is None or count >= len(steps):
        return list(steps)
    if count < 1:
        raise PictureError(f"count must be 1 or more frames, got {count}.")
    last, index, chosen = len(steps) - 1, 0, [0]
    for left in range(count - 1, 0, -1):
        wanted = round(index * (last / max(index, 1)) ** (1 / left))
        index = last if left == 1 else max(index + 1, min(wanted, last - left + 1))
        chosen.append(index)
    return [steps[i] for i in (chosen if count > 1 else [last])]
