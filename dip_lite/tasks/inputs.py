"""From a degraded picture to everything a task is made of: `prepare`, in one visit.

    prepared = prepare(x0, preset, seed=0)
    prepared.padded, prepared.size, prepared.z, prepared.windows
    task = prepared.task(squared_error(x0), name="deblur")

Beside the random z a network may see a *guide*: a picture that shows where the structure is.

    guide_features(x)   pixels and local means of a picture, at the resolution of z
    gap_guide(x, m)     the same of a picture with gaps, filled coarsely
    Guided              a task that shows the network a guide with fresh noise at every step
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ..engine.task import Energy, Task, Window, randn
from ..engine.tiling import Tiled, plan_tiles
from ..images.io import pad_reflect
from ..nets.hourglass import build
from .energies import squared_error
from .presets import Preset

KINDS = ("normal", "uniform", "grid", "meshgrid", "picture")
T = TypeVar("T", bound=Task)


@dataclass(frozen=True)
class Prepared:
    """A picture ready to be fitted."""

    x0: Tensor  # (1, C, h, w), the degraded picture
    preset: Preset
    padded: Tensor  # (1, C, H, W), to multiples of the network's size divisor
    size: tuple[int, int]  # of the result
    z: Tensor  # the network's fixed input, (1, C_z, H/stride, W/stride)
    windows: list[Window]  # the tiles of a large picture, or none

    def task(
        self,
        energy: Energy,
        name: str,
        kind: type[T] = Task,  # type: ignore[assignment]
        guide_channels: int = 0,
        **fields: Any,
    ) -> T:
        """A task of this picture.

        Args:
            energy: of the whole picture.
            name: for reports.
            kind: `Task`, or a subclass of it.
            guide_channels: how many channels the network sees beside z.
            fields: further fields of `kind`, or others than the preset's.
        """
        c_in, c_out = self.z.shape[1] + guide_channels, self.x0.shape[1]
        common: dict[str, Any] = {
            "net": partial(build, self.preset.architecture, c_in, c_out),
            "z": self.z,
            "size": self.size,
            "settings": self.preset.settings,
            "reg_noise_std": self.preset.reg_noise_std,
            "x0": self.x0,
            "name": name,
            "preset": self.preset.name,
        }
        if issubclass(kind, Tiled):
            common |= {"padded": self.padded, "windows": self.windows}
        return kind(energy, **{**common, **fields})


def prepare(
    x0: Tensor, preset: Preset, seed: int = 0, *, picture: Tensor | None = None, align: int = 1
) -> Prepared:
    """Pads a picture, draws z and plans tiles, as a preset wants them.

    Args:
        x0: degraded picture, (1, C, h, w) in [0, 1].
        preset: says which network it is for, and which z.
        seed: of z and of the tiles' order.
        picture: (1, C', H, W), what is padded and shown, where that is not x0 itself.
        align: tiles start at multiples of this, in pixels.
    """
    picture, architecture = x0 if picture is None else picture, preset.architecture
    divisor = architecture.size_divisor
    padded, size = pad_reflect(picture, divisor, architecture.min_multiples)
    windows: list[Window] = []
    if preset.tiled and (windows := plan_tiles(padded, divisor, preset.settings, seed)):
        if align > 1:
            divisor = math.lcm(divisor, align)
            padded, size = pad_reflect(picture, divisor, architecture.min_multiples)
            windows = plan_tiles(padded, divisor, preset.settings, seed)
    z = make_input(preset.z, padded, architecture.stride, preset.z_channels, seed)
    return Prepared(x0, preset, padded, size, z, windows)


def make_input(kind: str, padded: Tensor, stride: int, channels: int, seed: int) -> Tensor:
    """z for a padded picture.

    Args:
        kind: "normal", of unit variance, from which the light network learns faster than from
            "uniform", the authors' U(0, 1)·0.1; "grid", rows and columns from −1 to 1; "meshgrid",
            the authors', from 0 to 1; "picture", the padded picture itself.
        padded: (1, C, H, W).
        stride: pixels of the picture per pixel of z, along each side.
        channels: of a random z.
        seed: of a random z.

    Returns:
        (1, channels, H/stride, W/stride); a grid has 2 channels, a picture its own.
    """
    if kind not in KINDS:
        raise ValueError(f"z must be one of {', '.join(KINDS)}, got {kind!r}")
    if kind == "picture":
        return padded
    height, width = (side // stride for side in padded.shape[2:])
    if "grid" in kind:
        rows, columns = torch.linspace(0, 1, height), torch.linspace(0, 1, width)
        mesh = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None]
        return mesh if kind == "meshgrid" else 2 * mesh - 1
    rng = torch.Generator().manual_seed(seed)
    if kind == "uniform":
        return 0.1 * torch.rand((1, channels, height, width), generator=rng)
    return randn(torch.Size((1, channels, height, width)), rng)


def check_picture(x0: Tensor, name: str = "x0") -> Tensor:
    """The picture, detached and in float32.

    Raises:
        ValueError: it is no picture that a task can be made of, in one sentence.
    """
    if x0.ndim != 4 or x0.shape[0] != 1 or x0.shape[1] not in (1, 3) or min(x0.shape[2:]) < 16:
        raise ValueError(
            f"{name} must be one picture (1, 1 or 3, H, W) of at least 16 pixels a side, got "
            f"{tuple(x0.shape)}: dip_lite.load makes one from a file or an array"
        )
    if not (torch.isfinite(x0).all() and x0.min() >= -1e-3 and x0.max() <= 1 + 1e-3):
        raise ValueError(
            f"{name} must lie in [0, 1] without NaN, got {float(x0.min()):g} to {float(x0.max()):g}"
        )
    return x0.detach().float()


@dataclass(kw_only=True)
class Guided(Tiled):
    """The network also sees a picture, `padded`: a first guess, or one of the same scene.

    It shows where the structure is, so that the network need not find it from noise. Fresh noise
    keeps the network from handing the picture through as it is.
    """

    guide_noise_std: float = 0.025  # of that noise, on the [0, 1] scale
    guide_cell: int = 0  # side in pixels of the smallest means shown; 0: the pixels are shown, too

    def sample_step(self, rng: torch.Generator) -> tuple[Tensor, Energy]:
        noisy = self.padded + self.guide_noise_std * randn(self.padded.shape, rng)
        if self.guide_cell:
            shown = local_means(noisy, self.stride, self.guide_cell)
        else:
            shown = guide_features(noisy, self.stride)
        return beside(super().sample_step(rng)[0], shown), self.energy


def guided_task(prepared: Prepared, name: str, **fields: Any) -> Task:
    """The task of fitting x0 itself, E(x) = mean (x − x0)², with a guide if the preset has one.

    Args:
        prepared: whose `padded` is the guide.
        name: for reports.
        fields: of `Guided`, such as `guide_noise_std`.
    """
    x0, preset = prepared.x0, prepared.preset
    if not preset.guided:
        return prepared.task(squared_error(x0), name)

    def tile_energy(window: Window) -> Energy:
        return squared_error(x0[..., window[0], window[1]])

    channels = guide_channels(preset.architecture.stride, x0.shape[1])
    return prepared.task(
        squared_error(x0), name, Guided, channels, tile_energy=tile_energy, **fields
    )


def beside(z: Tensor, shown: Tensor) -> Tensor:
    """z and a guide as one input, in channels_last order."""
    return torch.cat([z, shown], dim=1).contiguous(memory_format=torch.channels_last)


def guide_features(x: Tensor, stride: int = 2) -> Tensor:
    """A picture as an input `stride` times smaller, of about unit variance.

    (1, C, H, W) → (1, (stride² + 2)·C, H/stride, W/stride)
    """
    return torch.cat([F.pixel_unshuffle(4 * (x - 0.5), stride), local_means(x, stride)], dim=1)


def guide_channels(stride: int, colours: int) -> int:
    """How many channels `guide_features` makes."""
    return (stride**2 + 2) * colours


def local_means(x: Tensor, stride: int = 2, cell: int = 4) -> Tensor:
    """A picture's means over cells of cell² and (2·cell)² pixels, of about unit variance.

    (1, C, H, W) → (1, 2·C, H/stride, W/stride)
    """
    fine = F.avg_pool2d(4 * (x - 0.5), cell)
    size = x.shape[2] // stride, x.shape[3] // stride
    means = (fine, F.avg_pool2d(fine, 2))
    return torch.cat([F.interpolate(y, size, mode="bilinear") for y in means], dim=1)


def gap_guide(x: Tensor, shown: Tensor, stride: int = 2) -> Tensor:
    """A picture with gaps as an input `stride` times smaller, of about unit variance.

    The gaps are filled from means over 2×2, 4×4, … of what is shown.

    (1, C, H, W), (1, 1, H, W) → (1, (stride² + 2)·C + stride², H/stride, W/stride)
    """
    sums, counts = [x * shown], [shown]
    while min(sums[-1].shape[2:]) % 2 == 0 and len(sums) < 7:
        sums.append(F.avg_pool2d(sums[-1], 2))
        counts.append(F.avg_pool2d(counts[-1], 2))
    y = torch.where(counts[-1] > 0, sums[-1] / counts[-1].clamp(min=1e-6), 0.5)
    levels = [y]  # coarsest first
    for total, count in zip(sums[-2:0:-1], counts[-2:0:-1], strict=True):
        y = F.interpolate(y, size=total.shape[2:], mode="bilinear")
        y = (total + 0.1 * y) / (count + 0.1)
        levels.append(y)
    filled = sums[0] + (1 - shown) * F.interpolate(y, size=x.shape[2:], mode="bilinear")
    height, width = x.shape[2] // stride, x.shape[3] // stride
    # the levels of 4×4 and 8×8; that of 2×2 is in `filled`
    coarse = [F.interpolate(4 * (y - 0.5), (height, width), mode="bilinear") for y in levels[-3:-1]]
    pixels = F.pixel_unshuffle(4 * (filled - 0.5), stride)
    return torch.cat([pixels, F.pixel_unshuffle(2 * shown, stride), *coarse], dim=1)


def gap_guide_channels(stride: int, colours: int) -> int:
    """How many channels `gap_guide` makes."""
    return guide_channels(stride, colours) + stride**2
