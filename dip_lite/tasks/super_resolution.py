"""Super-resolution: a picture enlarged (paper, section 3.2, eq. 5).

for snap in fit(super_resolve(x0, factor=4), seconds=60): ...
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..engine.task import Energy, Task, Window
from ..images.classical_enlargement import (
    back_project,
    enlarge_classically,
    refine_enlargement,
)
from ..images.resample import upsample
from ..nets.hourglass import Hourglass
from .energies import downsampled_error, downsampler
from .inputs import Guided, check_picture, prepare
from .presets import choose, is_guided, variants

FACTORS = (2, 3, 4, 8)
MAX_SIDE = 4096  # pixels of the result
SMOOTH = 5e-4  # weight of the total variation in `fast`, for what d does not see
BACK_PROJECTIONS = 4
SHARE = 0.4  # of the network in what it is fused to
GUIDE_NEEDS = "the preset fast or tiny and a result of at most 1.5 megapixels"

PRESETS = variants(
    fast={
        "architecture": Hourglass(
            (32, 48, 48, 48, 48), skip=4, upsample="bilinear", padding="zeros", head_channels=24
        )
    },
    paper={"steps": 2000, "reg_noise_std": 0.03},  # authors' code, for factor 4
)


@dataclass(kw_only=True)
class Enlarged(Guided):
    """Super-resolution whose result, downsampled, is nearly x0.

    The network comes close to that; `postprocess` comes closer by four rounds of back-projection,
    see `back_project`.
    """

    factor: int
    kernel: str
    classical: Tensor | None = None  # what a classical method makes of x0, for `fuse`

    def postprocess(self, x: Tensor) -> Tensor:
        if self.x0 is None:
            return x
        down = downsampler(self.size, self.factor, self.kernel)
        return back_project(x, self.x0.to(x.device), down, BACK_PROJECTIONS)

    def fuse(self, x: Tensor) -> Tensor:
        """A mean with the classical picture, and from there the last turns of its method."""
        if self.classical is None or self.x0 is None:
            return x
        both = torch.lerp(self.classical, x.clamp(0, 1), SHARE)
        return refine_enlargement(both, self.x0, self.factor, self.kernel)


def super_resolve(
    x0: Tensor,
    factor: int = 4,
    *,
    kernel: str = "lanczos",
    preset: str = "fast",
    guide: str | None = None,
    seed: int = 0,
) -> Task:
    """Enlarges a picture `factor` times along each side (paper, section 3.2, Figs. 1 and 5).

    Args:
        x0: small picture, (1, C, h, w) in [0, 1]; the result is (1, C, h·factor, w·factor).
        factor: 2, 3, 4 or 8.
        kernel: how x0 was downsampled: "lanczos" (the paper's), "bicubic" or "box".
        preset: "fast" adds a little total variation to the paper's energy, and shows the network
            means of the bicubic enlargement over about 1 and 2×2 pixels of x0 beside the random z,
            see `Enlarged`; "paper" is the authors' network and settings, z alone; "tiny" is for
            tests.
        guide: "classical" fuses the result with what `images.classical_enlargement` makes of x0;
            "none" does not. The default is "classical" with `fast`, in results of up to 1.5
            megapixels, which are not fitted in tiles; elsewhere "none". `Snapshot.network` is the
            picture before the fusion.
        seed: of the random z.

    Raises:
        ValueError: an unknown factor, kernel, preset or guide, a guide where there is none, a
            picture of another shape, or one whose enlargement is over 4096 pixels a side.
    """
    x0, chosen = check_picture(x0), choose(PRESETS, preset)
    size = _result_size(x0, factor)
    if preset == "paper" and factor == 8:
        settings = replace(chosen.settings, steps=4000)
        chosen = replace(chosen, settings=settings, reg_noise_std=0.05)
    bicubic = upsample(x0, factor)
    whole = size[0] * size[1] <= chosen.settings.tile_above
    guided = is_guided(guide, preset, chosen.guided and whole, GUIDE_NEEDS)
    classical = enlarge_classically(x0, factor, kernel) if guided else None
    prepared = prepare(x0, chosen, seed, picture=bicubic, align=factor)
    if not chosen.guided:
        energy = downsampled_error(x0, size, factor, kernel)
        return prepared.task(energy, "super-resolve", guess=bicubic)

    def tile_energy(window: Window) -> Energy:
        rows, columns = (slice(s.start // factor, s.stop // factor) for s in window)
        height, width = (s.stop - s.start for s in window)
        crop = x0[..., rows, columns]
        return downsampled_error(crop, (height, width), factor, kernel, SMOOTH)

    return prepared.task(
        downsampled_error(x0, size, factor, kernel, SMOOTH),
        "super-resolve",
        Enlarged,
        guide_channels=2 * x0.shape[1],  # of `local_means`
        tile_energy=tile_energy,
        guide_cell=max(chosen.architecture.stride, 4 if factor == 3 else factor),
        factor=factor,
        kernel=kernel,
        classical=classical,
        guess=bicubic if classical is None else classical,
    )


def _result_size(x0: Tensor, factor: int) -> tuple[int, int]:
    """(H, W) of the result, if that can be fitted."""
    if factor not in FACTORS:
        raise ValueError(f"factor must be one of {', '.join(map(str, FACTORS))}, got {factor!r}")
    height, width = x0.shape[2] * factor, x0.shape[3] * factor
    if max(height, width) > MAX_SIDE:
        raise ValueError(
            f"a picture of {x0.shape[3]}×{x0.shape[2]} (W×H) enlarged {factor} times is "
            f"{width}×{height}, over {MAX_SIDE} pixels a side: crop it or use a smaller factor"
        )
    return height, width
