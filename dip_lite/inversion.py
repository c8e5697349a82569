"""A frozen AlexNet as a probe: what does a layer know of a picture?

    probe = Probe("random")                       # or "imagenet", or a file
    y = probe.features(x, "conv3")                # (1, 384, 13, 13)
    energy = feature_error(probe, "conv3", x0)    # energy(x) → scalar
    Φ is `features` up to a layer,    E(x) = ‖Φ(x) − Φ(x0)‖² / ‖Φ(x0)‖²

Many pictures have the same features. Which one a minimiser of E comes upon is up to its prior: that
is the experiment in the paper's section on natural pre-images, after Mahendran and Vedaldi,
"Understanding deep image representations by inverting them" (CVPR 2015).

The network is torchvision's. Without its weights an AlexNet drawn as He et al. propose is nearly as
good a probe, see He, Wang and Hopcroft, "A powerful generative model using random weights for the
deep image representation" (NIPS 2016); `Probe.name` says which it is, for the titles of figures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .task import Energy
from .weights import URL, WeightsError, cached, fetch, load_alexnet

__all__ = ["LAYERS", "SIDE", "Probe", "WeightsError", "cached", "feature_error"]

# in the order of a forward pass; poolN follows reluN where there is one
LAYERS = (
    "conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3", "relu3", "conv4", "relu4",
    "conv5", "relu5", "pool5", "fc6", "relu6", "fc7", "relu7", "fc8",
)  # fmt: skip
SIDE = 224  # pixels, of what AlexNet is shown
MEAN = (0.485, 0.456, 0.406)  # of ImageNet's red, green and blue
DEVIATION = (0.229, 0.224, 0.225)


class Probe:
    """An AlexNet whose weights never change.

    Args:
        weights: "random" (He initialisation, biases zero), "imagenet" (downloaded once, 233 MB) or
            the path of a state dict with torchvision's layout.
        seed: of the random weights; PyTorch's global generator is left as it is.
        url: where "imagenet" comes from.

    Attributes:
        weights: as given.
        name: for titles, such as "AlexNet with random weights".

    Raises:
        WeightsError: the weights are not to be had; one sentence, for the user.
    """

    def __init__(
        self, weights: str | os.PathLike[str] = "random", seed: int = 0, *, url: str = URL
    ) -> None:
        from torchvision.models import alexnet

        self.weights = str(weights)
        kind = {"random": "with random weights", "imagenet": "trained on ImageNet"}
        self.name = f"AlexNet {kind.get(self.weights, f'from {Path(weights).name}')}"
        path = fetch(url) if self.weights == "imagenet" else weights
        state = None if self.weights == "random" else load_alexnet(path)
        with torch.device("meta"):  # no memory and no random numbers for weights that won't stay
            net = alexnet(weights=None)
        if state is None:
            net = _initialise(net.to_empty(device="cpu"), seed)
        else:
            net.load_state_dict(state, assign=True)
        self.net = net.eval().requires_grad_(False)
        self._steps = list(_steps(self.net))

    def features(self, x: Tensor, layer: str) -> Tensor:
        """The outputs of a layer, differentiable in x; what comes after it is not computed.

        Args:
            x: picture, (1, 1 or 3, H, W) in [0, 1]; any size, it is resized to 224².
            layer: one of `LAYERS`.

        Returns:
            (1, C, h, w), or (1, C) from fc6 on.

        Raises:
            ValueError: a layer that AlexNet has not, or an x that is no picture.
        """
        if layer not in LAYERS:
            raise ValueError(f"layer must be one of {', '.join(LAYERS)}, got {layer!r}")
        if x.ndim != 4 or x.shape[1] not in (1, 3):
            raise ValueError(f"expected a picture (1, 1 or 3, H, W), got shape {tuple(x.shape)}")
        self.net.to(x.device)
        y = _prepare(x.float())
        for name, module in self._steps:
            y = module(y)
            if name == layer:
                break
        return y


def feature_error(probe: Probe, layer: str, x0: Tensor) -> Energy:
    """E(x) = ‖Φ(x) − Φ(x0)‖² / ‖Φ(x0)‖²: 0 where a layer sees no difference, 1 for no features.

    Raises:
        ValueError: an unknown layer, or one that has no answer at all to x0.
    """
    if not bool(torch.isfinite(x0).all()):
        raise ValueError("the picture has values that are NaN or infinite")
    with torch.no_grad():
        wanted = probe.features(x0.detach().float(), layer).clone()
    scale = wanted.square().sum()
    if not scale > 0:
        raise ValueError(f"{layer} gives nothing but zeros for this picture: take another layer")

    def feature_distance(x: Tensor) -> Tensor:
        nonlocal wanted, scale
        wanted, scale = wanted.to(x.device), scale.to(x.device)  # moved once, not at every step
        return (probe.features(x, layer) - wanted).square().sum() / scale

    return feature_distance


def _prepare(x: Tensor) -> Tensor:
    """A picture as AlexNet was trained to see it, (N, 3, 224, 224)."""
    if x.shape[1] == 1:
        x = x.expand(-1, 3, -1, -1)
    if x.shape[2:] != (SIDE, SIDE):
        x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)
    mean, deviation = (x.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    return (x - mean) / deviation


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


def _steps(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """AlexNet's layers by name; dropout, which does nothing here, is left out."""
    number = 0
    flatten = nn.Sequential(net.avgpool, nn.Flatten(1))  # type: ignore[arg-type]
    for module in [*net.features, flatten, *net.classifier]:  # type: ignore[misc]
        if isinstance(module, nn.Conv2d | nn.Linear):
            number += 1
            yield f"{'conv' if number < 6 else 'fc'}{number}", module
        elif isinstance(module, nn.ReLU):
            yield f"relu{number}", nn.ReLU()  # in place, it would spoil what a caller holds
        elif isinstance(module, nn.MaxPool2d):
            yield f"pool{number}", module
        elif not isinstance(module, nn.Dropout):
            yield "flatten", module
