"""Masks: which pixels of a picture are known and which are missing.

    m (1, 1, H, W) float:  1 = known, 0 = missing        E(x) = mean m · (x − x0)²

In a file it is the other way about, as in every program that paints masks: WHITE IS MISSING. (The
paper's own files have missing in black: take 1 − load_mask(file, x0).)

    mask = load_mask("scratches.png", x0)     # or alpha_mask("cut_out.png"), colour_mask(x0, "red")
    check_mask(mask, x0)                      # one sentence if it makes no sense
    kind_of(mask), fill(x0, mask)             # "thin", and a first guess

`text_mask`, `scratches`, `hole` and `random_mask` spoil a clean picture. They take a seed and leave
every global generator alone.

Source of the energy: Ulyanov, Vedaldi, Lempitsky, "Deep Image Prior" (CVPR 2018), eq. 6.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .decode import decode
from .images import check_same_size, load, match_channels

if TYPE_CHECKING:
    from PIL import Image

DEEP = 12  # pixels; what is missing farther from the known than this is no stroke but a hole
WORDS = "a random network fitted to one picture knows how pictures look before it has seen any"


# --- masks that people have


def load_mask(source: Any, x0: Tensor) -> Tensor:
    """The mask in a file, a PIL image, an array or a tensor whose white is missing.

    Args:
        source: whatever `images.load` takes; lighter than half is missing, colours go by luma.
        x0: the picture it belongs to, (1, C, H, W).

    Returns:
        (1, 1, H, W) float32: 1 = known, 0 = missing.

    Raises:
        PictureError: it is no picture, or not of x0's size.

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
        source: whatever `images.load` takes; arrays and tensors with 4 channels have transparency.

    Returns:
        (1, 1, H, W) float32: 1 = known, 0 = missing; None when there is no transparency channel.

    Raises:
        PictureError: it is no picture.

    >>> glass = np.zeros((16, 16, 4), np.uint8)
    >>> glass[:4, :, 3] = 255
    >>> float(alpha_mask(glass).mean())
    0.25
    >>> alpha_mask(glass[..., :3]) is None
    True
    """
    decode(source)  # whatever is wrong with it is said here
    alpha: np.ndarray | None
    if isinstance(source, Tensor):
        x = source[0] if source.ndim == 4 else source
        alpha = decode(x[3])[0][..., 0] if x.ndim == 3 and x.shape[0] == 4 else None
    elif isinstance(source, np.ndarray):
        has_alpha = source.ndim == 3 and source.shape[2] == 4
        alpha = decode(source[..., 3])[0][..., 0] if has_alpha else None
    else:
        alpha = _alpha(source)
    return None if alpha is None else torch.from_numpy(alpha >= 0.5).float()[None, None]


def colour_mask(x0: Tensor, colour: str) -> Tensor:
    """The mask painted into the picture itself: pixels of exactly this colour are missing.

    Args:
        x0: the painted picture, (1, C, H, W) in [0, 1], from a lossless file; JPEG smears colours.
        colour: "#ff00ff", "magenta", "rgb(255, 0, 255)".

    Returns:
        (1, 1, H, W) float32: 1 = known, 0 = missing.

    Raises:
        ValueError: the colour has no such name.

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
    """Raises ValueError, in one sentence, when `mask` cannot be one of x0's.

    It must be float, of shape (1, 1, H, W), 0 and 1 only, and have both.
    """
    h, w = x0.shape[-2:]
    if tuple(mask.shape) != (1, 1, h, w) or not mask.is_floating_point():
        came = f"{str(mask.dtype).removeprefix('torch.')} of shape {tuple(mask.shape)}"
        raise ValueError(f"the mask must be float of shape (1, 1, {h}, {w}), got {came}")
    odd = mask[(mask != 0) & (mask != 1)]
    if len(odd):
        raise ValueError(f"the mask must be 1 (known) or 0 (missing), got {float(odd[0]):g}")
    if mask.all():
        raise ValueError("the mask hides nothing: what is missing must be white in a mask file")
    if not mask.any():
        raise ValueError("the mask hides everything: what is known must be black in a mask file")


# --- masks to spoil a clean picture with


def random_mask(size: tuple[int, int], fraction: float, seed: int = 0) -> Tensor:
    """A random `fraction` of all pixels is missing, exactly; at least one pixel is known.

    Args:
        size: (H, W).
        fraction: of the pixels that are missing, in [0, 1).

    Raises:
        ValueError: fraction outside [0, 1); something must be left to go by.

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
        seed: chooses where in the text each line begins, and its type size.
        text: the words, repeated as often as needed; None for a sentence about this package.

    Raises:
        ValueError: a text without a word.

    >>> bool(0.8 < text_mask((128, 128)).mean() < 1)
    True
    """
    from PIL import Image, ImageDraw, ImageFont

    words = (WORDS if text is None else text).split()
    if not words:
        raise ValueError(f"text must have a word at least, got {text!r}")
    (h, w), rng = size, random.Random(seed)
    paper = Image.new("L", (w, h))
    usual = min(max(min(h, w) / 16, 8), 32)  # pixels
    top = 0.0
    while top < h:
        height = usual * rng.uniform(0.8, 1.4)
        start = rng.randrange(len(words))
        line = " ".join(words[start:] + words[:start])
        line = " ".join([line] * (1 + int(8 * w / (height * len(line)))))  # too long: it is cut
        font = ImageFont.load_default(size=height)
        ImageDraw.Draw(paper).text((-rng.uniform(0, height), top), line, fill=255, font=font)
        top += 2.5 * height
    return _known(paper)


def scratches(size: tuple[int, int], seed: int = 0, number: int = 12) -> Tensor:
    """Curved scratches, 1 to 4 pixels wide, from anywhere to anywhere, are missing.

    >>> bool(0.8 < scratches((128, 128)).mean() < 1)
    True
    """
    from PIL import Image, ImageDraw

    if number < 1:
        raise ValueError(f"number must be at least 1, got {number}")
    (h, w), rng = size, random.Random(seed)
    paper = Image.new("L", (w, h))
    widest = min(max(min(h, w) // 100, 1), 4)
    for _ in range(number):
        a, b, c = ((rng.uniform(0, w), rng.uniform(0, h)) for _ in range(3))  # a Bézier curve's
        steps = (i / 32 for i in range(33))
        curve = [tuple(_bezier(t, *side) for side in zip(a, b, c, strict=True)) for t in steps]
        ImageDraw.Draw(paper).line(curve, fill=255, width=rng.randint(1, widest), joint="curve")
    return _known(paper)


def hole(size: tuple[int, int], seed: int = 0, fraction: float = 1 / 16) -> Tensor:
    """One blob inside the picture is missing, `fraction` of all pixels, exactly.

    Args:
        size: (H, W).
        seed: chooses the place and the shape.
        fraction: of the pixels that are missing, in (0, 0.4].

    Raises:
        ValueError: fraction outside (0, 0.4], in which every blob has room.

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


# --- what a mask is like, and a first guess


def kind_of(mask: Tensor) -> str:
    """What is missing: "scattered" pixels, "thin" strokes or a "hole".

    hole        a pixel is missing that is farther from the known than strokes have it (12 pixels,
                less in small pictures), and than chance has it where so many are missing
    scattered   whether a pixel is missing says little about its neighbour: correlation below 0.2
    thin        the rest: text, scratches, wires

    Args:
        mask: (1, 1, H, W), 1 = known and 0 = missing, with both.

    >>> kind_of(random_mask((64, 64), 0.98)), kind_of(text_mask((64, 64))), kind_of(hole((64, 64)))
    ('scattered', 'thin', 'hole')
    """
    from scipy.ndimage import distance_transform_edt

    missing = mask[0, 0].cpu().numpy() == 0  # (H, W)
    share = missing.mean()
    # A disk of area A without a known pixel has the probability q^A: among N pixels the widest has
    # about log N / −log q. In a corner a quarter of the disk is enough, hence the 4.
    by_chance = math.sqrt(4 * math.log(missing.size) / (-math.log(share) * math.pi)) + 1
    by_strokes = min(DEEP, max(3, min(missing.shape) / 16))
    if distance_transform_edt(missing).max() > max(by_strokes, by_chance):
        return "hole"
    both = (missing[1:] & missing[:-1]).mean() / 2 + (missing[:, 1:] & missing[:, :-1]).mean() / 2
    correlation = (both - share**2) / (share * (1 - share))
    return "scattered" if correlation < 0.2 else "thin"


def fill(x0: Tensor, mask: Tensor) -> Tensor:
    """A fast guess: each missing pixel is a blur of the known ones near it, the sharpest there is.

    From coarse to fine, at halved sizes, x ← (blur(m·x0) + λ·x) / (blur(m) + λ), λ = 0.1: where a
    scale knows something near, that decides, elsewhere the coarser scale. A pixel of a coarser
    scale is known when one of its four is.

    Args:
        x0: (1, C, H, W) in [0, 1]; what it has at missing pixels is not looked at.
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
        trust = 0.1 if i else 1e-30  # λ; the coarsest has nothing else to trust
        guess = (value + trust * coarse) / (weight + trust)
    return torch.where(known > 0, x0, guess.clamp(0, 1))


# --- helpers


def _bezier(t: float, a: float, b: float, c: float) -> float:
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c


def _known(paper: Image.Image) -> Tensor:
    """White on black -> mask."""
    return torch.from_numpy(np.array(paper) < 128).float()[None, None]


def _alpha(source: str | os.PathLike[str] | Image.Image) -> np.ndarray | None:
    """Opacity (H, W) in [0, 1], upright, of a file or PIL image that `decode` could read."""
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(source, (str, os.PathLike)):
            with Image.open(source) as picture:
                return _alpha(picture)
        source.load()
        upright = source
        with contextlib.suppress(Exception):  # unreadable EXIF tells no orientation
            upright = ImageOps.exif_transpose(source)
        clear = upright.info.get("transparency")
        if upright.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
            return np.array(upright.getchannel(upright.getbands()[-1])) / 255
        if clear is None or upright.mode == "F":
            return None
        if upright.mode.startswith("I"):  # 16 bits of grey, one value of which is clear
            return (np.array(upright, dtype=np.int64) != clear).astype(float)
        return np.array(upright.convert("RGBA").getchannel("A")) / 255
