"""The paper's own pictures by name, from the authors' public repository.

    x_true = sample("paper/zebra")              # downloads once, then reads the copy it kept
    path = fetch("paper/zebra")                 # the same, without loading

They are not ours to bundle. A file is kept only if its SHA-256 is the one written here, in the
user's cache folder or in DIP_LITE_CACHE; DIP_LITE_PICTURES is another address to ask, such as a
mirror in a class room. The masks are the authors', MISSING IN BLACK: what this package calls a mask
is 1 − load_mask(sample("paper/kate_mask"), x0).

Source: github.com/DmitryUlyanov/deep-image-prior, folder data.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from .decode import PictureError
from .download import SECONDS, cache, download, reason

PREFIX = "paper/"
ADDRESS = "https://raw.githubusercontent.com/DmitryUlyanov/deep-image-prior/master/data/"

# name → path in the repository's data, SHA-256. The sums were computed from a copy of the authors'
# files; whether the repository serves the same bytes could not be checked where this was written.
REGISTRY: dict[str, tuple[str, str]] = {
    "paper/F16": (
        "denoising/F16_GT.png",
        "33810cc97ab8222e5bbb5fb32394d314d7d53564b008a4bf5371d0044ca45336",
    ),
    "paper/snail": (
        "denoising/snail.jpg",
        "a3e95dd1c2d3030a6d14a3424f59b0d639e3e6c966eac0b753457bbaf41dd779",
    ),
    "paper/zebra": (
        "sr/zebra_GT.png",
        "eb531120c7bddf6858c2d9c274ce989df63becd39a4dd29f46215a21a884603a",
    ),
    "paper/kate": (
        "inpainting/kate.png",
        "8516aecf3628fd97ba12ab480d7b9c64d1c8e06be2ef603256087a40cae4971a",
    ),
    "paper/kate_mask": (
        "inpainting/kate_mask.png",
        "631ffd05b0fc43a72dc06c54331977173d5b4e6706bb4fa5191d822b90ea8f1b",
    ),
    "paper/vase": (
        "inpainting/vase.png",
        "1c25862a0a914bdb29ee793d182533b9e64c2c2da40d56623ee33f9dcfd38424",
    ),
    "paper/vase_mask": (
        "inpainting/vase_mask.png",
        "9f7a689863d21c920b00c771df45c65c76c32b924ed3dfc11e81d1fc6ecd350a",
    ),
    "paper/library": (
        "inpainting/library.png",
        "4795d1f90c0c5310456057a8ea219e2bcf9ff2f6abcd9a192abfe0c2d472a647",
    ),
    "paper/library_mask": (
        "inpainting/library_mask.png",
        "6908be662bf67becc5495422f242eac7e4701a91d5c814112d804d22b37fcc55",
    ),
    "paper/cave_flash": (
        "flash_no_flash/cave01_00_flash.jpg",
        "d05df54ea3edea45eadc03d233003663b55f6a590982ba0b6f882b2833939216",
    ),
    "paper/cave_noflash": (
        "flash_no_flash/cave01_01_noflash.jpg",
        "54bb3d43584d4c79c86ee3a727303ab6f4f2560ea8df9f99c1045d48c713e26e",
    ),
    "paper/building": (
        "feature_inversion/building.jpg",
        "8bf674bf169f2fccdee5dbceba867cb11eae22d14a8b48468e0223275ba3b503",
    ),
    "paper/monkey": (
        "feature_inversion/monkey.jpg",
        "904e2039cc6fc600daa4ce9083aa0c0a852c2e28cd132f5ad676d9cb757b1de8",
    ),
    "paper/barbara": (
        "restoration/barbara.png",
        "764b8a2748cc7ad381cccc047c5e512cb528c197ba86adb83aa339e8932e66c0",
    ),
}


def fetch(name: str) -> Path:
    """The file of one of the paper's pictures, downloaded if it is not there yet.

    A copy in the cache with the right hash is taken as it is, without asking the network. Any
    number of processes may fetch at once: each writes a file of its own and moves it into place.

    Args:
        name: one of `REGISTRY`, such as "paper/library".

    Raises:
        PictureError: an unknown name, no network, a server's refusal, a connection cut, other bytes
            than expected, a cache folder that cannot be written.
    """
    if name not in REGISTRY:
        known = ", ".join(REGISTRY)
        raise PictureError(f"{name!r} is not one of the paper's pictures: choose from {known}.")
    try:
        import pooch
        from requests import RequestException
    except ImportError as error:
        raise PictureError(
            f"{name} is fetched by pooch, which is missing: pip install pooch, "
            "or take a bundled picture such as 'coffee'."
        ) from error
    where, sha256 = REGISTRY[name]
    address = os.environ.get("DIP_LITE_PICTURES") or ADDRESS
    folder = cache() / PREFIX
    file = name.removeprefix(PREFIX) + PurePosixPath(where).suffix
    try:
        url = f"{address.rstrip('/')}/{where}"
        with _quiet(pooch.get_logger()):
            return Path(pooch.retrieve(url, sha256, file, folder, downloader=_get))
    except RequestException as error:
        server = urlsplit(address).netloc or address
        raise PictureError(
            f"{name} could not be downloaded from {server} ({reason(error)}): try again later, or "
            "go on with a bundled picture such as 'coffee'."
        ) from error
    except OSError as error:
        raise PictureError(
            f"{name} cannot be kept in {folder} ({error.strerror or type(error).__name__}): set "
            "DIP_LITE_CACHE to a folder you can write, or take a bundled picture such as 'coffee'."
        ) from error
    except ValueError as error:  # pooch's word for another hash
        raise PictureError(
            f"{name} came as other bytes than expected (its SHA-256 differs) and was not kept: try "
            "again later, or go on with a bundled picture such as 'coffee'."
        ) from error


@contextlib.contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """The bar says what it says."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _get(url: str, file: str, pooch: object) -> None:
    download(url, file, url.rsplit("/", 1)[-1], SECONDS)
