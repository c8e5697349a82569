"""The encoder-decoder (hourglass) of the paper, and a light variant of it.

A network f_θ here is an encoder-decoder: at each scale a `down` half halves the picture, an `up`
half doubles it again, and a thin `skip` branch hands detail across (paper, supplementary Fig. 21):

    z ──down──┬──────────── up ── x̂            one scale, drawn once;
              down ─┬── up                     the next scale hangs
                    …                          between its halves

`Hourglass` describes one by its channels per scale, `build` makes it:

    net = build(Hourglass(channels=(32,) * 5, head_channels=16), c_in=8, c_out=3)
    x = net(torch.randn(1, 8, 128, 128))      # (1, 3, 256, 256): twice z, in [0, 1]

With `head_channels` = 0 it is the authors' network, whose output is as large as z. Otherwise the
scales work at half the picture's resolution, and one light stage ends at full resolution, where a
channel costs four times as much and there is nothing to represent but noise.

Source: Ulyanov, Vedaldi and Lempitsky, "Deep Image Prior" (CVPR 2018), and their public code.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # of every LeakyReLU (authors' code)
UPSAMPLE = ("nearest", "bilinear", "deconvolution", "none")


class Architecture(Protocol):
    """What every description of a network offers: `Hourglass`, and those in `baselines`."""

    @property
    def stride(self) -> int:
        """Pixels of the picture to one of z, along each side."""

    @property
    def size_divisor(self) -> int:
        """What the picture's sides must be a multiple of (the engine pads to it)."""

    @property
    def min_multiples(self) -> int:
        """How many of those multiples a side must have."""

    def module(self, c_in: int, c_out: int) -> nn.Module:
        """A fresh network, see `build`."""


@dataclass(frozen=True)
class Hourglass:
    """A network's description; `build` turns it into a module.

    Raises:
        ValueError: from the constructor, with what was given and what is allowed.
    """

    channels: tuple[int, ...] = (128,) * 5  # per scale, first the finest (authors' default)
    # channels of each skip branch: per scale, or one number for all (4: authors' default); 0: none
    skip: int | tuple[int, ...] = 4
    # or "nearest"; "deconvolution", which is learnt; "none", the same layers at full resolution
    # throughout, where dilated kernels stand for strides and there is no head
    upsample: str = "bilinear"
    padding: str = "reflect"  # of every convolution, or "zeros"
    head_channels: int = (
        0  # channels of the light full-resolution stage; 0: none, z is of full size
    )
    kernel: int = 3  # side of the downward convolutions' kernels, odd (5 for the paper's library)
    mix: bool = True  # a 1×1 convolution after each upward one (none for the paper's library)

    def __post_init__(self) -> None:
        if not self.channels or min(self.channels) < 1:
            raise ValueError(f"channels must be one positive number a scale, got {self.channels}")
        if len(self.skips) != len(self.channels):
            raise ValueError(
                f"skip must be one number for all scales or one number per scale, got "
                f"{len(self.skips)} for {len(self.channels)} scales"
            )
        if not all(isinstance(skip, int) for skip in self.skips):
            raise ValueError(f"skip must be whole numbers of channels, got {self.skip}")
        if min(self.skips) < 0 or self.head_channels < 0:
            raise ValueError(
                f"skip and head_channels must be ≥ 0, got {self.skip} and {self.head_channels}"
            )
        if self.upsample not in UPSAMPLE:
            raise ValueError(f"upsample must be {' or '.join(UPSAMPLE)}, got {self.upsample!r}")
        if self.upsample == "none" and self.head_channels:
            raise ValueError(
                f"upsample 'none' needs head_channels 0, since a head doubles the picture, got "
                f"{self.head_channels}"
            )
        if self.padding not in ("zeros", "reflect"):
            raise ValueError(f"padding must be zeros or reflect, got {self.padding!r}")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd and ≥ 1, got {self.kernel}")

    @property
    def skips(self) -> tuple[int, ...]:
        """Channels of the skip branch of each scale, first the finest."""
        if isinstance(self.skip, (tuple, list)):
            return tuple(self.skip)
        return (self.skip,) * len(self.channels)

    @property
    def stride(self) -> int:
        """Pixels of the picture to one of z, along each side."""
        return 2 if self.head_channels else 1

    @property
    def size_divisor(self) -> int:
        """What the picture's sides must be a multiple of (the engine pads to it)."""
        return self.stride * 2 ** len(self.channels)

    @property
    def min_multiples(self) -> int:
        """How many of those multiples a side must have; a norm needs cells, a reflection more."""
        return max(2, self.kernel // 2 + 1 if self.padding == "reflect" else 0)

    def module(self, c_in: int, c_out: int) -> nn.Module:
        """A fresh network, see `build`."""
        body, wide = Scale(self, 0, c_in), self.channels[0]
        if self.head_channels:
            return nn.Sequential(
                body, FullResHead(wide, self.head_channels, c_out, self), nn.Sigmoid()
            )
        return nn.Sequential(body, _conv(wide, c_out, 1, self), nn.Sigmoid())


def build(shape: Architecture, c_in: int, c_out: int) -> nn.Module:
    """A freshly initialised network from (1, c_in, H/stride, W/stride) to (1, c_out, H, W).

    Draws its weights from PyTorch's global generator, as layers do; `fit` seeds that for the time
    of the call.
    """
    return shape.module(c_in, c_out)


def _conv(
    c_in: int,
    c_out: int,
    size: int,
    shape: Hourglass,
    stride: int = 1,
    bias: bool = True,
    scale: int = 0,
) -> nn.Conv2d:
    """A convolution that keeps the size, or halves it with stride 2.

    Without upsampling it keeps the size always, and a kernel at `scale` has as many pixels between
    its taps as it would have had after so many halvings.
    """
    if (size, stride) == (1, 1):
        return Pointwise(c_in, c_out, 1, bias=bias)
    mode: Any = shape.padding if size > 1 else "zeros"
    stride, apart = (1, 2**scale) if shape.upsample == "none" else (stride, 1)
    return nn.Conv2d(
        c_in, c_out, size, stride, size // 2 * apart, apart, padding_mode=mode, bias=bias
    )  # fmt: skip


class Pointwise(nn.Conv2d):
    """A 1×1 convolution as a matrix product, which is faster in channels_last on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias)  # (1, H, W, c_out)
        return y.permute(0, 3, 1, 2)


def _block(
    c_in: int, c_out: int, size: int, shape: Hourglass, stride: int = 1, scale: int = 0
) -> nn.Sequential:
    """Convolution, batch norm, LeakyReLU: the brick of the paper's figure.

    A norm takes away what a bias adds. The authors' network has biases all the same; the light one
    saves their gradients.
    """
    conv = _conv(c_in, c_out, size, shape, stride, not shape.head_channels, scale)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.LeakyReLU(SLOPE, inplace=True))


def _doubler(channels: int, mode: str) -> nn.Module:
    """(1, C, H, W) → (1, C, 2H, 2W), or the same where nothing was halved."""
    if mode == "none":
        return nn.Identity()
    if mode == "deconvolution":
        return nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1)
    return nn.Upsample(scale_factor=2, mode=mode)


class Scale(nn.Module):
    """One scale of the hourglass, with all coarser ones inside it."""

    def __init__(self, shape: Hourglass, index: int, c_in: int) -> None:
        super().__init__()
        wide, last = shape.channels[index], index + 1 == len(shape.channels)
        skip = shape.skips[index]
        below = wide if last else shape.channels[index + 1]
        self.enlarge = _doubler(below, shape.upsample)
        self.skip = _block(c_in, skip, 1, shape) if skip else None
        self.down = nn.Sequential(
            _block(c_in, wide, shape.kernel, shape, stride=2, scale=index),
            _block(wide, wide, shape.kernel, shape, scale=index + 1),
        )
        self.deeper = None if last else Scale(shape, index + 1, wide)
        self.norm = nn.BatchNorm2d(skip + below)
        self.folded = _is_folded(shape)
        mixing = [_block(wide, wide, 1, shape)] if shape.mix else []
        self.up = nn.Sequential(_block(skip + below, wide, 3, shape, scale=index), *mixing)

    def forward(self, x: Tensor) -> Tensor:
        y = self.down(x)  # (1, wide, H/2, W/2)
        if self.deeper is not None:
            y = self.deeper(y)  # (1, below, H/2, W/2)
        skip = None if self.skip is None else self.skip(x)  # (1, skip, H, W)
        if self.folded and not self.enlarge._forward_hooks:  # unless somebody wants to see it
            return self._folded(skip, y)
        y = self.enlarge(y)  # (1, below, H, W)
        if skip is not None:
            y = torch.cat([skip, y], dim=1)  # (1, skip + below, H, W)
        return self.up(self.norm(y))  # (1, wide, H, W)

    def _folded(self, skip: Tensor | None, y: Tensor) -> Tensor:
        """The same without the doubled tensor: norm and convolution act on each channel alone.

        Equal in outputs and gradients; the running variance has 1/(n − 1) of a quarter of the n.
        """
        block = self.up[0]
        assert isinstance(block, nn.Sequential)
        conv = block[0]
        assert isinstance(conv, nn.Conv2d)
        channels = 0 if skip is None else skip.shape[1]
        first, others = slice(0, channels), slice(channels, None)
        out = doubled_conv(self._normalise(y, others), conv.weight[:, others], conv.bias)
        if skip is not None:
            out = out + F.conv2d(self._normalise(skip, first), conv.weight[:, first], padding=1)
        return self.up[1:](block[1:](out))  # (1, wide, H, W)

    def _normalise(self, x: Tensor, channels: slice) -> Tensor:
        """What `norm` does to some of its channels."""
        norm = self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        return F.batch_norm(
            x,
            norm.running_mean[channels],
            norm.running_var[channels],
            norm.weight[channels],
            norm.bias[channels],
            training=self.training,
            eps=norm.eps,
        )


class FullResHead(nn.Module):
    """The light last stage: from half the resolution to the picture's own.

    The norm stands before the doubling, where it costs a quarter: repeating every value four times
    changes neither mean nor variance. With "nearest" and zero padding the doubled tensor is never
    made: see `doubled_conv`.
    """

    def __init__(self, c_in: int, wide: int, c_out: int, shape: Hourglass) -> None:
        super().__init__()
        self.narrow = nn.Sequential(_conv(c_in, wide, 1, shape, bias=False), nn.BatchNorm2d(wide))
        self.detail = _block(wide, wide, 3, shape)
        self.colour = _conv(wide, c_out, 1, shape)
        self.enlarge = _doubler(wide, shape.upsample)
        self.folded = _is_folded(shape)

    def forward(self, x: Tensor) -> Tensor:
        y = self.narrow(x)  # (1, wide, H, W)
        if not self.folded:
            return self.colour(self.detail(self.enlarge(y)))  # (1, c_out, 2H, 2W)
        conv, norm, act = self.detail
        assert isinstance(conv, nn.Conv2d)
        return self.colour(act(norm(doubled_conv(y, conv.weight))))  # (1, c_out, 2H, 2W)


def _is_folded(shape: Hourglass) -> bool:
    """Whether upsampling and the convolution after it are one, see `doubled_conv`."""
    return shape.upsample == "nearest" and shape.padding == "zeros"


def doubled_conv(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Nearest upsampling ×2 and a 3×3 convolution in one, from the low resolution.

    A pixel of x reaches 4×4 pixels of the result, so both are one transposed convolution of stride
    2 whose kernel has the sums of the weights that fall on copies of one pixel. It multiplies 4
    times per output and channel, not 9, and the doubled tensor is never made.

    Args:
        x: (1, C, H, W).
        weight, bias: (O, C, 3, 3) and (O,) of the convolution that is meant, padded with zeros.

    Returns:
        (1, O, 2H, 2W)

    >>> x, weight = torch.randn(1, 2, 4, 4), torch.randn(5, 2, 3, 3)
    >>> y = F.conv2d(F.interpolate(x, scale_factor=2), weight, padding=1)
    >>> bool(torch.allclose(doubled_conv(x, weight), y, atol=1e-5))
    True
    """
    sums = _SUMS.to(weight)  # (4, 3)
    kernel = torch.einsum("ocij,ki,lj->cokl", weight, sums, sums)  # (C, O, 4, 4)
    return F.conv_transpose2d(x, kernel, bias, stride=2, padding=1)


# which of the three taps of a convolution each of the four of the transposed one adds up
_SUMS = torch.tensor([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=torch.float32)
