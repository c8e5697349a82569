"""JPEG artifacts removed (paper, section 3.1 and Fig. 3: the snail).

for snap in fit(remove_jpeg(load("blocky.jpg")), seconds=60): ...
"""

from torch import Tensor

from ..engine.task import Task
from ..nets.hourglass import Hourglass
from .inputs import check_picture, guided_task, prepare
from .presets import choose, variants

PRESETS = variants(
    fast={"min_delta": 0.15},
    tiny={"min_delta": 0.15},
    paper={
        # the authors' network for the snail has skips at its coarse scales only; ours everywhere
        "architecture": Hourglass((8, 16, 32, 64, 128), skip=4, upsample="bilinear"),
        "z_channels": 3,
        "steps": 2400,
    },
)
GUIDE_NOISE_STD = 20 / 255


def remove_jpeg(x0: Tensor, *, preset: str = "fast", seed: int = 0) -> Task:
    """Removes the blocks and ripples of JPEG, blindly: E(x) = mean (x − x0)², stopped in time.

    Args:
        x0: picture that has been through JPEG, (1, C, H, W) in [0, 1].
        preset: "fast" shows the network x0 with a little noise beside the random z; "paper" is
            close to the authors' settings (2400 steps), z alone; "tiny" is for tests.
        seed: of the random z.

    Raises:
        ValueError: an unknown preset, a picture of another shape.
    """
    x0, chosen = check_picture(x0), choose(PRESETS, preset)
    return guided_task(prepare(x0, chosen, seed), "jpeg", guide_noise_std=GUIDE_NOISE_STD)
