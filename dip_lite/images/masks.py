"""Masks: which pixels of a picture are known and which are missing.

    m (1, 1, H, W) float:  1 = known, 0 = missing        E(x) = mean m · (x − x0)²

In a file it is the other way round, as in every program that paints masks: WHITE IS MISSING. (The
paper's own files have missing in black: use 1 − load_mask(file, x0).)

    mask = load_mask("scratches.png", x0)     # or alpha_mask("cut_out.png"), colour_mask(x0, "red")
    check_mask(mask, x0)                      # raises an error if it makes no sense
    kind_of(mask), fill(x0, mask)             # "thin", and a first guess

`text_mask`, `scratches`, `hole` and `random_mask` damage a clean picture. They take a seed and
leave every global generator alone.

Source of the energy: Ulyanov, Vedaldi, Lempitsky, "Deep Image Prior" (CVPR 2018), eq. 6.
"""

import math
import random
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .decode import decode_alpha
from .io import check_same_size, load, match_channels

HOLE_DEPTH = 12  # pixels; a missing pixel farther from the known belongs to a hole, not a stroke
TEXT = "a random network fitted to one picture knows how pictures look before it has seen any"


def load_mask(source: Any, x0: Tensor) -> Tensor:
    """The mask in a file, a PIL image, an array or a tensor, in which white is missing.

    Args:
        source: whatever `io.load` takes; lighter than half is missing, colours go by luma.
        x0: the picture it belongs to, (1, C, H, W).

    Returns:
        (1, 1, H, W) float32: 1 = known, 0 = missing.

    Raises:
        PictureError: not a picture, or not of x0's size.

    >>> white_corner = np.zeros((16, 16), np.uint8)
    >>> white_corner[:8, :8] = 255
    >>> float(load_mask(white_corner, torch.zeros(1, 3, 16, 16)).mean())
    0.75
    """
    painted = load(source)
    check_same_size(x0, painted, what="mask")
    return (match_channels(painted, like=painted[:, :1]) <= 0.5).to(x0)


def alpha_mask(source: Any) -> Tensor | None:
    """The mask in a picture's transparency: less than half opaque is missing.

    Args:
        source: whatever `io.load` takes; arrays and tensors with 4 channels have transparency.

    Returns:
        (1, 1, H, W) float32: 1 = known, 0 = missing; None when there is no transparency channel.

    Raises:
        PictureError: not a picture.

    >>> glass = np.zeros((16, 16, 4), np.uint8)
    >>> glass[:4, :, 3] = 255
    >>> float(alpha_mask(glass).mean())
    0.25
    """
    alpha = decode_alpha(source)
    return None if alpha is None else torch.from_numpy(alpha >= 0.5).float()[None, None]


def colour_mask(x0: Tensor, colour: str) -> Tensor:
    """The mask painted into the picture itself: pixels of exactly this colour are missing.

    Args:
        x0: the painted picture, (1, C, H, W) in [0, 1], from a lossless file; JPEG smears colours.
        colour: "#ff00ff", "magenta", "rgb(255, 0, 255)".

    Returns:
        (1, 1, H, W) float32: 1 = known, 0 = missing.

    Raises:
        ValueError: not a colour.

    >>> x0 = torch.ones(1, 3, 2, 2)
    >>> x0[0, 1, 0, 0] = 0
    >>> colour_mask(x0, "magenta")[0, 0].tolist()
    [[0.0, 1.0], [1.0, 1.0]]
    """
    from PIL import ImageColor

    try:
        rgb = ImageColor.getrgb(colour)[:3]
    except (ValueError, TypeError, AttributeError):
        raise ValueError(
            f'colour must be like "#ff00ff" or a name like "magenta", got {colour!r}'
        ) from None
    wanted = x0.new_tensor(rgb).view(1, 3, 1, 1)
    painted = ((x0 * 255).round() == wanted).all(dim=1, keepdim=True)  # (1, 1, H, W)
    return (~painted).to(x0.dtype)


def check_mask(mask: Tensor, x0: Tensor) -> None:
    """Raises ValueError unless `mask` is float, (1, 1, H, W) of x0's size, with both 0 and 1."""
    h, w = x0.shape[-2:]
    if tuple(mask.shape) != (1, 1, h, w) or not mask.is_floating_point():
        found = f"{str(mask.dtype).removeprefix('torch.')} of shape {tuple(mask.shape)}"
        raise ValueError(f"the mask must be float of shape (1, 1, {h}, {w}), got {found}")
    wrong = mask[(mask != 0) & (mask != 1)]
    if len(wrong):
        raise ValueError(f"the mask must be 1 (known) or 0 (missing), got {float(wrong[0]):g}")
    if mask.all():
        raise ValueError("the mask hides nothing: what is missing must be white in a mask file")
    if not mask.any():
        raise ValueError("the mask hides everything: what is known must be black in a mask file")


def random_mask(size: tuple[int, int], fraction: float, seed: int = 0) -> Tensor:
    """Exactly a random `fraction` of all pixels is missing; at least one is known.

    Args:
        size: (H, W).
        fraction: of the pixels that are missing, in [0, 1).

    Raises:
        ValueError: fraction outside [0, 1).

    >>> float(random_mask((10, 10), 0.25).mean())
    0.75
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction must be in [0, 1), got {fraction:g}")
    h, w = size
    lost = min(round(fraction * h * w), h * w - 1)
    mask = torch.ones(h * w)
    mask[torch.randperm(h * w, generator=torch.Generator().manual_seed(seed))[:lost]] = 0
    return mask.view(1, 1, h, w)


def text_mask(size: tuple[int, int], seed: int = 0, text: str | None = None) -> Tensor:
    """Lines of text are missing, as if printed over the picture.

    Args:
        size: (H, W).
        seed: decides where in the text each line begins, and its type size.
        text: repeated as often as needed; None for a sentence about this package.

    Raises:
        ValueError: an empty text.

    >>> bool(0.8 < text_mask((128, 128)).mean() < 1)
    True
    """
    from PIL import Image, ImageDraw, ImageFont

    words = (TEXT if text is None else text).split()
    if not words:
        raise ValueError(f"text must have at least one word, got {text!r}")
    (h, w), rng = size, random.Random(seed)
    canvas = Image.new("L", (w, h))
    usual = min(max(min(h, w) / 16, 8), 32)  # pixels
    top = 0.0
    while top < h:
        height = usual * rng.uniform(0.8, 1.4)
        start = rng.randrange(len(words))
        line = " ".join(words[start:] + words[:start])
        line = " ".join([line] * (1 + int(8 * w / (height * len(line)))))  # the edge cuts it off
        font = ImageFont.load_default(size=height)
        ImageDraw.Draw(canvas).text((-rng.uniform(0, height), top), line, fill=255, font=font)
        top += 2.5 * height
    return _known(canvas)


def scratches(size: tuple[int, int], seed: int = 0, number: int = 12) -> Tensor:
    """Random curved scratches, 1 to 4 pixels wide, are missing.

    >>> bool(0.8 < scratches((128, 128)).mean() < 1)
    True
    """
    from PIL import Image, ImageDraw

    if number < 1:
        raise ValueError(f"number must be at least 1, got {number}")
    (h, w), rng = size, random.Random(seed)
    canvas = Image.new("L", (w, h))
    widest = min(max(min(h, w) // 100, 1), 4)
    for _ in range(number):
        a, b, c = ((rng.uniform(0, w), rng.uniform(0, h)) for _ in range(3))  # a Bézier curve
        steps = (i / 32 for i in range(33))
        curve = [tuple(_bezier(t, *side) for side in zip(a, b, c, strict=True)) for t in steps]
        ImageDraw.Draw(canvas).line(curve, fill=255, width=rng.randint(1, widest), joint="curve")
    return _known(canvas)


def hole(size: tuple[int, int], seed: int = 0, fraction: float = 1 / 16) -> Tensor:
    """One blob inside the picture is missing, exactly `fraction` of all pixels.

    Args:
        size: (H, W).
        seed: decides the position and the shape.
        fraction: of the pixels that are missing, in (0, 0.4].

    Raises:
        ValueError: fraction outside (0, 0.4]: larger blobs may not fit.

    >>> float(1 - hole((128, 128)).mean())
    0.0625
    """
    if not 0 < fraction <= 0.4:
        raise ValueError(f"fraction must be in (0, 0.4], got {fraction:g}")
    (h, w), rng = size, random.Random(seed)
    reach = min(0.5, 1.3 * math.sqrt(fraction / math.pi) + 1 / min(h, w))  # of the picture's side
    turns = rng.uniform(0, 2 * math.pi), rng.uniform(0, 2 * math.pi)
    y = (torch.arange(h)[:, None] + 0.5) / h - rng.uniform(reach, 1 - reach)
    x = (torch.arange(w) + 0.5) / w - rng.uniform(reach, 1 - reach)
    angle = torch.atan2(y, x)  # (H, W)
    radius = 1 + 0.2 * torch.sin(2 * angle + turns[0]) + 0.1 * torch.sin(3 * angle + turns[1])
    nearest = (torch.hypot(x, y) / radius).flatten().argsort(stable=True)
    mask = torch.ones(h * w)
    mask[nearest[: max(1, round(fraction * h * w))]] = 0
    return mask.view(1, 1, h, w)


def kind_of(mask: Tensor) -> str:
    """What is missing: "scattered" pixels, "thin" strokes or a "hole".

    * hole: some missing pixel is farther from the known than in strokes (12 pixels, less in small
      pictures), and than chance explains where so many are missing
    * scattered: missing neighbours are nearly independent, correlation below 0.2
    * thin: the rest, such as text, scratches and wires

    Args:
        mask: (1, 1, H, W), 1 = known and 0 = missing, with both.

    >>> kind_of(random_mask((64, 64), 0.98)), kind_of(text_mask((64, 64))), kind_of(hole((64, 64)))
    ('scattered', 'thin', 'hole')
    """
    from scipy.ndimage import distance_transform_edt

    missing = mask[0, 0].cpu().numpy() == 0  # (H, W)
    share = missing.mean()
    # A disk of area A has no known pixel with probability share^A: the largest of N pixels has
    # A ≈ log N / −log share. In a corner a quarter of the disk is enough, hence the 4.
    by_chance = math.sqrt(4 * math.log(missing.size) / (-math.log(share) * math.pi)) + 1
    by_strokes = min(HOLE_DEPTH, max(3, min(missing.shape) / 16))
    if distance_transform_edt(missing).max() > max(by_strokes, by_chance):
        return "hole"
    both = (missing[1:] & missing[:-1]).mean() / 2 + (missing[:, 1:] & missing[:, :-1]).mean() / 2
    correlation = (both - share**2) / (share * (1 - share))
    return "scattered" if correlation < 0.2 else "thin"


def fill(x0: Tensor, mask: Tensor) -> Tensor:
    """A fast guess: each missing pixel becomes a blur of the known pixels nearest to it.

    From coarse to fine, at halved sizes, x ← (blur(m·x0) + λ·x) / (blur(m) + λ), λ = 0.1: known
    pixels of a scale decide nearby, the coarser scale elsewhere. A coarser pixel is known when one
    of its four is.

    Args:
        x0: (1, C, H, W) in [0, 1]; its missing pixels are not used.
        mask: (1, 1, H, W), 1 = known and 0 = missing.

    Returns:
        (1, C, H, W) in [0, 1], equal to x0 at known pixels.

    >>> x0, mask = torch.tensor([[[[0.2, 0.0, 0.4]]]]), torch.tensor([[[[1.0, 0.0, 1.0]]]])
    >>> fill(x0, mask)
    tensor([[[[0.2000, 0.3000, 0.4000]]]])
    """
    known = mask.to(x0)
    pyramid = [torch.cat([torch.where(known > 0, x0, 0), known], dim=1)]  # (1, C + 1, H, W)
    while not pyramid[-1][:, -1].all() and max(pyramid[-1].shape[2:]) > 1:
        level = F.avg_pool2d(pyramid[-1], 2, ceil_mode=True)
        pyramid.append(level / level[:, -1:].clamp(min=0.25))  # mean of the known ones, and 1
    guess = torch.zeros_like(x0[..., :1, :1])
    for i, level in enumerate(reversed(pyramid)):
        blurred = F.avg_pool2d(F.avg_pool2d(level, 2, stride=1, padding=1), 2, stride=1)  # 1 2 1
        value, weight = blurred[:, :-1], blurred[:, -1:]
        coarse = F.interpolate(guess, level.shape[2:], mode="bilinear")
        trust = 0.1 if i else 1e-30  # λ; the coarsest scale has no guess to trust
        guess = (value + trust * coarse) / (weight + trust)
    return torch.where(known > 0, x0, guess.clamp(0, 1))


def _bezier(t: float, a: float, b: float, c: float) -> float:
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c


def _known(canvas: Any) -> Tensor:
    """White on black -> mask."""
    return torch.from_numpy(np.array(canvas) < 128).float()[None, None]
