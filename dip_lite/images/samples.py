"""Pictures to try things on: scikit-image's photographs, the paper's own, and stripes.

    x_true = sample("coffee")                   # bundled with scikit-image
    x_true = sample("paper/zebra")              # downloaded once, then read from the cache
    path = fetch("paper/zebra")                 # the same, without loading it
    x_true = stripes(256, angle=30)             # made by code

The paper's pictures come from the authors' public repository, github.com/DmitryUlyanov/
deep-image-prior, folder data. A file is kept only if its SHA-256 is the one given here. The cache
is DIP_LITE_CACHE, or else the user's cache folder; DIP_LITE_PICTURES is the address of a mirror.
The authors' masks have MISSING IN BLACK: for a mask of this package, take
1 − load_mask(sample("paper/kate_mask"), x0).
"""

import math
import os
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import torch
from torch import Tensor

from ..errors import PictureError
from .io import load

PREFIX = "paper/"
ADDRESS = "https://raw.githubusercontent.com/DmitryUlyanov/deep-image-prior/master/data/"
TIMEOUT = 30.0  # seconds without a byte from the server
CHUNK = 1 << 16  # bytes read at a time
STRIPES = (0.15, 0.2, 0.35), (0.9, 0.75, 0.45)  # their colours, dark blue and sand
INSTEAD = "use a bundled picture such as 'coffee'"

# The photographs inside scikit-image's wheel, colour first; its other pictures are downloads.
SAMPLES: tuple[str, ...] = tuple(
    "astronaut chelsea coffee rocket motorcycle_left hubble_deep_field retina ihc "
    "camera coins moon brick grass gravel cell page".split()
)

# name → path below ADDRESS, SHA-256. The hashes were computed from a copy of the authors' files;
# whether the repository serves the same bytes has not been checked.
REGISTRY: dict[str, tuple[str, str]] = {
    "paper/F16": ("denoising/F16_GT.png",
        "33810cc97ab8222e5bbb5fb32394d314d7d53564b008a4bf5371d0044ca45336"),
    "paper/snail": ("denoising/snail.jpg",
        "a3e95dd1c2d3030a6d14a3424f59b0d639e3e6c966eac0b753457bbaf41dd779"),
    "paper/zebra": ("sr/zebra_GT.png",
        "eb531120c7bddf6858c2d9c274ce989df63becd39a4dd29f46215a21a884603a"),
    "paper/kate": ("inpainting/kate.png",
        "8516aecf3628fd97ba12ab480d7b9c64d1c8e06be2ef603256087a40cae4971a"),
    "paper/kate_mask": ("inpainting/kate_mask.png",
        "631ffd05b0fc43a72dc06c54331977173d5b4e6706bb4fa5191d822b90ea8f1b"),
    "paper/vase": ("inpainting/vase.png",
        "1c25862a0a914bdb29ee793d182533b9e64c2c2da40d56623ee33f9dcfd38424"),
    "paper/vase_mask": ("inpainting/vase_mask.png",
        "9f7a689863d21c920b00c771df45c65c76c32b924ed3dfc11e81d1fc6ecd350a"),
    "paper/library": ("inpainting/library.png",
        "4795d1f90c0c5310456057a8ea219e2bcf9ff2f6abcd9a192abfe0c2d472a647"),
    "paper/library_mask": ("inpainting/library_mask.png",
        "6908be662bf67becc5495422f242eac7e4701a91d5c814112d804d22b37fcc55"),
    "paper/cave_flash": ("flash_no_flash/cave01_00_flash.jpg",
        "d05df54ea3edea45eadc03d233003663b55f6a590982ba0b6f882b2833939216"),
    "paper/cave_noflash": ("flash_no_flash/cave01_01_noflash.jpg",
        "54bb3d43584d4c79c86ee3a727303ab6f4f2560ea8df9f99c1045d48c713e26e"),
    "paper/building": ("feature_inversion/building.jpg",
        "8bf674bf169f2fccdee5dbceba867cb11eae22d14a8b48468e0223275ba3b503"),
    "paper/monkey": ("feature_inversion/monkey.jpg",
        "904e2039cc6fc600daa4ce9083aa0c0a852c2e28cd132f5ad676d9cb757b1de8"),
    "paper/barbara": ("restoration/barbara.png",
        "764b8a2748cc7ad381cccc047c5e512cb528c197ba86adb83aa339e8932e66c0"),
}  # fmt: skip


def sample(name: str) -> Tensor:
    """A sample picture, (1, C, H, W) float32 in [0, 1].

    Args:
        name: one of `SAMPLES`, which need no download, or one of `REGISTRY`, such as
            "paper/library", which is downloaded once.

    Raises:
        PictureError: an unknown name, or a failed download.

    >>> sample("coffee").shape
    torch.Size([1, 3, 400, 600])
    """
    if name.startswith(PREFIX):
        return load(fetch(name))
    if name not in SAMPLES:
        raise PictureError(f"{name!r} is not a sample picture: choose from {', '.join(SAMPLES)}.")
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    return load([*folder.glob(f"{name}.*"), folder / name][0])


def stripes(side: int = 256, angle: float = 30.0, period: float = 24.0) -> Tensor:
    """Straight stripes of two colours: a picture of which any part tells the rest.

    Args:
        side: of the picture, in pixels.
        angle: of the stripes' normal against a row, in degrees; 0 for upright stripes.
        period: of one pair of stripes, in pixels.

    Returns:
        (1, 3, side, side) float32 in [0, 1].

    >>> x = stripes(64, angle=0, period=16)
    >>> bool((x[..., 0] - x[..., 16]).abs().max() < 1e-4)
    True
    """
    turn = math.radians(angle)
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    phase = (columns * math.cos(turn) + rows * math.sin(turn)) * 2 * math.pi / period
    share = torch.sigmoid(6 * torch.sin(phase))  # (side, side), edges as soft as a lens makes them
    dark, light = (torch.tensor(colour).view(1, 3, 1, 1) for colour in STRIPES)
    return dark + (light - dark) * share


def fetch(name: str) -> Path:
    """The file of one of the paper's pictures, downloaded unless the cache has it.

    Several processes may fetch at once: each writes a temporary file and moves it into place.

    Args:
        name: one of `REGISTRY`, such as "paper/library".

    Raises:
        PictureError: an unknown name, no network, an HTTP error, a cut connection, a wrong hash, or
            a cache folder that cannot be written.
    """
    if name not in REGISTRY:
        known = ", ".join(REGISTRY)
        raise PictureError(f"{name!r} is not one of the paper's pictures: choose from {known}.")
    path, sha256 = REGISTRY[name]
    address = os.environ.get("DIP_LITE_PICTURES") or ADDRESS
    target = cache_folder() / PREFIX / (name.removeprefix(PREFIX) + PurePosixPath(path).suffix)
    return download(name, address, path, sha256, target, INSTEAD, progressbar=True)


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

    Args:
        name: what to call it in a message.
        address, path: where it is.
        instead: what the user may do without it, as the end of a message.

    Raises:
        PictureError: no network, an HTTP error, a cut connection, a wrong hash, or a folder that
            cannot be written.
    """
    import pooch
    from requests import RequestException

    downloader = pooch.HTTPDownloader(progressbar=progressbar, chunk_size=CHUNK, timeout=TIMEOUT)
    url, folder = f"{address.rstrip('/')}/{path}", target.parent
    log = pooch.get_logger()
    level = log.level
    log.setLevel(level if progressbar else "WARNING")  # else a line for every file
    try:
        return Path(pooch.retrieve(url, sha256, target.name, folder, downloader=downloader))
    except RequestException as error:
        if error.response is not None:
            error.response.close()  # pooch leaves it open
        server = urlsplit(address).netloc or address
        raise PictureError(
            f"{name} could not be downloaded from {server} ({_reason(error)}): try again later, or "
            f"{instead}."
        ) from error
    except OSError as error:
        raise PictureError(
            f"{name} cannot be saved in {folder} ({error.strerror or type(error).__name__}): set "
            f"DIP_LITE_CACHE to a folder you can write to, or {instead}."
        ) from error
    except ValueError as error:  # pooch's error for a wrong hash
        raise PictureError(
            f"{name} was downloaded but its SHA-256 differs from the expected one, so it was "
            f"deleted: try again later, or {instead}."
        ) from error
    finally:
        log.setLevel(level)


def cache_folder() -> Path:
    """Where downloads are kept: DIP_LITE_CACHE, or else the system's folder for caches."""
    import pooch

    return Path(os.environ.get("DIP_LITE_CACHE") or pooch.os_cache("dip_lite"))


def _reason(error: Exception) -> str:
    """A failed request in a few words."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}".strip()
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return f"{type(error).__name__}: is the address right?"
