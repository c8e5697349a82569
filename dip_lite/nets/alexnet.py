"""A frozen AlexNet as a probe: what does a layer know about a picture?

    probe = Probe("random")                       # or "imagenet", or a file
    y = probe.features(x, "conv3")                # (1, 384, 13, 13)
    energy = feature_error(probe, "conv3", x0)    # energy(x) → scalar
    Φ is `features` up to a layer,    E(x) = ‖Φ(x) − Φ(x0)‖² / ‖Φ(x0)‖²

Many pictures have the same features. Which one a minimiser of E finds is up to its prior: that is
the experiment in the paper's section on natural pre-images, after Mahendran and Vedaldi,
"Understanding deep image representations by inverting them" (CVPR 2015).

The network is torchvision's. With random weights drawn as He et al. propose it is nearly as good a
probe, see He, Wang and Hopcroft, "A powerful generative model using random weights for the deep
image representation" (NIPS 2016); `Probe.name` says which weights it has, for titles of figures.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import WeightsError, reason
from ..images.samples import cache_folder

# in the order of a forward pass; poolN follows reluN where there is one
LAYERS = (
    "conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3", "relu3", "conv4", "relu4",
    "conv5", "relu5", "pool5", "fc6", "relu6", "fc7", "relu7", "fc8",
)  # fmt: skip
SIDE = 224  # pixels; AlexNet's input
MEAN = (0.485, 0.456, 0.406)  # of ImageNet's red, green and blue
STD = (0.229, 0.224, 0.225)
URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"  # torchvision's, 233 MB
INSTEAD = 'use weights="random"'


class Probe:
    """An AlexNet whose weights never change.

    Args:
        weights: "random" (He initialisation, zero biases), "imagenet" (downloaded once, 233 MB) or
            the path of a state dict for torchvision's AlexNet.
        seed: of the random weights; PyTorch's global generator is left alone.
        url: where "imagenet" comes from.

    Attributes:
        weights: as given.
        name: for titles, such as "AlexNet with random weights".

    Raises:
        WeightsError: the weights cannot be downloaded or read.
    """

    def __init__(
        self, weights: str | os.PathLike[str] = "random", seed: int = 0, *, url: str = URL
    ) -> None:
        self.weights = str(weights)
        kind = {"random": "with random weights", "imagenet": "trained on ImageNet"}
        self.name = f"AlexNet {kind.get(self.weights, f'from {Path(weights).name}')}"
        if self.weights == "random":
            net = _initialise(_empty_alexnet().to_empty(device="cpu"), seed)
        else:
            net = _pretrained(url) if self.weights == "imagenet" else _read(Path(weights))
        self.net = net.eval().requires_grad_(False)
        self._layers = list(_named_layers(self.net))

    def features(self, x: Tensor, layer: str) -> Tensor:
        """The output of a layer, differentiable in x; later layers are not computed.

        Args:
            x: picture, (1, 1 or 3, H, W) in [0, 1]; any size, it is resized to 224².
            layer: one of `LAYERS`.

        Returns:
            (1, C, h, w), or (1, C) from fc6 on.

        Raises:
            ValueError: an unknown layer, or an x that is not a picture.
        """
        if layer not in LAYERS:
            raise ValueError(f"layer must be one of {', '.join(LAYERS)}, got {layer!r}")
        if x.ndim != 4 or x.shape[1] not in (1, 3):
            raise ValueError(f"expected a picture (1, 1 or 3, H, W), got shape {tuple(x.shape)}")
        self.net.to(x.device)
        y = _prepare(x.float())
        for name, module in self._layers:
            y = module(y)
            if name == layer:
                break
        return y


def feature_error(probe: Probe, layer: str, x0: Tensor) -> Callable[[Tensor], Tensor]:
    """E(x) = ‖Φ(x) − Φ(x0)‖² / ‖Φ(x0)‖²: 0 where the features agree, 1 where x has none.

    Raises:
        ValueError: an unknown layer, one whose output for x0 is all zeros, or an x0 that is not
            finite.
    """
    if not bool(torch.isfinite(x0).all()):
        raise ValueError("the picture has values that are NaN or infinite")
    with torch.no_grad():
        target = probe.features(x0.detach().float(), layer).clone()
    scale = target.square().sum()
    if not scale > 0:
        raise ValueError(f"{layer} gives nothing but zeros for this picture: use another layer")

    def feature_distance(x: Tensor) -> Tensor:
        nonlocal target, scale
        target, scale = target.to(x.device), scale.to(x.device)  # moved once, not at every step
        return (probe.features(x, layer) - target).square().sum() / scale

    return feature_distance


def cached(url: str = URL) -> Path | None:
    """The pretrained weights on this disk, downloaded by this package or by torchvision, if any.

    Only the download is checked against its hash; this just looks for the file.

    Raises:
        WeightsError: the URL has no hash in its file name.
    """
    return next(_copies(_split(url)[0]), None)


def _pretrained(url: str) -> nn.Module:
    """AlexNet with the weights at `url`, downloaded unless a readable copy is on this disk."""
    name, hash_prefix = _split(url)
    for copy in _copies(name):
        with contextlib.suppress(WeightsError):  # a damaged copy is downloaded again
            return _read(copy)
    path = cache_folder() / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix)
    except (URLError, HTTPException, ConnectionError, TimeoutError, ValueError) as error:
        cause = getattr(error, "reason", None)
        why = reason(cause if isinstance(cause, Exception) else error)
        raise WeightsError(
            f"AlexNet's weights could not be downloaded from {url} ({why}): check the network and "
            f"try again, or {INSTEAD}."
        ) from error
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be written ({reason(error)}): set DIP_LITE_CACHE to a folder you can "
            f"write to, or {INSTEAD}."
        ) from error
    except RuntimeError as error:  # torch.hub's error for a wrong hash
        raise WeightsError(
            f"the download from {url} was cut short or is another file ({reason(error)}), so it "
            f"was deleted: try again, or {INSTEAD}."
        ) from error
    return _read(path)


def _split(url: str) -> tuple[str, str]:
    """A URL's file name, and the hash in it."""
    name = url.rsplit("/", 1)[-1]
    found = re.fullmatch(r".*-([0-9a-f]{8,64})\.pth", name)
    if not found:
        raise WeightsError(f"{url} has no hash in its name: expected …/NAME-SHA256.pth.")
    return name, found[1]


def _copies(name: str) -> Iterator[Path]:
    """This package's copy of a file, and torchvision's."""
    for folder in (cache_folder(), Path(torch.hub.get_dir()) / "checkpoints"):
        if (folder / name).is_file():
            yield folder / name


def _read(path: Path) -> nn.Module:
    """AlexNet with the weights in a file, in float32.

    Raises:
        WeightsError: no such file, not a state dict, another network's, or not finite.
    """
    if not path.is_file():
        raise WeightsError(f"{path} does not exist: check the path, or {INSTEAD}.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything
        raise WeightsError(
            f"{path} cannot be read as a PyTorch state dict ({type(error).__name__}): download it "
            f"again, or {INSTEAD}."
        ) from error
    net = _empty_alexnet()
    try:
        net.load_state_dict(state, assign=True)
        if not all(bool(torch.isfinite(p).all()) for p in net.parameters()):
            raise ValueError("it has values that are NaN or infinite")
    except Exception as error:  # torch's message has a heading, then a line for each fault
        why = str(error).strip().splitlines()[-1].strip().rstrip(". ")
        raise WeightsError(
            f"{path} does not hold the weights of torchvision's AlexNet ({why}): check the path, "
            f"or {INSTEAD}."
        ) from error
    return net.float()


def _empty_alexnet() -> nn.Module:
    """torchvision's AlexNet without weights, which takes no memory and no random numbers."""
    from torchvision.models import alexnet

    with torch.device("meta"):
        return alexnet(weights=None)


def _prepare(x: Tensor) -> Tensor:
    """A picture normalised as AlexNet was trained, (N, 3, 224, 224)."""
    if x.shape[1] == 1:
        x = x.expand(-1, 3, -1, -1)
    if x.shape[2:] != (SIDE, SIDE):
        x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)
    mean, std = (x.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (x - mean) / std


def _initialise(net: nn.Module, seed: int) -> nn.Module:
    """Every weight normal with variance 2 / fan-in, every bias 0.

    Source: He, Zhang, Ren and Sun, "Delving deep into rectifiers" (ICCV 2015).
    """
    rng = torch.Generator().manual_seed(seed)
    for p in net.parameters():
        if p.ndim > 1:
            nn.init.kaiming_normal_(p, nonlinearity="relu", generator=rng)
        else:
            nn.init.zeros_(p)
    return net


def _named_layers(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """AlexNet's layers by name, without dropout, which does nothing here."""
    number = 0
    flatten = nn.Sequential(net.avgpool, nn.Flatten(1))  # type: ignore[arg-type]
    for module in [*net.features, flatten, *net.classifier]:  # type: ignore[misc]
        if isinstance(module, nn.Conv2d | nn.Linear):
            number += 1
            yield f"{'conv' if number < 6 else 'fc'}{number}", module
        elif isinstance(module, nn.ReLU):
            yield f"relu{number}", nn.ReLU()  # in place would overwrite what the caller holds
        elif isinstance(module, nn.MaxPool2d):
            yield f"pool{number}", module
        elif not isinstance(module, nn.Dropout):
            yield "flatten", module
