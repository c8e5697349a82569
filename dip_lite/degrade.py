"""The ways a picture gets spoilt, and how to tell how badly.

    noise    x0 = clip(x + σ n),  n ~ N(0, 1)         add_noise, and its inverse estimate_sigma
             x0 = clip(σ² Poisson(x/σ²))              add_poisson
             x0 = x, or 0 or 1                        salt_and_pepper, and find_impulses
    blocks   x0 = decode(encode(x, quality))          jpeg
    holes    x0 = m · x,  m = 0 where a pixel is lost drop_pixels
    shuffle  x0 = the pixels of x in random order     shuffle_pixels, white_noise

The last row is not a fault to repair: it is the paper's experiment on noise impedance (Ulyanov,
Vedaldi, Lempitsky, "Deep Image Prior", CVPR 2018, Fig. 2).

    x0 = add_noise(x_true, sigma=25 / 255, seed=0)
    estimate_sigma(x0) * 255     # about 25
    x0, mask = drop_pixels(x_true, 0.5)

Everything random takes a seed, draws on the CPU, and leaves torch's global generator alone: the
same seed spoils a picture in the same way on every device.
"""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from dip_lite.images import to_pil
from dip_lite.masks import random_mask


def add_noise(x: Tensor, sigma: float, seed: int = 0, clip: bool = True) -> Tensor:
    """Adds Gaussian noise, independent in every pixel and channel.

    Args:
        x: picture, (1, C, H, W) in [0, 1].
        sigma: standard deviation on the [0, 1] scale; write 25 / 255.
        seed: the same seed, the same noise.
        clip: clamp to [0, 1] as any file does; False keeps the noise exactly Gaussian.

    Raises:
        ValueError: sigma outside [0, 1].

    >>> x0 = add_noise(torch.full((1, 1, 256, 256), 0.5), sigma=0.1)
    >>> round(float(x0.std()), 2)
    0.1
    """
    if not 0 <= sigma <= 1:
        advice = ": divide by 255?" if 1 < sigma <= 255 else ""
        raise ValueError(f"sigma must be in [0, 1], got {sigma:g}{advice}")
    noise = torch.randn(x.shape, generator=_generator(seed), dtype=torch.float32)
    noisy = x + sigma * noise.to(x)
    return noisy.clamp(0, 1) if clip else noisy


def estimate_sigma(x: Tensor) -> float:
    """The standard deviation of the noise in a picture, from the picture alone.

    The finest diagonal wavelet coefficients d of a natural picture are nearly all noise, and the
    median does not mind the few that are edges: σ = median |d| / 0.6745 (Donoho & Johnstone,
    Biometrika 1994; db2 wavelet, as in scikit-image's function of the same name). A file clips
    its noise at black and white, which hides up to a third of it: windows nearer than 2σ to
    either are left out, so a dark picture is judged by its lighter parts.

    Returns:
        σ on the [0, 1] scale, mean over the channels. Fine texture counts as noise; a flat
        picture, or one that is all black and white, has 0.

    >>> estimate_sigma(torch.full((1, 3, 32, 32), 0.5))
    0.0
    """
    root = math.sqrt(3)
    high = torch.tensor([1 - root, root - 3, 3 + root, -1 - root]) / math.sqrt(32)
    diagonal = torch.outer(high, high)[None, None]  # (1, 1, 4, 4)
    sigmas = []
    for channel in x.detach().cpu().float().transpose(0, 1):  # each (1, H, W)
        detail = conv2d(channel[None], diagonal).abs().flatten()
        level = avg_pool2d(channel[None], 4, stride=1).flatten()  # mean of the same window
        sigma = 0.0
        for _ in range(3):  # the margin needs σ and σ needs the margin: it settles at once
            margin = 2 * sigma
            seen = detail[(level > margin) & (level < 1 - margin)]
            if len(seen) < 32:
                break
            sigma = float(seen.median()) / 0.6745
        sigmas.append(sigma)
    return round(sum(sigmas) / len(sigmas), 6)  # float32 arithmetic knows no more


def estimate_photons(x: Tensor) -> float:
    """σ at white of the photon noise in a picture (see `add_poisson`), from the picture alone.

    The root of a count has nearly the same deviation at every level, ½ (Bartlett 1936), so that of
    the picture has σ/2. Fine texture counts as noise here too.

    >>> estimate_photons(torch.full((1, 3, 32, 32), 0.5))
    0.0
    """
    return min(1.0, 2 * estimate_sigma(x.clamp(0, 1).sqrt()))


def add_poisson(x: Tensor, sigma: float, seed: int = 0) -> Tensor:
    """Photon noise: counts with mean x/σ², so that the deviation is σ at white and σ√v at level v.

    Args:
        x: picture, (1, C, H, W) in [0, 1].
        sigma: standard deviation at white, on the [0, 1] scale, above 0.
        seed: the same seed, the same noise.

    Raises:
        ValueError: sigma outside (0, 1].

    >>> x0 = add_poisson(torch.full((1, 1, 256, 256), 0.25), sigma=0.1)
    >>> round(float(x0.std()), 2)
    0.05
    """
    if not 0 < sigma <= 1:
        advice = ": divide by 255?" if 1 < sigma <= 255 else ""
        raise ValueError(f"sigma must be above 0 and at most 1, got {sigma:g}{advice}")
    counts = torch.poisson(x.detach().cpu().float() / sigma**2, generator=_generator(seed))
    return (counts * sigma**2).clamp(0, 1).to(x)


def salt_and_pepper(x: Tensor, fraction: float, seed: int = 0) -> Tensor:
    """Turns a random `fraction` of the pixels, all channels together, white or black, evenly.

    >>> x0 = salt_and_pepper(torch.full((1, 3, 10, 10), 0.5), 0.2)
    >>> int((x0 == 0.5).sum()), int((x0 != 0.5).sum())
    (240, 60)
    """
    mask = random_mask((x.shape[2], x.shape[3]), fraction, seed).to(x)
    coin = torch.rand(mask.shape, generator=_generator(seed + 1)).to(x)
    return x * mask + (1 - mask) * (coin < 0.5).to(x)


def find_impulses(x: Tensor) -> Tensor:
    """Where salt and pepper fell: pixels quite white or black amid others that are not.

    Returns:
        (1, 1, H, W): 1 = sound, 0 = black or white in some channel, and off the median of the 5×5
        pixels round it by more than 0.1.

    >>> x0 = salt_and_pepper(torch.full((1, 3, 32, 32), 0.5), 0.25)
    >>> float(find_impulses(x0).mean())
    0.75
    """
    from scipy.ndimage import median_filter

    values = x.detach().cpu().float().numpy()
    middle = median_filter(values, size=(1, 1, 5, 5), mode="reflect")
    extreme = (values < 0.5 / 255) | (values > 1 - 0.5 / 255)
    odd = extreme & (np.abs(values - middle) > 0.1)
    return torch.from_numpy(1.0 - odd.any(axis=1, keepdims=True)).float().to(x.device)


def jpeg(x: Tensor, quality: int) -> Tensor:
    """What is left of a picture after JPEG at `quality`, 1 (blocks) to 100 (hardly a trace).

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
    """Loses a random `fraction` of the pixels, exactly, all channels of a pixel together.

    Returns:
        the picture with lost pixels black, and the mask (1, 1, H, W): 1 = known, 0 = lost.

    Raises:
        ValueError: fraction outside [0, 1); something must be left to go by.

    >>> x0, mask = drop_pixels(torch.ones(1, 3, 10, 10), 0.25)
    >>> float(mask.mean())
    0.75
    """
    h, w = x.shape[-2:]
    mask = random_mask((h, w), fraction, seed).to(x)
    return x * mask, mask


def shuffle_pixels(x: Tensor, seed: int = 0) -> Tensor:
    """The pixels of `x` in random order, colours kept whole: its histogram without its structure.

    >>> x = torch.rand(1, 3, 16, 16)
    >>> bool(torch.equal(shuffle_pixels(x)[0, 0].flatten().sort()[0], x[0, 0].flatten().sort()[0]))
    True
    """
    order = torch.randperm(x[0, 0].numel(), generator=_generator(seed)).to(x.device)
    return x.flatten(2)[..., order].reshape(x.shape)


def white_noise(like: Tensor, seed: int = 0) -> Tensor:
    """A picture of nothing: uniform in [0, 1], of the shape, type and device of `like`."""
    return torch.rand(like.shape, generator=_generator(seed), dtype=torch.float32).to(like)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
