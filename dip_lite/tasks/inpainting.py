"""Inpainting: text, scratches, holes, scattered pixels (paper, section 3.3, eq. 6).

mask = load_mask("mask.png", x0)         # 1 = known, 0 = missing; in the file white is missing
for snap in fit(inpaint(x0, mask), seconds=60): ...
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ..images import pad_reflect
from ..masks import check_mask, fill, kind_of
from ..nets import Hourglass, build
from ..task import Energy, Place, Settings, Task, randn
from .common import SETTINGS, SHAPES, Z_CHANNELS, Tiled, check_picture, random_input, tiles

KINDS = ("scattered", "thin", "hole")
ENERGIES = ("hidden", "mse")

# by kind, for two cores: a hole wants depth, and no skips to carry the known past the unknown
NETS = {
    "scattered": Hourglass((32,) * 5, skip=4, upsample="nearest", padding="zeros", finish=32),
    "thin": Hourglass((32,) * 5, skip=4, upsample="nearest", padding="zeros", finish=32),
    "hole": Hourglass(
        (32, 32, 64, 64, 64, 64), skip=0, upsample="nearest", padding="zeros", finish=16
    ),
}
# and the authors', with their steps, learning rate and reg (their code for barbara, kate and vase)
PAPER_NETS = {
    "scattered": Hourglass((128,) * 5, skip=4, upsample="bilinear"),
    "thin": Hourglass((128,) * 5, skip=128, upsample="nearest"),
    "hole": Hourglass((128,) * 5, skip=0, upsample="nearest"),
}
PAPER_SETTINGS = {"scattered": (11000, 0.001), "thin": (6000, 0.01), "hole": (5000, 0.01)}


def masked_error(x0: Tensor, mask: Tensor) -> Energy:
    """E(x) = Σ m·(x − x0)² / Σ m, m any weights of x0's height and width (paper, eq. 6)."""
    total = (float(mask.sum()) or 1.0) * x0.shape[1]  # 0 in a window that lies in a hole

    def energy(x: Tensor) -> Tensor:
        nonlocal x0, mask
        x0, mask = x0.to(x.device), mask.to(x.device)  # moved once, not at every step
        return ((x - x0).square() * mask).sum() / total

    return energy


@dataclass
class Masked(Tiled):
    """Inpainting by the paper's own energy: the known pixels and a random z, nothing else."""

    known: Tensor = field(default_factory=lambda: torch.empty(0))  # (1, 1, H, W), the mask
    keep: bool = True  # whether known pixels are returned as given

    def distance(self, x: Tensor) -> float:
        """To the known pixels; the others are not x0's."""
        if self.x0 is None:
            return 0.0
        known = self.known.to(x.device)
        return float(((x - self.x0.to(x.device)).square() * known).mean())

    def finish(self, x: Tensor) -> Tensor:
        """Puts the known pixels back as they were given."""
        if not self.keep or self.x0 is None:
            return x
        known = self.known.to(x.device)
        return x * (1 - known) + self.x0.to(x.device) * known


@dataclass
class Hidden(Masked):
    """Inpainting in which the network practises on pixels that are known, but hidden from it.

    Each step hides some of the known pixels, h = 1, beside the missing ones, shows the network
    what is left, m·(1 − h)·x0 with a coarse guess in the gaps, beside the random z, and asks for
    all that is known, above all for what was hidden:

        E(x) = Σ w·(x − x0)² / Σ w,      w = m·(h + 0.1·(1 − h))

    So filling gaps is what it learns, of this picture from this picture. Scattered gaps are
    imitated by hiding 5 to 20 % of the known pixels at random; strokes and holes by hiding what the
    mask's own shape covers when it is moved elsewhere.

    Source: the masked energy is the paper's (eq. 6); hiding known pixels is the idea of Quan, Chen,
    Pang and Ji, "Self2Self with dropout" (CVPR 2020).
    """

    cut: ClassVar[tuple[str, ...]] = ("padded", "mask")

    mask: Tensor = field(default_factory=lambda: torch.empty(0))  # (1, 1, H, W), as `padded`
    moved: int = 0  # how many moved copies of the mask's own shape hide pixels; 0: chance does

    def draw(self, rng: torch.Generator) -> tuple[Tensor, Energy]:
        shown = self.mask * self._shown(rng)
        z = self.z + self.reg * randn(self.z.shape, rng)
        z = torch.cat([z, gaps(self.padded, shown, self.stride)], dim=1)
        weight = self.mask - 0.9 * shown
        height, width = self.size
        energy = masked_error(self.padded[..., :height, :width], weight[..., :height, :width])
        return z.contiguous(memory_format=torch.channels_last), energy

    def _shown(self, rng: torch.Generator) -> Tensor:
        """1 where this step does not hide, (1, 1, H, W)."""
        if self.moved:
            shown = torch.ones_like(self.mask)
            for chance in torch.rand((self.moved, 4), generator=rng, device=rng.device).tolist():
                shown = shown * _moved(self.mask, chance)
            return shown
        chances = torch.rand(self.mask.shape, generator=rng, device=rng.device)
        rate = 0.05 + 0.15 * float(chances[0, 0, 0, 0])
        return (chances > rate).float()


def _moved(mask: Tensor, chance: list[float]) -> Tensor:
    """A mask shifted round its borders and perhaps flipped."""
    shifts = int(chance[0] * mask.shape[2]), int(chance[1] * mask.shape[3])
    flips = [dim for dim, flip in zip((2, 3), chance[2:], strict=True) if flip < 0.5]
    return mask.roll(shifts, dims=(2, 3)).flip(flips)


def gaps(x: Tensor, shown: Tensor, stride: int = 2) -> Tensor:
    """A picture with gaps as an input `stride` times smaller, about unit variance.

    The gaps are filled from averages over 2×2, 4×4, … of what is shown.

    (1, C, H, W), (1, 1, H, W) → (1, (stride² + 2)·C + stride², H/stride, W/stride)
    """
    values, counts = [x * shown], [shown]
    while min(values[-1].shape[2:]) % 2 == 0 and len(values) < 7:
        values.append(F.avg_pool2d(values[-1], 2))
        counts.append(F.avg_pool2d(counts[-1], 2))
    y = torch.where(counts[-1] > 0, values[-1] / counts[-1].clamp(min=1e-6), 0.5)
    levels = [y]  # coarsest first
    for value, count in zip(values[-2:0:-1], counts[-2:0:-1], strict=True):
        y = F.interpolate(y, size=value.shape[2:], mode="bilinear")
        y = (value + 0.1 * y) / (count + 0.1)
        levels.append(y)
    filled = values[0] + (1 - shown) * F.interpolate(y, size=x.shape[2:], mode="bilinear")
    height, width = x.shape[2] // stride, x.shape[3] // stride
    # the levels of 4×4 and 8×8; that of 2×2 is in `filled`
    coarse = [F.interpolate(4 * (y - 0.5), (height, width), mode="bilinear") for y in levels[-3:-1]]
    return torch.cat(
        [
            F.pixel_unshuffle(4 * (filled - 0.5), stride),
            F.pixel_unshuffle(2 * shown, stride),
            *coarse,
        ],
        dim=1,
    )


def inpaint(
    x0: Tensor,
    mask: Tensor,
    *,
    kind: str | None = None,
    keep_known: bool = True,
    preset: str = "fast",
    energy: str | None = None,
    seed: int = 0,
) -> Task:
    """Fills in what is missing (paper, section 3.3 and Figs. 6 to 8).

    Args:
        x0: picture, (1, C, H, W) in [0, 1]; what it holds at missing pixels is not looked at.
        mask: (1, 1, H, W), 1 = known, 0 = missing.
        kind: "scattered" pixels, "thin" strokes or a "hole"; None: `masks.kind_of` tells from how
            deep the missing pixels lie and how their neighbours go with them. It picks the network
            (for a hole one scale more, wider, and no skips), the energy, and how known pixels are
            hidden.
        keep_known: return known pixels exactly as given.
        preset: "fast", "paper" (which the authors' network and settings depend on the kind, too) or
            "tiny".
        energy: "mse" is the paper's, mean m·(x − x0)² from a random z alone; "hidden" practises on
            known pixels, see `Hidden`. Of strokes and scattered pixels, of which it can hide many
            like them, "hidden" makes more and is the default of `fast`; of a hole, which has no
            single right filling, it makes a blur, and "mse" is the default.
        seed: of the random z.

    Raises:
        ValueError: a mask of another size, one that hides nothing or everything, an unknown kind,
            preset or energy, a picture of another shape.
    """
    check_mask(mask, x0)  # first: it says what is wrong with what
    x0 = torch.where(mask > 0, x0.detach().float(), 0.0)
    check_picture(x0, preset)
    kind = kind or kind_of(mask)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    energy = energy or default_energy(kind, preset)
    if energy not in ENERGIES:
        raise ValueError(f"energy must be one of {', '.join(ENERGIES)}, got {energy!r}")
    shape = {"fast": NETS, "paper": PAPER_NETS}.get(preset, {}).get(kind, SHAPES["tiny"])
    colours = x0.shape[1]
    padded, size = pad_reflect(torch.cat([x0, mask], dim=1), shape.multiple, least=2)
    if (preset, kind) == ("paper", "hole"):
        z = grid(padded)
    else:
        z = random_input(padded, shape, Z_CHANNELS[preset], seed, uniform=preset == "paper")
    seen = (shape.stride**2 + 2) * colours + shape.stride**2 if energy == "hidden" else 0
    common: dict[str, Any] = {
        "net": partial(build, shape, z.shape[1] + seen, colours),
        "z": z,
        "size": size,
        "x0": x0,
        "guess": fill(x0, mask),
        "reg": 0.03 if preset == "paper" else 0.1 if energy == "mse" else 0.3,
        "name": "inpaint",
        "preset": preset,
        "settings": _settings(preset, kind),
        "padded": padded[:, :colours],
        "known": mask,
        "keep": keep_known,
    }
    if preset != "paper":
        common["places"] = tiles(padded, shape.multiple, seed)

    def local(place: Place) -> Energy:
        return masked_error(*(t[..., place[0], place[1]] for t in (x0, mask)))

    if energy == "mse":
        return Masked(masked_error(x0, mask), local=local, **common)
    common |= {"mask": padded[:, colours:], "moved": 0 if kind == "scattered" else 4}
    return Hidden(masked_error(x0, mask), **common)


def default_energy(kind: str, preset: str) -> str:
    """Which of `ENERGIES` a mask of that kind is filled with, unless told."""
    return "mse" if preset == "paper" or kind == "hole" else "hidden"


def _settings(preset: str, kind: str) -> Settings:
    if preset == "paper":
        steps, lr = PAPER_SETTINGS[kind]
        return replace(SETTINGS["paper"], steps=steps, lr=lr)
    return replace(SETTINGS[preset], gain=0.3 if kind == "hole" else 0.0)


def grid(padded: Tensor) -> Tensor:
    """Rows and columns from 0 to 1 as z, (1, 2, H, W), for smooth fillings (authors' code)."""
    rows, columns = (torch.linspace(0, 1, side) for side in padded.shape[2:])
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None]
