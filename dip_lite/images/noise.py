"""Noise: added to a picture, and estimated from one.

    Gaussian         x0 = clip(x + σ n),  n ~ N(0, 1)     add_noise        estimate_sigma
    photon           x0 = clip(σ² Poisson(x/σ²))          add_poisson      estimate_photons
    salt and pepper  x0 = x, or 0 or 1                    salt_and_pepper  find_impulses

    x0 = add_noise(x_true, sigma=25 / 255, seed=0)
    estimate_sigma(x0) * 255     # about 25

Noise is drawn on the CPU from its own seed, so it is the same on every device, and torch's global
generator is left alone.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from .masks import random_mask


def noise_level(value: float) -> float:
    """A noise level as people write it, on the [0, 1] scale: from 1 on it is in grey levels of 255.

    Raises:
        ValueError: value outside [0, 255].

    >>> noise_level(51), noise_level(0.2), round(noise_level(1), 4)
    (0.2, 0.2, 0.0039)
    """
    if not 0 <= value <= 255:
        raise ValueError(f"a noise level must be from 0 to 255 grey levels, got {value:g}")
    return value if value < 1 else value / 255


def add_noise(x: Tensor, sigma: float, seed: int = 0, clip: bool = True) -> Tensor:
    """Adds Gaussian noise, independent in every pixel and channel.

    Args:
        x: picture, (1, C, H, W) in [0, 1].
        sigma: standard deviation on the [0, 1] scale; write 25 / 255.
        seed: the same seed gives the same noise.
        clip: clamp to [0, 1] as any file does; False keeps the noise exactly Gaussian.

    Raises:
        ValueError: sigma outside [0, 1].

    >>> x0 = add_noise(torch.full((1, 1, 256, 256), 0.5), sigma=0.1)
    >>> round(float(x0.std()), 2)
    0.1
    """
    if not 0 <= sigma <= 1:
        raise ValueError(f"sigma must be in [0, 1], got {sigma:g}{_advice(sigma)}")
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(x.shape, generator=generator, dtype=torch.float32)
    noisy = x + sigma * noise.to(x)
    return noisy.clamp(0, 1) if clip else noisy


def estimate_sigma(x: Tensor) -> float:
    """The standard deviation of the Gaussian noise in a picture, from the picture alone.

    The finest diagonal wavelet coefficients d of a natural picture are nearly all noise, and the
    median ignores the few that are edges: σ = median |d| / 0.6745 (Donoho & Johnstone, Biometrika
    1994; db2 wavelet, as in scikit-image's function of the same name). Clipping at black and white
    hides up to a third of the noise: windows whose mean is within 2σ of either are left out.

    Returns:
        σ on the [0, 1] scale, mean over the channels. Fine texture counts as noise; a flat
        picture, or one that is all black and white, gives 0.

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
        for _ in range(3):  # the margin depends on σ and σ on the margin; this converges at once
            margin = 2 * sigma
            unclipped = detail[(level > margin) & (level < 1 - margin)]
            if len(unclipped) < 32:
                break
            sigma = float(unclipped.median()) / 0.6745
        sigmas.append(sigma)
    return round(sum(sigmas) / len(sigmas), 6)  # float32 has no more digits


def estimate_photons(x: Tensor) -> float:
    """σ at white of the photon noise in a picture (see `add_poisson`), from the picture alone.

    The square root of a count has nearly the same deviation at every level, ½ (Bartlett 1936), so
    that of the picture has σ/2. Fine texture counts as noise here too.

    >>> estimate_photons(torch.full((1, 3, 32, 32), 0.5))
    0.0
    """
    return min(1.0, 2 * estimate_sigma(x.clamp(0, 1).sqrt()))


def add_poisson(x: Tensor, sigma: float, seed: int = 0) -> Tensor:
    """Photon noise: counts with mean x/σ², so that the deviation is σ at white and σ√v at level v.

    Args:
        x: picture, (1, C, H, W) in [0, 1].
        sigma: standard deviation at white, on the [0, 1] scale, above 0.
        seed: the same seed gives the same noise.

    Raises:
        ValueError: sigma outside (0, 1].

    >>> x0 = add_poisson(torch.full((1, 1, 256, 256), 0.25), sigma=0.1)
    >>> round(float(x0.std()), 2)
    0.05
    """
    if not 0 < sigma <= 1:
        raise ValueError(f"sigma must be above 0 and at most 1, got {sigma:g}{_advice(sigma)}")
    generator = torch.Generator().manual_seed(seed)
    counts = torch.poisson(x.detach().cpu().float() / sigma**2, generator=generator)
    return (counts * sigma**2).clamp(0, 1).to(x)


def salt_and_pepper(x: Tensor, fraction: float, seed: int = 0) -> Tensor:
    """Turns a random `fraction` of the pixels, all channels together, white or black at random.

    Raises:
        ValueError: fraction outside [0, 1).

    >>> x0 = salt_and_pepper(torch.full((1, 3, 10, 10), 0.5), 0.2)
    >>> int((x0 == 0.5).sum()), int((x0 != 0.5).sum())
    (240, 60)
    """
    mask = random_mask((x.shape[2], x.shape[3]), fraction, seed).to(x)
    coin = torch.rand(mask.shape, generator=torch.Generator().manual_seed(seed + 1)).to(x)
    return x * mask + (1 - mask) * (coin < 0.5).to(x)


def find_impulses(x: Tensor) -> Tensor:
    """Finds salt and pepper: white or black pixels among others that are not.

    Returns:
        (1, 1, H, W): 1 = sound, 0 = black or white in some channel, and more than 0.1 from the
        median of the surrounding 5×5 pixels.

    >>> x0 = salt_and_pepper(torch.full((1, 3, 32, 32), 0.5), 0.25)
    >>> float(find_impulses(x0).mean())
    0.75
    """
    from scipy.ndimage import median_filter

    values = x.detach().cpu().float().numpy()
    median = median_filter(values, size=(1, 1, 5, 5), mode="reflect")
    extreme = (values < 0.5 / 255) | (values > 1 - 0.5 / 255)
    impulse = extreme & (np.abs(values - median) > 0.1)
    return torch.from_numpy(1.0 - impulse.any(axis=1, keepdims=True)).float().to(x.device)


def _advice(sigma: float) -> str:
    return ": divide by 255?" if 1 < sigma <= 255 else ""
