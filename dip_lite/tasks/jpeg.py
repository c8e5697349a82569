"""JPEG artifacts removed (paper, section 3.1 and Fig. 3: the snail).

for snap in fit(remove_jpeg(load("blocky.jpg"), file="blocky.jpg"), seconds=60): ...
"""

import os
import warnings
from dataclasses import dataclass, replace

from torch import Tensor

from ..engine.task import Energy, Task, Window
from ..errors import PictureError, PictureWarning
from ..images.deblocking import FREE, deblock_classically, equivalent_sigma
from ..images.jpeg import JpegConstraint
from ..images.jpeg_file import find_jpeg, read_jpeg
from ..nets.hourglass import Hourglass
from .energies import quantization_error
from .fusion import blend
from .inputs import Guided, check_picture, guide_channels, guided_task, prepare
from .presets import choose, variants

PRESETS = variants(
    fast={"min_delta": 0.15},
    tiny={"min_delta": 0.15},
    paper={
        "architecture": Hourglass((8, 16, 32, 64, 128), skip=(0, 0, 0, 4, 4), upsample="bilinear"),
        "z_channels": 3,
        "steps": 2400,
    },
)
GUIDE_NOISE_STD = 20 / 255
SHARE, DISAGREEMENT = 0.6, 0.3  # of the network, see `blend`; the second in units of σ²
ANOTHER = 4.0  # grey levels outside a file's constraints that make x0 another picture
ALIGN = 16  # pixels, the largest block of JPEG's colors

File = str | os.PathLike[str] | bytes | JpegConstraint


@dataclass(kw_only=True)
class Deblocked(Guided):
    """The network has to make a picture that compresses to the file it came from.

    With d the DCT coefficients of x, c·q those in the file and q its steps,

        E(x) = mean max(0, |d − c·q| − q/2)²

    There are no blocks to be learnt then, as in mean (x − x0)², where each is part of x0. The
    network sees what a classical method makes of the file, with fresh noise, beside the random z;
    the result is a mean of both, projected onto the constraints.
    """

    constraint: JpegConstraint
    classical: Tensor  # (1, C, H, W), what `deblock_classically` makes of x0

    def fuse(self, x: Tensor) -> Tensor:
        """The network's picture and the classical one, as the file allows."""
        tolerance = DISAGREEMENT * equivalent_sigma(self.constraint) ** 2
        mean = blend(x, self.classical, SHARE, tolerance)
        return self.constraint.to(x.device).project(mean, FREE)


def remove_jpeg(
    x0: Tensor,
    *,
    file: File | None = None,
    blind: bool = False,
    preset: str = "fast",
    seed: int = 0,
) -> Task:
    """Removes the blocks and ripples of JPEG.

    The file tells within half a step where every DCT coefficient of the original lay. The energy
    of `fast` and `tiny` is zero where all of them do, see `Deblocked`. Where there is no such
    file, or `blind` is set, it is the paper's, mean (x − x0)², and the run is stopped in time.

    Args:
        x0: picture that has been through JPEG, (1, C, H, W) in [0, 1].
        file: the JPEG file that x0 was loaded from: a path, its content, or what `read_jpeg` made
            of it. Without it `find_jpeg` looks whether the pixels tell. What is no JPEG, has CMYK
            or unusual colors, or is turned and so large that it is fitted in tiles, is restored
            blindly, with a `PictureWarning` that says why.
        blind: use neither the file nor what the pixels tell.
        preset: "fast" shows the network a picture with a little noise beside the random z; "paper"
            has the authors' network and settings for the snail (2400 steps), z alone, always
            blind; "tiny" is for tests.
        seed: of the random z.

    Raises:
        ValueError: an unknown preset, a picture of another shape, the file of another picture.
    """
    x0, chosen = check_picture(x0), choose(PRESETS, preset)
    constraint = None if blind or not chosen.guided else find_constraint(x0, file)
    if constraint is not None and constraint.orientation != 1:
        if prepare(x0, chosen, seed, align=ALIGN).windows:
            message = "The picture is large and its file turned: artifacts are removed blindly."
            warnings.warn(message, PictureWarning, stacklevel=2)
            constraint = None  # the file's blocks do not start where tiles do
    if constraint is None:
        return guided_task(prepare(x0, chosen, seed), "jpeg", guide_noise_std=GUIDE_NOISE_STD)
    classical = deblock_classically(x0, constraint)
    prepared = prepare(x0, chosen, seed, picture=classical, align=ALIGN)

    def tile_energy(window: Window) -> Energy:
        return quantization_error(constraint.crop(*window))

    return prepared.task(
        quantization_error(constraint),
        "jpeg",
        Deblocked,
        guide_channels(chosen.architecture.stride, x0.shape[1]),
        tile_energy=tile_energy,
        guide_noise_std=GUIDE_NOISE_STD,
        settings=replace(chosen.settings, min_delta=0.0),  # there are no blocks to stop before
        constraint=constraint,
        classical=classical,
        guess=classical,
    )


def find_constraint(x0: Tensor, file: File | None = None) -> JpegConstraint | None:
    """What is known of the file that x0 came from; None if nothing is.

    A `PictureWarning` says why the file given is of no use, where the pixels do not tell either.

    Raises:
        ValueError: the file holds another picture.
    """
    if file is None:
        return find_jpeg(x0)
    try:
        found = file if isinstance(file, JpegConstraint) else read_jpeg(file)
    except PictureError as error:
        if (from_pixels := find_jpeg(x0)) is None:
            message = f"{error} Artifacts are removed blindly."
            warnings.warn(message, PictureWarning, stacklevel=3)
        return from_pixels
    (height, width), planes = found.size, len(found.planes)
    if (height, width) != tuple(x0.shape[2:]) or planes != x0.shape[1]:
        raise ValueError(
            f"the file holds a picture of {planes}×{height}×{width} (C×H×W), but x0 is "
            f"{'×'.join(map(str, x0.shape[1:]))}: give the file that x0 was loaded from"
        )
    if (distance := 255 * float(found.squared_excess(x0)) ** 0.5) > ANOTHER:
        raise ValueError(
            f"x0 is {distance:.1f} grey levels from the picture in the file: give the file that "
            f"x0 was loaded from"
        )
    return found
