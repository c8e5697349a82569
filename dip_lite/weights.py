"""AlexNet's weights: downloaded when asked for, kept, checked, or missed with one sentence.

    state = load_alexnet(fetch())          # 233 MB, the first time; from then on from this disk
    if path := cached(): ...               # without any request

The file is torchvision's, trained on ImageNet. It is looked for in `download.cache` and where
torchvision itself keeps it, and used only if its SHA-256 begins with the digits in its name.
Whatever goes wrong raises `WeightsError`: one sentence that says what happened and how to go on.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .download import cache, download, reason

URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"  # torchvision's own
WAY_OUT = 'or go on without: weights="random"'

# of every tensor in the file; the numbers are those of the modules in torchvision's AlexNet
LAYOUT: dict[str, tuple[int, ...]] = {
    "features.0.weight": (64, 3, 11, 11), "features.0.bias": (64,),
    "features.3.weight": (192, 64, 5, 5), "features.3.bias": (192,),
    "features.6.weight": (384, 192, 3, 3), "features.6.bias": (384,),
    "features.8.weight": (256, 384, 3, 3), "features.8.bias": (256,),
    "features.10.weight": (256, 256, 3, 3), "features.10.bias": (256,),
    "classifier.1.weight": (4096, 9216), "classifier.1.bias": (4096,),
    "classifier.4.weight": (4096, 4096), "classifier.4.bias": (4096,),
    "classifier.6.weight": (1000, 4096), "classifier.6.bias": (1000,),
}  # fmt: skip


class WeightsError(ValueError):
    """The weights are not to be had; the message is one sentence for the user."""


def cached(url: str = URL) -> Path | None:
    """The file, if this machine has it whole: our own download, or torchvision's."""
    name, digits = _name(url)
    theirs = Path(torch.hub.get_dir()) / "checkpoints" / name
    for path in (cache() / name, theirs):
        if path.is_file() and _hash(path).startswith(digits):
            return path
    return None


def fetch(url: str = URL) -> Path:
    """The file, downloaded unless it is here, with a progress bar.

    Args:
        url: …/NAME-DIGITS.pth, the SHA-256 of the file beginning with these digits.

    Raises:
        WeightsError: no network, a cut connection, another file, or nowhere to keep it.
    """
    if path := cached(url):
        return path
    name, digits = _name(url)
    target = cache() / name
    draft = target.with_name(f".{name}.{secrets.token_hex(4)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _get(url, draft)
        if not (found := _hash(draft)).startswith(digits):
            raise WeightsError(
                f"what came from {url} is another file (its SHA-256 begins with "
                f"{found[: len(digits)]}, not {digits}) and was thrown away: try again, {WAY_OUT}."
            )
        os.replace(draft, target)
    except OSError as error:
        raise WeightsError(
            f"{target} cannot be written ({error.strerror or error}): name another folder in "
            f"DIP_LITE_CACHE, {WAY_OUT}."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return target


def load_alexnet(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The state dict in a file, of the shapes in `LAYOUT` and in float32.

    Raises:
        WeightsError: no such file, not a state dict, another network's, or not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"there is no file {path}: check the path, {WAY_OUT}.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises whatever its bytes happen to mean
        raise WeightsError(
            f"{path} cannot be read as a state dict of PyTorch ({type(error).__name__}): delete it "
            f"and download it again, {WAY_OUT}."
        ) from error
    if fault := _fault(state):
        raise WeightsError(f"{path} does not hold an AlexNet's weights ({fault}): {WAY_OUT[3:]}.")
    return {name: state[name].float() for name in LAYOUT}


def _fault(state: Any) -> str:
    """What of a loaded file is not as torchvision's AlexNet has it, as a phrase."""
    if not isinstance(state, Mapping):
        return f"it is a {type(state).__name__}, not a dictionary"
    if missing := [name for name in LAYOUT if name not in state]:
        return f"{missing[0]} is missing"
    if extra := [name for name in state if name not in LAYOUT]:
        return f"{extra[0]} is too much"
    for name, shape in LAYOUT.items():
        value = state[name]
        if not isinstance(value, Tensor) or not value.is_floating_point():
            return f"{name} is no tensor of floats"
        if tuple(value.shape) != shape:
            return f"{name} has shape {tuple(value.shape)} where {shape} was expected"
        if not torch.isfinite(value).all():
            return f"{name} has values that are NaN or infinite"
    return ""


def _name(url: str) -> tuple[str, str]:
    """A file's name, and the hash in it."""
    name = url.rsplit("/", 1)[-1]
    found = re.fullmatch(r".*-([0-9a-f]{8,64})\.pth", name)
    if not found:
        raise WeightsError(f"{url} has no hash in its name: expected …/NAME-DIGITS.pth.")
    return name, found[1]


def _hash(path: Path) -> str:
    import pooch

    return pooch.file_hash(str(path))


def _get(url: str, path: Path) -> None:
    """Downloads, or says in one sentence why not."""
    import requests

    try:
        download(url, path, "AlexNet's weights")
    except requests.RequestException as error:
        raise WeightsError(
            f"AlexNet's weights could not be downloaded from {url} ({reason(error)}): try again "
            f"with a network, {WAY_OUT}."
        ) from error
