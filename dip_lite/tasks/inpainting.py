"""Inpainting: text, scratches, holes, scattered pixels (paper, section 3.3, eq. 6).

mask = load_mask("mask.png", x0)         # 1 = known, 0 = missing; in the file white is missing
for snap in fit(inpaint(x0, mask), seconds=60): ...
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..engine.task import Energy, Task, Window
from ..engine.tiling import Tiled
from ..images.classical_inpainting import inpaint_classically, refine
from ..images.masks import check_mask, fill, kind_of
from ..nets.hourglass import Hourglass
from .energies import masked_error
from .inputs import beside, check_picture, gap_guide, gap_guide_channels, prepare
from .presets import choose, is_guided, variants

KINDS = ("scattered", "thin", "hole")
ENERGIES = ("held-out", "mse")
WITHHELD = 0.02  # fraction of the known pixels that tell how much each picture weighs; of few more:
MIN_WITHHELD, MAX_WITHHELD = 400, 0.1  # pixels; fraction
BLOCK = 16  # pixels, the side of the blocks in which strokes are withheld

_WIDE = Hourglass((32,) * 5, skip=4, upsample="nearest", padding="zeros", head_channels=32)
# a hole wants depth, and no skips to carry the known past the unknown
_DEEP = Hourglass(
    (32, 32, 64, 64, 64, 64), skip=0, upsample="nearest", padding="zeros", head_channels=16
)
_AUTHORS = {"energy": "mse", "reg_noise_std": 0.03}
PRESETS = {  # by kind; `paper` as the authors' code for barbara, kate and vase
    "scattered": variants(
        fast={"architecture": _WIDE, "energy": "held-out"},
        tiny={"energy": "held-out"},
        paper={
            **_AUTHORS,
            "architecture": Hourglass((128,) * 5, skip=4, upsample="bilinear"),
            "steps": 11000,
            "lr": 0.001,
        },
    ),
    "thin": variants(
        fast={"architecture": _WIDE, "energy": "held-out"},
        tiny={"energy": "held-out"},
        paper={
            **_AUTHORS,
            "architecture": Hourglass((128,) * 5, skip=128, upsample="nearest"),
            "steps": 6000,
        },
    ),
    "hole": variants(
        fast={"architecture": _DEEP, "energy": "mse", "min_delta": 0.3},
        tiny={"energy": "mse", "min_delta": 0.3},
        paper={
            **_AUTHORS,
            "architecture": Hourglass((128,) * 5, skip=0, upsample="nearest"),
            "z": "meshgrid",
            "steps": 5000,
        },
    ),
}
REG_NOISE_STD = {"mse": 0.1, "held-out": 0.3}  # of `fast` and `tiny`
MASK_COPIES = 4  # shifted copies of strokes or holes that hide known pixels


@dataclass(kw_only=True)
class Masked(Tiled):
    """Inpainting by the paper's own energy: the known pixels and a random z, nothing else."""

    known: Tensor  # (1, 1, H, W) of the picture's size, the mask
    keep_known: bool = True  # whether known pixels are returned as given

    def distance(self, x: Tensor) -> Tensor:
        """To the known pixels; x0 has nothing at the others."""
        if self.x0 is None:
            return x.new_zeros(())
        known = self.known.to(x.device)
        return ((x - self.x0.to(x.device)).square() * known).mean()

    def postprocess(self, x: Tensor) -> Tensor:
        """Puts the known pixels back as they were given."""
        if not self.keep_known or self.x0 is None:
            return x
        known = self.known.to(x.device)
        return x * (1 - known) + self.x0.to(x.device) * known


@dataclass(kw_only=True)
class HeldOut(Masked):
    """Inpainting in which the network is trained on known pixels that are hidden from it.

    Each step hides some of the known pixels, h = 1, beside the missing ones, shows the network
    what is left, m·(1 − h)·x0 with a coarse guess in the gaps, beside the random z, and asks for
    all that is known, above all for what was hidden:

        E(x) = Σ w·(x − x0)² / Σ w,      w = m·(h + 0.1·(1 − h))

    So what it learns is to fill gaps, in this picture from this picture. Scattered gaps are
    imitated by hiding 5 to 20 % of the known pixels at random; strokes and holes by hiding what the
    mask's own shape covers when it is shifted elsewhere.

    Source: the masked energy is the paper's (eq. 6); hiding known pixels is the idea of Quan, Chen,
    Pang and Ji, "Self2Self with dropout" (CVPR 2020).
    """

    tiled_fields: ClassVar[tuple[str, ...]] = ("padded", "mask")

    mask: Tensor  # (1, 1, H, W), shaped as `padded`
    mask_copies: int = 0  # how many shifted copies of the mask hide pixels; 0: random pixels
    classical: Tensor | None = None  # what a classical method makes of x0, for `fuse`
    withheld: Tensor | None = None  # (1, 1, H, W), 1 at known pixels that neither has seen

    def sample_step(self, rng: torch.Generator) -> tuple[Tensor, Energy]:
        shown = self.mask * self._not_hidden(rng)
        z = beside(super().sample_step(rng)[0], gap_guide(self.padded, shown, self.stride))
        weight = self.mask - 0.9 * shown
        height, width = self.size
        return z, masked_error(self.padded[..., :height, :width], weight[..., :height, :width])

    def fuse(self, x: Tensor) -> Tensor:
        """A mean with the classical picture, and from there the last turns of its method.

        Their weights are those that are best at known pixels which were shown to neither.
        """
        if self.classical is None or self.withheld is None or self.x0 is None:
            return x
        share = best_share(x.clamp(0, 1), self.classical, self.x0, self.withheld)
        return refine(torch.lerp(self.classical, x.clamp(0, 1), share), self.x0, self.known)

    def _not_hidden(self, rng: torch.Generator) -> Tensor:
        """1 where this step does not hide, (1, 1, H, W)."""
        if self.mask_copies:
            shown = torch.ones_like(self.mask)
            draws = torch.rand((self.mask_copies, 4), generator=rng, device=rng.device)
            for draw in draws.tolist():
                shown = shown * _shifted(self.mask, draw)
            return shown
        draws = torch.rand(self.mask.shape, generator=rng, device=rng.device)
        rate = 0.05 + 0.15 * float(draws[0, 0, 0, 0])
        return (draws > rate).float()


def best_share(x: Tensor, guide: Tensor, x0: Tensor, withheld: Tensor) -> float:
    """The w, from 0 to 1, for which w·x + (1 − w)·guide is nearest to x0.

    Args:
        x: the network's picture, (1, C, H, W).
        guide: the classical one.
        x0: the picture.
        withheld: (1, 1, H, W), 1 at pixels of x0 that were shown to neither.
    """
    step = (x - guide) * withheld
    share = ((x0 - guide) * step).sum() / step.square().sum().clamp(min=1e-12)
    return float(share.clamp(0, 1))


def withhold(mask: Tensor, kind: str, seed: int) -> Tensor:
    """Which known pixels are shown to nobody: some at random, or pieces of the strokes, shifted.

    Args:
        mask: (1, 1, H, W), 1 = known, 0 = missing.
        kind: one of `KINDS`.
        seed: of the choice.

    Returns:
        (1, 1, H, W), 1 = withheld.
    """
    rng = torch.Generator().manual_seed(seed)
    candidates, draws = mask, torch.rand(mask.shape, generator=rng)
    if kind != "scattered":
        candidates = mask * (1 - _shifted(mask, torch.rand(4, generator=rng).tolist()))
        height, width = mask.shape[2:]
        draws = draws[..., ::BLOCK, ::BLOCK]
        draws = draws.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)[..., :height, :width]
    known, possible = float(mask.sum()), max(1.0, float(candidates.sum()))
    number = min(max(WITHHELD * known, MIN_WITHHELD), MAX_WITHHELD * known)
    return candidates * (draws < number / possible)


def _shifted(mask: Tensor, draw: list[float]) -> Tensor:
    """A mask shifted round its borders and perhaps flipped, by four numbers from 0 to 1."""
    shifts = int(draw[0] * mask.shape[2]), int(draw[1] * mask.shape[3])
    flips = [dim for dim, flip in zip((2, 3), draw[2:], strict=True) if flip < 0.5]
    return mask.roll(shifts, dims=(2, 3)).flip(flips)


def inpaint(
    x0: Tensor,
    mask: Tensor,
    *,
    kind: str | None = None,
    keep_known: bool = True,
    preset: str = "fast",
    energy: str | None = None,
    guide: str | None = None,
    seed: int = 0,
) -> Task:
    """Fills in what is missing (paper, section 3.3 and Figs. 6 to 8).

    Args:
        x0: picture, (1, C, H, W) in [0, 1]; what it holds at missing pixels is ignored.
        mask: (1, 1, H, W), 1 = known, 0 = missing.
        kind: "scattered" pixels, "thin" strokes or a "hole"; None: `masks.kind_of` decides from
            how deep the missing pixels lie and how they cluster. It picks the network (for a hole
            one scale more, wider, and no skips), the energy, and how known pixels are hidden.
        keep_known: return known pixels exactly as given.
        preset: "fast", "paper" (the authors' network and settings, which depend on the kind too)
            or "tiny".
        energy: "mse" is the paper's, mean m·(x − x0)² from a random z alone; "held-out" is
            trained on known pixels hidden from it, see `HeldOut`. "held-out" is better for strokes
            and scattered pixels, and the default of `fast` there. A hole has no single right
            filling: "held-out" blurs it, so "mse" is the default.
        guide: "classical" fuses the result with what `images.classical_inpainting` makes of x0;
            "none" does not. The default is "classical" with `fast`, "held-out" and `keep_known`, in
            pictures of up to 1.5 megapixels, which are not fitted in tiles; elsewhere "none".
            `Snapshot.network` is the picture before the fusion.
        seed: of the random z.

    Raises:
        ValueError: a mask of another size, one that hides nothing or everything, an unknown kind,
            preset, energy or guide, a guide where there is none, a picture of another shape.
    """
    x0 = known_pixels(x0, mask)
    kind = kind or kind_of(mask)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    chosen = choose(PRESETS[kind], preset)
    energy = energy or chosen.energy
    if energy not in ENERGIES:
        raise ValueError(f"energy must be one of {', '.join(ENERGIES)}, got {energy!r}")
    whole = not chosen.tiled or x0.shape[2] * x0.shape[3] <= chosen.settings.tile_above
    can_guide = energy == "held-out" and keep_known and whole
    needs = "the energy held-out, known pixels kept and at most 1.5 megapixels"
    guided = is_guided(guide, preset, can_guide, needs)
    withheld = withhold(mask, kind, seed) if guided else torch.zeros_like(mask)
    shown = mask - withheld
    prepared = prepare(x0, chosen, seed, picture=torch.cat([x0, shown], dim=1))
    padded, padded_mask = prepared.padded.split([x0.shape[1], 1], dim=1)

    def tile_energy(window: Window) -> Energy:
        return masked_error(*(t[..., window[0], window[1]] for t in (x0, mask)))

    classical = inpaint_classically(x0, shown) if guided else None
    guess = fill(x0, mask) if classical is None else torch.where(mask > 0, x0, classical)
    fields = {"padded": padded, "known": mask, "keep_known": keep_known, "guess": guess}
    if preset != "paper":
        fields["reg_noise_std"] = REG_NOISE_STD[energy]
    data = masked_error(x0, mask)
    if energy == "mse":
        return prepared.task(data, "inpaint", Masked, tile_energy=tile_energy, **fields)
    channels = gap_guide_channels(chosen.architecture.stride, x0.shape[1])
    copies = 0 if kind == "scattered" else MASK_COPIES
    fields |= {"mask": padded_mask, "mask_copies": copies}
    fields |= {"classical": classical, "withheld": withheld}
    return prepared.task(data, "inpaint", HeldOut, channels, **fields)


def known_pixels(x0: Tensor, mask: Tensor) -> Tensor:
    """A checked picture, black where it is missing.

    Raises:
        ValueError: a mask that is not one of x0's, a picture of another shape.
    """
    check_mask(mask, x0)
    return check_picture(torch.where(mask > 0, x0.detach().float(), 0.0))


def default_energy(kind: str, preset: str) -> str:
    """Which of `ENERGIES` fills a mask of that kind by default."""
    return choose(PRESETS[kind], preset).energy
