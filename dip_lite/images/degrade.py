"""Damage other than noise: JPEG blocks, lost pixels, shuffled pixels.

    x0 = jpeg(x_true, quality=10)            # x0 = decode(encode(x, quality))
    x0, mask = drop_pixels(x_true, 0.5)      # x0 = m · x,  m = 0 where a pixel is lost
    x0 = shuffle_pixels(x_true)              # its pixels in random order
    x0 = white_noise(x_true)                 # another picture: uniform noise

The last two are not for repair: they are the paper's experiment on noise impedance (Ulyanov,
Vedaldi, Lempitsky, "Deep Image Prior", CVPR 2018, Fig. 2). Random numbers are drawn on the CPU from
their own seed, so they are the same on every device, and torch's global generator is left alone.
"""

import io

import numpy as np
import torch
from torch import Tensor

from .io import to_pil
from .masks import random_mask


def jpeg(x: Tensor, quality: int) -> Tensor:
    """The picture after JPEG compression at `quality`, 1 (worst) to 100 (best).

    Raises:
        ValueError: quality outside 1..100.

    >>> jpeg(torch.rand(1, 3, 20, 30), quality=10).shape
    torch.Size([1, 3, 20, 30])
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"quality must be in 1..100, got {quality}")
    from PIL import Image

    memory = io.BytesIO()
    to_pil(x).save(memory, "JPEG", quality=int(quality))
    with Image.open(memory) as decoded:
        values = np.array(decoded, dtype=np.float32) / 255
    pixels = torch.from_numpy(values.reshape(*values.shape[:2], -1))  # (H, W, C)
    return pixels.permute(2, 0, 1)[None].contiguous().to(x)  # (1, C, H, W)


def drop_pixels(x: Tensor, fraction: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Drops exactly a random `fraction` of the pixels, all channels of a pixel together.

    Returns:
        the picture with lost pixels black, and the mask (1, 1, H, W): 1 = known, 0 = lost.

    Raises:
        ValueError: fraction outside [0, 1).

    >>> x0, mask = drop_pixels(torch.ones(1, 3, 10, 10), 0.25)
    >>> float(mask.mean())
    0.75
    """
    h, w = x.shape[-2:]
    mask = random_mask((h, w), fraction, seed).to(x)
    return x * mask, mask


def shuffle_pixels(x: Tensor, seed: int = 0) -> Tensor:
    """The pixels of `x` in random order, all channels together: the same histogram, no structure.

    >>> x = torch.rand(1, 3, 16, 16)
    >>> bool(torch.equal(shuffle_pixels(x)[0, 0].flatten().sort()[0], x[0, 0].flatten().sort()[0]))
    True
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(x[0, 0].numel(), generator=generator).to(x.device)
    return x.flatten(2)[..., order].reshape(x.shape)


def white_noise(like: Tensor, seed: int = 0) -> Tensor:
    """Uniform noise in [0, 1], of the shape, type and device of `like`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(like.shape, generator=generator, dtype=torch.float32).to(like)
