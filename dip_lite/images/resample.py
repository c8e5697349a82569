"""Making pictures smaller, differentiably, and larger, classically.

    y[j] = Σ_i k((i + ½)/f − (j + ½)) x[i] / Σ_i k((i + ½)/f − (j + ½))    along each side

with k the Lanczos kernel of 3 lobes, sinc(t)·sinc(t/3), unless asked otherwise. It is what Pillow's
`resize` computes, at the borders too: the sums run over the pixels there are. Inside the picture
every j has the same weights, so it is a convolution with stride f, and only the sums of weights
differ near the borders.

    down = Downsample((512, 512), factor=4)
    energy = ((down(x) - x0) ** 2).mean()        # the paper's data term for super-resolution
    guess = upsample(x0, factor=4)               # bicubic

Source: Ulyanov, Vedaldi, Lempitsky, "Deep Image Prior" (CVPR 2018), eq. 5; Pillow's Resample.c.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def _lanczos(t: Tensor) -> Tensor:
    return torch.where(t.abs() < 3, torch.sinc(t) * torch.sinc(t / 3), 0)


def _bicubic(t: Tensor) -> Tensor:
    """Keys' cubic, a = −½."""
    t = t.abs()
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * (t**3 - 5 * t**2 + 8 * t - 4)
    return torch.where(t < 1, near, torch.where(t < 2, far, 0))


def _box(t: Tensor) -> Tensor:
    return (t.abs() < 0.5).to(t)


# Half the width of each kernel, in pixels of the smaller picture, and the kernel.
_KERNELS: dict[str, tuple[float, Callable[[Tensor], Tensor]]] = {
    "lanczos": (3, _lanczos),
    "bicubic": (2, _bicubic),
    "box": (0.5, _box),
}
KERNELS = tuple(_KERNELS)


class Downsample:
    """Makes pictures of one size `factor` times smaller; linear and differentiable.

    It agrees with Pillow's `Image.resize` of a 32-bit float picture in [0, 1] (mode F, filters
    LANCZOS, BICUBIC, BOX) to 1e-6.

    Args:
        size: (H, W) of the large picture, multiples of `factor`.
        factor: how many times smaller, at least 2.
        kernel: "lanczos", "bicubic" or "box" (the mean of each block).

    Raises:
        ValueError: a size that is no multiple, a factor or kernel that is none of these.

    >>> down = Downsample((64, 96), factor=4)
    >>> down(torch.full((1, 3, 64, 96), 0.5)).shape
    torch.Size([1, 3, 16, 24])
    """

    def __init__(self, size: tuple[int, int], factor: int, kernel: str = "lanczos") -> None:
        _check(factor, kernel)
        h, w = size
        if h < 1 or w < 1 or h % factor or w % factor:
            raise ValueError(
                f"the large picture's sides must be multiples of the factor {factor}, got "
                f"{h}×{w} (H×W)"
            )
        self.size, self.factor, self.kernel = (h, w), factor, kernel
        self._taps, self.pad = _taps(factor, kernel)
        self._share = 1 / torch.outer(self._sums(h), self._sums(w))  # (h, w) of the small picture
        self._cache: dict[tuple[torch.device, torch.dtype, int], tuple[Tensor, ...]] = {}

    @property
    def small(self) -> tuple[int, int]:
        """(h, w) of what comes out."""
        return self.size[0] // self.factor, self.size[1] // self.factor

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H/factor, W/factor), in float32 or better, on x's device.

        Raises:
            ValueError: x has not the size that was announced.
        """
        if x.ndim != 4 or tuple(x.shape[2:]) != self.size:
            raise ValueError(
                f"expected a picture (N, C, {self.size[0]}, {self.size[1]}), got {tuple(x.shape)}"
            )
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        x = x.contiguous(memory_format=torch.channels_last)  # 3 times faster, copy included
        (column, row, share), f, p = self._tensors(x), self.factor, self.pad
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 would not do
            x = F.conv2d(x, column, stride=(f, 1), padding=(p, 0), groups=x.shape[1])
            x = F.conv2d(x, row, stride=(1, f), padding=(0, p), groups=x.shape[1])
        return x * share  # (N, C, h, w)

    def _sums(self, side: int) -> Tensor:
        """Of the taps that fall inside the picture, for each small pixel: (side/factor,)."""
        ones = torch.ones(1, 1, side, dtype=torch.float64)
        return F.conv1d(ones, self._taps[None, None], None, self.factor, self.pad).flatten()

    def _tensors(self, x: Tensor) -> tuple[Tensor, ...]:
        """A column of taps and a row of taps for each channel, and 1 / sums, to go with x."""
        key = (x.device, x.dtype, x.shape[1])
        if key not in self._cache:
            row = self._taps.to(x.dtype).to(x.device).expand(x.shape[1], 1, 1, -1)
            share = self._share.to(x.dtype).to(x.device)
            self._cache[key] = (row.transpose(2, 3), row, share)
        return self._cache[key]


def upsample(x0: Tensor, factor: int, kernel: str = "bicubic") -> Tensor:
    """The classical guess: a picture `factor` times larger, (1, C, h·factor, w·factor) in [0, 1].

    It agrees with Pillow's `Image.resize` of a 32-bit float picture (mode F, same filter), clamped,
    to 1e-6.

    Args:
        x0: the small picture, (1, C, h, w) in [0, 1].
        factor: how many times larger, at least 2.
        kernel: "bicubic", "lanczos" or "box" (each pixel repeated).

    Raises:
        ValueError: a factor or kernel that is none of these.

    >>> upsample(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2), factor=2)[0, 0, 0]
    tensor([0.0000, 0.2071, 0.7929, 1.0000])
    """
    _check(factor, kernel)
    taps, p = _taps(factor, kernel)
    row = taps.to(x0.dtype).to(x0.device).expand(x0.shape[1], 1, 1, -1)

    def enlarge(x: Tensor) -> Tensor:  # the adjoint of making smaller, but for the sums
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.conv_transpose2d(x, row.mT, None, (factor, 1), (p, 0), groups=x.shape[1])
        return F.conv_transpose2d(x, row, None, (1, factor), (0, p), groups=x.shape[1])

    return (enlarge(x0) / enlarge(torch.ones_like(x0))).clamp(0, 1)


def _taps(factor: int, kernel: str) -> tuple[Tensor, int]:
    """Weights of one small pixel, (factor + 2·pad,) float64, and pad, how many beyond its block."""
    support, function = _KERNELS[kernel]
    pad = math.ceil((support - 0.5) * factor - 0.5)
    offsets = torch.arange(-pad, factor + pad, dtype=torch.float64)
    return function((offsets + 0.5) / factor - 0.5), pad


def _check(factor: int, kernel: str) -> None:
    if not isinstance(factor, int) or factor < 2:
        raise ValueError(f"factor must be a whole number of at least 2, got {factor!r}")
    if kernel not in _KERNELS:
        raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, got {kernel!r}")
