"""The architectures the hourglass is compared with, and `NETS`, all of them by name.

The paper asks which networks make a good prior by filling a large hole with several (section 3.3,
Fig. 8): encoder-decoders of growing depth, a ResNet and a U-Net. Here they are, with later rivals:

    Hourglass   the encoder-decoder, of depth 1 to 6, with and without skips (`hourglass`)
    ResNet      blocks with identity skips, all at full resolution
    UNet        an encoder-decoder whose skips hand over everything
    DeepDecoder no encoder and no convolution wider than a pixel (Heckel and Hand, ICLR 2019)
    PlainConvNet plain convolutions at full resolution: no scales, no upsampling
    Perceptron  a pixel's coordinates in, its colour out

    net = build(NETS["unet"], c_in=8, c_out=3)
    reach(NETS["depth-2"])                    # 22 pixels
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from .hourglass import SLOPE, Architecture, Hourglass

# channels per scale, of which the first so many are taken; the authors have 128 in the last three,
# where most of a step would go into moving the weights
CHANNELS = (16, 32, 64, 64, 64, 64)


class _Flat:
    """Descriptions of networks without scales: z is as large as the picture, which is any size."""

    stride = 1
    size_divisor = 1
    min_multiples = 2


@dataclass(frozen=True)
class ResNet(_Flat):
    """Residual blocks at full resolution (authors' code, library)."""

    blocks: int = 8
    channels: int = 32

    def __post_init__(self) -> None:
        _positive(self, "blocks", "channels")

    def module(self, c_in: int, c_out: int) -> nn.Module:
        """(1, c_in, H, W) → (1, c_out, H, W)"""
        wide = self.channels
        return nn.Sequential(
            _conv(c_in, wide, 3),
            nn.LeakyReLU(SLOPE),
            *[_Residual(wide) for _ in range(self.blocks)],
            _conv(wide, wide, 3),
            nn.BatchNorm2d(wide),
            _conv(wide, c_out, 3),
            nn.Sigmoid(),
        )


class _Residual(nn.Module):
    """x + f(x)"""

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            _conv(wide, wide, 3),
            nn.BatchNorm2d(wide),
            nn.LeakyReLU(SLOPE),
            _conv(wide, wide, 3),
            nn.BatchNorm2d(wide),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)


@dataclass(frozen=True)
class UNet:
    """Encoder-decoder with full skips, deconvolution and instance norm (authors' code, library)."""

    channels: tuple[int, ...] = (8, 16, 32, 64, 128, 128)  # per level, first the finest
    stride: ClassVar[int] = 1
    min_multiples: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not self.channels or min(self.channels) < 1:
            raise ValueError(f"channels must be one positive number a level, got {self.channels}")

    @property
    def size_divisor(self) -> int:
        return 2 ** (len(self.channels) - 1)

    def module(self, c_in: int, c_out: int) -> nn.Module:
        """(1, c_in, H, W) → (1, c_out, H, W)"""
        head = nn.Conv2d(self.channels[0], c_out, 1)
        return nn.Sequential(_Level(self.channels, c_in), head, nn.Sigmoid())


class _Level(nn.Module):
    """One level of a U-Net, with all coarser ones inside it."""

    def __init__(self, channels: tuple[int, ...], c_in: int) -> None:
        super().__init__()
        wide, deeper = channels[0], channels[1:]
        self.encode = _pair(c_in, wide)
        self.deeper: _Level | None = None
        if deeper:
            self.deeper = _Level(deeper, wide)
            self.pool = nn.MaxPool2d(2)
            self.enlarge = nn.ConvTranspose2d(deeper[0], wide, 4, stride=2, padding=1)
            self.decode = _pair(2 * wide, wide)

    def forward(self, x: Tensor) -> Tensor:
        x = self.encode(x)  # (1, wide, H, W)
        if self.deeper is None:
            return x
        y = self.enlarge(self.deeper(self.pool(x)))  # (1, wide, H, W)
        return self.decode(torch.cat([x, y], dim=1))


def _pair(c_in: int, wide: int) -> nn.Sequential:
    """Twice: convolution, norm over the picture, ReLU.

    The norm is a batch norm, which for one picture is an instance norm, and is defined at 1×1 too.
    """
    first = [_conv(c_in, wide, 3), nn.BatchNorm2d(wide), nn.ReLU()]
    return nn.Sequential(*first, _conv(wide, wide, 3), nn.BatchNorm2d(wide), nn.ReLU())


@dataclass(frozen=True)
class DeepDecoder:
    """1×1 convolutions and bilinear upsampling alone, from a small z: it cannot learn much noise.

    Source: Heckel and Hand, "Deep Decoder" (ICLR 2019).
    """

    channels: int = 64
    levels: int = 5
    min_multiples: ClassVar[int] = 2

    def __post_init__(self) -> None:
        _positive(self, "channels", "levels")

    @property
    def stride(self) -> int:
        return 2**self.levels

    @property
    def size_divisor(self) -> int:
        return self.stride

    def module(self, c_in: int, c_out: int) -> nn.Module:
        """(1, c_in, H/stride, W/stride) → (1, c_out, H, W)"""
        layers: list[nn.Module] = []
        for level in range(self.levels + 1):
            layers.append(nn.Conv2d(c_in if level == 0 else self.channels, self.channels, 1))
            if level < self.levels:
                layers.append(nn.Upsample(scale_factor=2, mode="bilinear"))
            layers += [nn.ReLU(), nn.BatchNorm2d(self.channels)]
        return nn.Sequential(*layers, nn.Conv2d(self.channels, c_out, 1), nn.Sigmoid())


@dataclass(frozen=True)
class PlainConvNet(_Flat):
    """Plain convolutions at full resolution; of size 1 they see one pixel each."""

    depth: int = 8
    channels: int = 32
    size: int = 3  # side of the kernels, odd

    def __post_init__(self) -> None:
        _positive(self, "depth", "channels", "size")
        if self.size % 2 == 0:
            raise ValueError(f"size must be odd, got {self.size}")

    def module(self, c_in: int, c_out: int) -> nn.Module:
        """(1, c_in, H, W) → (1, c_out, H, W)"""
        layers: list[nn.Module] = []
        for layer in range(self.depth):
            layers.append(_conv(c_in if layer == 0 else self.channels, self.channels, self.size))
            layers += [nn.BatchNorm2d(self.channels), nn.LeakyReLU(SLOPE)]
        return nn.Sequential(*layers, _conv(self.channels, c_out, 1), nn.Sigmoid())


@dataclass(frozen=True)
class Perceptron(PlainConvNet):
    """A multilayer perceptron of every pixel by itself; give it coordinates as z."""

    depth: int = 4
    channels: int = 64
    size: int = 1


def reach(shape: Architecture, side: int = 256) -> int:
    """How far the input is that a pixel of the output depends on: the receptive field's radius.

    Found from the gradient of the middle pixel with norms at rest (in a fit they also pass on the
    mean and the variance of the whole picture, which say nothing of places).

    Args:
        shape: a description of a network.
        side: of the picture; a larger radius than half of it is returned as half of it.

    Returns:
        the radius in pixels of the picture.

    >>> reach(PlainConvNet(depth=3), side=32)  # three convolutions of 3×3
    3
    """
    net = shape.module(1, 1).eval().requires_grad_(False)
    z = torch.rand(1, 1, side // shape.stride, side // shape.stride, requires_grad=True)
    middle = side // 2
    net(z)[..., middle, middle].sum().backward()
    assert z.grad is not None
    rows = z.grad[0, 0].abs().sum(1).nonzero()
    first, last = int(rows.min()) * shape.stride, (int(rows.max()) + 1) * shape.stride - 1
    return min(max(middle - first, last - middle), side // 2)


def _positive(shape: object, *names: str) -> None:
    for name in names:
        if getattr(shape, name) < 1:
            raise ValueError(f"{name} must be at least 1, got {getattr(shape, name)}")


def _conv(c_in: int, c_out: int, size: int) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, size, padding=size // 2)


def _library(depth: int, **more: object) -> Hourglass:
    """The authors' encoder-decoder for the hole in the library, of that depth.

    It is padded with zeros where theirs reflects, so that six scales fit into 128 pixels.
    """
    plain = {"skip": 0, "upsample": "nearest", "padding": "zeros", "kernel": 5, "mix": False}
    return Hourglass(CHANNELS[:depth], **{**plain, **more})  # type: ignore[arg-type]


# by name, as the paper's figure has them; `depth-6` is the reference the others depart from
NETS: dict[str, Architecture] = {
    "light": Hourglass((16, 32, 32, 32, 32), 4, "nearest", "zeros", head_channels=16),
    **{f"depth-{depth}": _library(depth) for depth in range(1, 7)},
    "skip-4": _library(6, skip=4),
    "skip-64": _library(6, skip=64),
    "bilinear": _library(6, upsample="bilinear"),
    "deconvolution": _library(6, upsample="deconvolution"),
    "resnet": ResNet(),
    "unet": UNet(),
    "deep-decoder": DeepDecoder(),
    "plain-conv": PlainConvNet(),
    "perceptron": Perceptron(),
}
