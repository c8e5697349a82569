"""Masks mean what they show, wherever they come from; makers repeat; guesses keep what is known."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from dip_lite.errors import PictureError
from dip_lite.images.degrade import drop_pixels
from dip_lite.images.io import load
from dip_lite.images.masks import (
    alpha_mask,
    check_mask,
    colour_mask,
    fill,
    hole,
    kind_of,
    load_mask,
    random_mask,
    scratches,
    text_mask,
)
from dip_lite.images.metrics import psnr
from dip_lite.images.samples import sample

PAPER = Path(__file__).parents[2] / "../shared/data/paper"
paper = pytest.mark.skipif(not PAPER.is_dir(), reason="the authors' pictures are not here")

X0 = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(0))
KNOWN = torch.ones(20, 30, dtype=torch.bool)  # of the mask all files below show: a corner, a pixel
KNOWN[:5, :7] = False
KNOWN[12, 29] = False
WHITE_IS_MISSING = np.where(KNOWN.numpy(), 0, 255).astype(np.uint8)

MAKERS: dict[str, Callable[..., Tensor]] = {
    "text_mask": text_mask,
    "scratches": scratches,
    "hole": hole,
    "random_mask": lambda size, seed=0: random_mask(size, 0.5, seed),
}
SIZES = [(16, 16), (64, 48), (33, 200), (320, 320), (512, 400)]


def same(mask: Tensor | None, known: Tensor = KNOWN) -> bool:
    assert mask is not None and mask.dtype == torch.float32
    assert mask.shape == (1, 1, *known.shape)
    return torch.equal(mask[0, 0], known.float())


# --- files


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_white_in_a_file_is_missing(tmp_path: Path, suffix: str, mode: str) -> None:
    file = tmp_path / f"mask.{suffix}"
    blocks = np.kron(WHITE_IS_MISSING, np.ones((8, 8), np.uint8))  # JPEG keeps edges of blocks
    Image.fromarray(blocks).convert(mode).save(file)
    x0 = torch.zeros(1, 3, 160, 240)
    mask = load_mask(str(file), x0)
    assert same(mask, KNOWN.repeat_interleave(8, 0).repeat_interleave(8, 1))
    check_mask(mask, x0)


def test_masks_from_arrays_tensors_and_images() -> None:
    assert same(load_mask(WHITE_IS_MISSING, X0))
    assert same(load_mask(WHITE_IS_MISSING == 255, X0[:, :1]))  # bool, for a grey picture
    assert same(load_mask(Image.fromarray(WHITE_IS_MISSING).convert("1"), X0))
    assert same(load_mask((~KNOWN).float(), X0))


def test_a_mask_is_cut_at_half_and_colours_at_their_luma() -> None:
    painted = np.zeros((20, 30, 3), np.uint8)
    painted[0], painted[1] = 127, 128
    painted[2, :10], painted[2, 10:20], painted[2, 20:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    known = load_mask(painted, X0)[0, 0]
    assert known[0].all() and not known[1].any()
    assert known[2].tolist() == [1.0] * 10 + [0.0] * 10 + [1.0] * 10  # only green is light


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(PictureError) as caught:
        load_mask(WHITE_IS_MISSING.T, X0)
    assert str(caught.value) == (
        "The mask is 20×30 pixels (W×H), but the picture is 30×20: use one of the same size."
    )
    with pytest.raises(PictureError, match="does not exist"):
        load_mask("no_such_mask.png", X0)


@paper
@pytest.mark.parametrize(
    ("name", "kind", "missing"),
    [("kate", "thin", 0.043), ("vase", "hole", 0.027), ("library", "hole", 0.186)],
)
def test_the_papers_masks(name: str, kind: str, missing: float) -> None:
    x0 = load(PAPER / f"{name}.png")
    mask = 1 - load_mask(PAPER / f"{name}_mask.png", x0)  # theirs have missing in black
    check_mask(mask, x0)
    assert kind_of(mask) == kind
    assert float(1 - mask.mean()) == pytest.approx(missing, abs=0.001)


@paper
def test_the_papers_barbara() -> None:
    x0 = load(PAPER / "barbara_masked50.png")
    mask = colour_mask(x0, "black")
    check_mask(mask, x0)
    assert kind_of(mask) == "scattered"
    assert float(mask.mean()) == pytest.approx(0.5, abs=0.001)
    assert psnr(fill(x0, mask), load(PAPER / "barbara.png")) > 26


# --- transparency


def rgba() -> Image.Image:
    """Every alpha below half where the mask has missing, every alpha from half on elsewhere."""
    pixels = np.full((20, 30, 4), 90, np.uint8)
    pixels[..., 3] = np.where(KNOWN, 128, 127)
    return Image.fromarray(pixels)


def transparent(mode: str) -> Image.Image:
    """A picture of a mode that has no alpha channel but one transparent value."""
    if mode == "1":
        return Image.fromarray(KNOWN.numpy())
    if mode == "I;16":
        return Image.fromarray(np.where(KNOWN, 40000, 777).astype(np.uint16))
    return Image.fromarray(np.where(KNOWN, 200, 0).astype(np.uint8)).convert(mode)


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_half_transparent_pixels_are_missing(tmp_path: Path, suffix: str, mode: str) -> None:
    file = tmp_path / f"cut_out.{suffix}"
    rgba().convert(mode).save(file, **({"lossless": True} if suffix == "webp" else {}))
    assert same(alpha_mask(file))
    assert same(alpha_mask(str(file)))


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "1", "I;16"])
def test_a_transparent_value_is_missing(tmp_path: Path, mode: str) -> None:
    clear = {"P": 0, "L": 0, "RGB": (0, 0, 0), "1": 0, "I;16": 777}[mode]
    transparent(mode).save(tmp_path / "cut_out.png", transparency=clear)
    mask = alpha_mask(tmp_path / "cut_out.png")
    assert same(mask)
    shown = load(tmp_path / "cut_out.png")[0, 0]  # where the missing is white
    assert torch.equal(shown == 1, KNOWN.logical_not() | (mode == "1"))


def test_a_transparent_palette_entry_is_missing_in_a_gif(tmp_path: Path) -> None:
    transparent("P").save(tmp_path / "cut_out.gif", transparency=0)
    assert same(alpha_mask(tmp_path / "cut_out.gif"))


def test_transparency_is_turned_with_its_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    rgba().save(tmp_path / "turned.png", exif=exif)
    mask = alpha_mask(tmp_path / "turned.png")
    assert same(mask, KNOWN.rot90(-1))
    assert mask.shape[2:] == load(tmp_path / "turned.png").shape[2:]


def test_transparency_of_images_arrays_and_tensors() -> None:
    pixels = np.array(rgba())
    assert same(alpha_mask(rgba()))
    assert same(alpha_mask(rgba().convert("RGBa")))
    assert same(alpha_mask(pixels))
    assert same(alpha_mask((pixels / 255).astype(np.float32)))
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    assert same(alpha_mask(tensor)) and same(alpha_mask(tensor[None]))


def test_opaque_pictures_have_no_alpha_mask(tmp_path: Path) -> None:
    Image.fromarray(WHITE_IS_MISSING).save(tmp_path / "opaque.png")
    for source in (
        tmp_path / "opaque.png",
        WHITE_IS_MISSING,
        X0,
        X0[0],
        Image.new("RGB", (20, 20)),
    ):
        assert alpha_mask(source) is None


def test_transparency_of_what_is_no_picture_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("notes")
    with pytest.raises(PictureError, match="is not a picture in a known format"):
        alpha_mask(tmp_path / "notes.png")
    with pytest.raises(PictureError, match="The NoneType is not a picture"):
        alpha_mask(None)


# --- colours


@pytest.mark.parametrize("colour", ["#ff00ff", "magenta", "Magenta", "rgb(255, 0, 255)", "#f0f"])
def test_exactly_that_colour_is_missing(colour: str) -> None:
    pixels = np.full((20, 30, 3), (254, 0, 255), np.uint8)  # nearly
    pixels[~KNOWN.numpy()] = (255, 0, 255)
    assert same(colour_mask(load(pixels), colour))


def test_a_grey_picture_has_grey_colours_only() -> None:
    grey = load(WHITE_IS_MISSING)
    assert same(colour_mask(grey, "white"))
    assert colour_mask(grey, "red").all()


@pytest.mark.parametrize("colour", ["purpel", "", "#12345", None, 7])
def test_unknown_colours_are_refused(colour: str) -> None:
    with pytest.raises(ValueError, match='colour must be like "#ff00ff" or a name like "magenta"'):
        colour_mask(X0, colour)


# --- checks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m * 0 + 1, "hides nothing: what is missing must be white in a mask file"),
        (lambda m: m * 0, "hides everything: what is known must be black in a mask file"),
        (lambda m: m * 0.5, r"must be 1 \(known\) or 0 \(missing\), got 0.5"),
        (lambda m: m * 255, r"must be 1 \(known\) or 0 \(missing\), got 255"),
        (lambda m: -m, r"must be 1 \(known\) or 0 \(missing\), got -1"),
        (lambda m: m / m, r"must be 1 \(known\) or 0 \(missing\), got nan"),
        (lambda m: m.bool(), r"must be float of shape \(1, 1, 20, 30\), got bool of shape"),
        (lambda m: m[..., 1:], r"got float32 of shape \(1, 1, 20, 29\)"),
        (lambda m: m[0, 0], r"got float32 of shape \(20, 30\)"),
        (lambda m: m.expand(1, 3, -1, -1), r"got float32 of shape \(1, 3, 20, 30\)"),
    ],
)
def test_masks_that_make_no_sense(change: Callable[[Tensor], Tensor], message: str) -> None:
    mask = KNOWN.float()[None, None]
    check_mask(mask, X0)
    with pytest.raises(ValueError, match=message) as caught:
        check_mask(change(mask), X0)
    assert str(caught.value).startswith("the mask ") and "\n" not in str(caught.value)


# --- makers


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("size", SIZES)
def test_makers_make_masks(name: str, size: tuple[int, int]) -> None:
    for seed in range(5):
        check_mask(MAKERS[name](size, seed=seed), torch.zeros(1, 3, *size))


@pytest.mark.parametrize("name", MAKERS)
def test_a_seed_repeats_and_no_global_generator_moves(name: str) -> None:
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    make = MAKERS[name]
    assert torch.equal(make((64, 80), seed=3), make((64, 80), seed=3))
    assert not torch.equal(make((64, 80), seed=3), make((64, 80), seed=4))
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    assert torch.equal(before[0], after[0]) and before[1:] == after[1:]


@pytest.mark.parametrize("fraction", [0.001, 1 / 16, 0.2, 0.4])
@pytest.mark.parametrize("size", SIZES)
def test_a_hole_is_one_of_the_size_asked_for_and_inside(
    fraction: float, size: tuple[int, int]
) -> None:
    from scipy.ndimage import label

    for seed in range(5):
        missing = hole(size, seed, fraction)[0, 0] == 0
        assert int(missing.sum()) == max(1, round(fraction * missing.numel()))
        assert label(missing.numpy())[1] == 1
        assert not (missing[[0, -1]].any() or missing[:, [0, -1]].any())


def test_dropped_pixels_are_the_random_masks() -> None:
    mask = random_mask((20, 30), 0.3, seed=5)
    x0, theirs = drop_pixels(X0, 0.3, seed=5)
    assert torch.equal(mask, theirs) and torch.equal(x0, X0 * mask)


def test_makers_take_their_knobs() -> None:
    few, many = scratches((128, 128), number=2), scratches((128, 128), number=40)
    assert few.mean() > many.mean()
    assert not torch.equal(text_mask((64, 64)), text_mask((64, 64), text="Ünïcödé wörds"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hole((64, 64), fraction=0), r"fraction must be in \(0, 0.4\], got 0"),
        (lambda: hole((64, 64), fraction=0.5), r"fraction must be in \(0, 0.4\], got 0.5"),
        (lambda: hole((64, 64), fraction=float("nan")), r"in \(0, 0.4\], got nan"),
        (lambda: scratches((64, 64), number=0), "number must be at least 1, got 0"),
        (lambda: text_mask((64, 64), text="  "), "text must have at least one word, got '  '"),
        (lambda: random_mask((64, 64), 1), r"fraction must be in \[0, 1\), got 1"),
    ],
)
def test_knobs_out_of_range(make: Callable[[], Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# --- kinds


@pytest.mark.parametrize("size", [(64, 64), (100, 333), (512, 512)])
def test_kinds(size: tuple[int, int]) -> None:
    for seed in range(5):
        for fraction in (0.02, 0.1, 0.5, 0.9, 0.98):
            assert kind_of(random_mask(size, fraction, seed)) == "scattered"
        assert kind_of(text_mask(size, seed)) == "thin"
        assert kind_of(scratches(size, seed)) == "thin"
        assert kind_of(hole(size, seed)) == "hole"


@pytest.mark.parametrize("size", [(64, 64), (240, 320), (512, 512)])
def test_a_square_of_a_quarter_of_the_side_is_a_hole(size: tuple[int, int]) -> None:
    square = torch.ones(1, 1, *size)
    square[..., 9 : 9 + size[0] // 4, 3 : 3 + size[1] // 4] = 0
    assert kind_of(square) == "hole"
    assert kind_of(square * random_mask(size, 0.5)) == "hole"  # it does not hide among others
    assert kind_of(square * text_mask(size)) == "hole"


def test_a_line_is_thin_and_a_grid_of_dead_pixels_scattered() -> None:
    line, grid = torch.ones(1, 1, 64, 64), torch.ones(1, 1, 64, 64)
    line[..., 30, :] = 0
    grid[..., ::2, ::2] = 0
    assert kind_of(line) == "thin"
    assert kind_of(grid) == kind_of(1 - grid) == "scattered"


# --- the guess


@pytest.mark.parametrize("name", MAKERS)
def test_a_guess_keeps_the_known_and_looks_not_at_the_missing(name: str) -> None:
    x = sample("coffee")[..., :101, :151]
    mask = MAKERS[name](x.shape[-2:])
    guess = fill(x, mask)
    known = mask.expand_as(x) == 1
    assert torch.equal(guess[known], x[known])
    for nonsense in (0, 1, float("nan")):
        assert torch.equal(fill(torch.where(known, x, nonsense), mask), guess)
    assert psnr(guess, x) > psnr(x * mask, x) + 8


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (16, 300), (31, 17)])
def test_one_known_pixel_fills_a_picture(size: tuple[int, int]) -> None:
    mask = torch.zeros(1, 1, *size)
    mask[..., 0, 0] = 1
    colour = torch.tensor([0.2, 0.5, 1.0]).view(1, 3, 1, 1)
    guess = fill(mask * colour, mask)
    assert torch.allclose(guess, colour.expand(1, 3, *size), atol=1e-6)
    assert float(guess.max()) <= 1


@pytest.mark.parametrize(("fraction", "expected"), [(0.5, 30), (0.9, 23), (0.98, 19)])
def test_a_guess_is_as_good_as_it_was(fraction: float, expected: float) -> None:
    x0, mask = drop_pixels(sample("astronaut"), fraction)
    assert psnr(fill(x0, mask), sample("astronaut")) > expected


def test_a_guess_is_fast() -> None:
    x0, mask = drop_pixels(sample("astronaut"), 0.98)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        fill(x0, mask)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5  # 0.03 on one core; this machine may be busy
