"""Flash and no-flash: the structure of one picture, the light of another (paper, section 3.5).

for snap in fit(flash_no_flash(load("dark.jpg"), load("flash.jpg")), seconds=60): ...
"""

from torch import Tensor

from ..engine.task import Task
from ..images.io import check_same_size, match_channels
from .inputs import check_picture, guided_task, prepare
from .presets import choose, variants

# edges come from the flash picture; a z that changes so much cannot carry noise
_OURS = {"min_delta": 0.1, "reg_noise_std": 1.0}
PRESETS = variants(
    fast=_OURS,
    tiny=_OURS,
    paper={"z": "picture", "reg_noise_std": 0.0, "steps": 600, "lr": 0.1},  # authors' code
)


def flash_no_flash(x0: Tensor, flash: Tensor, *, preset: str = "fast", seed: int = 0) -> Task:
    """Denoises a picture taken in dim light with the help of one taken with flash.

    E(x) = mean (x − x0)², and the network sees the flash picture: it finds the edges there and
    learns the light from x0.

    Args:
        x0: no-flash picture, (1, C, H, W) in [0, 1]: the right light, noisy.
        flash: flash picture of the same scene and size: sharp, the wrong light.
        preset: "fast" has a random z beside the flash picture; "paper" has the flash picture alone
            (600 steps); "tiny" is for tests.
        seed: of the random z.

    Raises:
        PictureError: the two differ in size.
        ValueError: an unknown preset, a picture of another shape.
    """
    chosen, x0 = choose(PRESETS, preset), check_picture(x0)
    flash = check_picture(flash, "flash")
    check_same_size(x0, flash, "flash picture")
    return guided_task(prepare(x0, chosen, seed, picture=match_channels(flash, x0)), "flash")
