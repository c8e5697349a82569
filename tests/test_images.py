"""Every kind of picture arrives as it looks; every kind of wrong input gets one sentence."""

from __future__ import annotations

import errno
import os
import stat
import struct
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dip_lite import decode, images
from dip_lite.images import (
    SAMPLES,
    PictureError,
    PictureWarning,
    atomic_write,
    check_same_size,
    check_writable,
    crop,
    load,
    match_channels,
    pad_reflect,
    sample,
    save,
    to_pil,
    to_uint8,
)

GREY = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
RGB = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
WIDE = np.random.default_rng(2).integers(0, 65536, (20, 30), dtype=np.uint16)
X = torch.from_numpy(RGB.transpose(2, 0, 1)[None] / np.float32(255))


@pytest.fixture(autouse=True)
def nothing_half_written(tmp_path: Path) -> Iterator[None]:
    yield
    assert not [*tmp_path.rglob(".dip-*")], "a temporary file was left behind"


def one_sentence(call: Callable[[], object], *words: str) -> str:
    """The message of the PictureError that `call` raises: one line, one full stop, these words."""
    with pytest.raises(PictureError) as caught:
        call()
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.endswith(".") and not message.endswith("..")
    for word in words:
        assert word in message
    return message


def refused(path: Path, *words: str) -> str:
    return one_sentence(lambda: load(path), path.name, *words)


def close(x: torch.Tensor, values: Any, tolerance: float = 1e-6) -> bool:
    """`x` holds the (H, W) or (H, W, 3) `values` on the [0, 1] scale, as a checked picture."""
    expected = np.asarray(values, np.float64)
    expected = expected[..., None] if expected.ndim == 2 else expected
    assert x.dtype == torch.float32 and x.is_contiguous()
    assert x.shape == (1, expected.shape[2], *expected.shape[:2])
    return bool(np.abs(x[0].permute(1, 2, 0).double().numpy() - expected).max() <= tolerance)


def png(
    path: Path, shape: tuple[int, int], depth: int, colour: int, rows: bytes, **extra: bytes
) -> Path:
    """A PNG by hand: Pillow writes neither 16-bit colour nor headers that lie."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", shape[1], shape[0], depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header)
    body += b"".join(chunk(kind.encode(), data) for kind, data in extra.items())
    body += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def scanlines(values: np.ndarray) -> bytes:
    """Rows of a PNG, each after a filter byte of 0."""
    return b"".join(b"\0" + row.tobytes() for row in values)


# --- files of every mode


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "webp"])
def test_lossless_files_give_their_pixels(tmp_path: Path, suffix: str) -> None:
    lossless: dict[str, Any] = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(RGB).save(tmp_path / f"a.{suffix}", **lossless)
    assert close(load(tmp_path / f"a.{suffix}"), RGB / 255)
    assert close(load(str(tmp_path / f"a.{suffix}")), RGB / 255)


def test_grey_stays_one_channel(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    assert close(load(tmp_path / "a.png"), GREY / 255)


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(GREY > 127).save(tmp_path / "a.png")
    assert close(load(tmp_path / "a.png"), GREY > 127)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jp2"])
def test_sixteen_bit_grey_is_scaled_by_65535(tmp_path: Path, name: str) -> None:
    Image.fromarray(WIDE).save(tmp_path / name)
    assert close(load(tmp_path / name), WIDE / 65535)


def test_sixteen_bits_in_other_orders_and_modes(tmp_path: Path) -> None:
    Image.fromarray(WIDE.astype(">u2")).save(tmp_path / "big.tif")
    assert close(load(tmp_path / "big.tif"), WIDE / 65535)
    Image.fromarray(WIDE.astype(np.int32)).save(tmp_path / "wide.tif")  # mode I
    assert close(load(tmp_path / "wide.tif"), WIDE / 65535)
    (tmp_path / "a.pgm").write_bytes(b"P5\n30 20\n65535\n" + WIDE.astype(">u2").tobytes())
    assert close(load(tmp_path / "a.pgm"), WIDE / 65535)


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_sixteen_bit_colour_and_alpha(tmp_path: Path, colour: int, channels: int) -> None:
    values = np.random.default_rng(3).integers(0, 65536, (20, 30, channels), dtype=np.uint16)
    path = png(tmp_path / "a.png", (20, 30), 16, colour, scanlines(values.astype(">u2")))
    v = values / 65535
    if channels != 3:
        v = v[..., :-1] * v[..., -1:] + 1 - v[..., -1:]
    v = np.broadcast_to(v, (20, 30, 3))  # Pillow opens 16-bit grey with alpha as RGBA
    assert close(load(path), v, tolerance=2 / 255)  # and keeps 8 of these 16 bits


def test_float_tiff(tmp_path: Path) -> None:
    values = np.random.default_rng(4).random((20, 30), dtype=np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert close(load(tmp_path / "a.tif"), values)
    Image.fromarray(values * 255).save(tmp_path / "b.tif")
    refused(tmp_path / "b.tif", "not in [0, 1]", "divide them by 255")
    values[3, 4:6] = np.nan
    Image.fromarray(values).save(tmp_path / "c.tif")
    refused(tmp_path / "c.tif", "2 of 600 values that are NaN or infinite")


def test_32_bit_integers_beyond_16_are_refused(tmp_path: Path) -> None:
    Image.fromarray(WIDE.astype(np.int32) * 2).save(tmp_path / "a.tif")
    refused(tmp_path / "a.tif", "scale them to 0..65535")


@pytest.mark.parametrize(("mode", "channels"), [("RGBA", 3), ("LA", 1)])
def test_alpha_is_laid_over_white(tmp_path: Path, mode: str, channels: int) -> None:
    colour = RGB if channels == 3 else GREY[..., None]
    pixels = np.dstack([colour, RGB[..., ::-1][..., 0]])
    path = tmp_path / "a.png"
    picture = Image.merge(mode, [Image.fromarray(band) for band in np.moveaxis(pixels, 2, 0)])
    picture.save(path)
    a = pixels[..., -1:] / 255
    assert close(load(path), colour / 255 * a + 1 - a)
    assert close(load(picture), colour / 255 * a + 1 - a)


def test_invisible_pixels_are_white() -> None:
    assert float(load(Image.new("RGBA", (16, 16), (10, 20, 30, 0))).min()) == 1


def palette_picture(grey: bool = False) -> tuple[Image.Image, np.ndarray]:
    table = np.array([[9, 9, 9], [70, 70, 70], [200, 200, 200], [255, 255, 255]], np.uint8)
    if not grey:
        table[:, 1] = [0, 90, 10, 250]
    index = GREY % 4
    picture = Image.fromarray(index)
    picture.putpalette(table.tobytes())
    return picture, table[index]


def test_a_palette_becomes_rgb_and_a_grey_one_grey(tmp_path: Path) -> None:
    for grey in (False, True):
        picture, pixels = palette_picture(grey)
        assert picture.mode == "P"
        for name in ("a.png", "a.gif"):
            picture.save(tmp_path / name)
            assert close(load(tmp_path / name), (pixels[..., 0] if grey else pixels) / 255)


@pytest.mark.parametrize("transparency", [2, bytes([255, 255, 0, 128])])
def test_a_palette_with_transparency(tmp_path: Path, transparency: int | bytes) -> None:
    picture, pixels = palette_picture()
    picture.save(tmp_path / "a.png", transparency=transparency)
    a = np.array([255, 255, 0, 255 if isinstance(transparency, int) else 128])[GREY % 4][..., None]
    assert close(load(tmp_path / "a.png"), (pixels * (a / 255) + 255 - a) / 255)


@pytest.mark.parametrize(
    ("depth", "colour", "values", "key"),
    [
        (8, 0, GREY, GREY[2, 3]),
        (16, 0, WIDE.astype(">u2"), WIDE[2, 3]),
        (8, 2, RGB, RGB[2, 3]),
    ],
)
def test_a_png_colour_key_is_transparent(
    tmp_path: Path, depth: int, colour: int, values: np.ndarray, key: np.ndarray
) -> None:
    tag = np.asarray(key, ">u2").tobytes()
    path = png(tmp_path / "a.png", (20, 30), depth, colour, scanlines(values), tRNS=tag)
    expected = values / (2**depth - 1)
    clear = (values == key).all(-1) if values.ndim == 3 else values == key
    expected[clear] = 1
    assert expected[2, 3].min() == 1
    assert close(load(path), expected)


def test_cmyk_and_other_colour_spaces_become_rgb(tmp_path: Path) -> None:
    red = Image.new("RGB", (20, 16), (255, 0, 0))
    expected = np.broadcast_to([1.0, 0, 0], (16, 20, 3))
    for mode in ("CMYK", "YCbCr", "HSV", "RGBX", "RGBa"):
        source = red.convert("RGBA").convert(mode) if mode == "RGBa" else red.convert(mode)
        assert close(load(source), expected, tolerance=0.01), mode
    red.convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    red.convert("CMYK").save(tmp_path / "a.tif")
    for name in ("a.jpg", "a.tif"):
        assert close(load(tmp_path / name), expected, tolerance=0.02), name
    lab = load(Image.new("LAB", (20, 16), (128, 128, 128)))
    assert lab.shape == (1, 3, 16, 20) and float(lab.std()) < 0.02


ORIENTATIONS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda v: v,
    2: lambda v: v[:, ::-1],
    3: lambda v: v[::-1, ::-1],
    4: lambda v: v[::-1],
    5: lambda v: v.T,
    6: lambda v: np.rot90(v, -1),
    7: lambda v: v[::-1, ::-1].T,
    8: lambda v: np.rot90(v),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = ORIENTATIONS[orientation]
    Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
    assert close(load(tmp_path / "a.png"), upright(GREY) / 255)
    Image.fromarray(WIDE).save(tmp_path / "wide.png", exif=exif)
    assert close(load(tmp_path / "wide.png"), upright(WIDE) / 65535)
    ramp = np.add.outer(np.arange(20) * 8, np.arange(30) * 2).astype(np.uint8)
    Image.fromarray(ramp).save(tmp_path / "a.jpg", exif=exif, quality=100)
    assert close(load(tmp_path / "a.jpg"), upright(ramp) / 255, tolerance=0.02)


def test_broken_exif_does_not_spoil_a_good_picture(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png", exif=b"Exif\0\0II*\0garbage garbage")
    assert close(load(tmp_path / "a.png"), GREY / 255)


@pytest.mark.parametrize("name", ["clip.gif", "clip.png", "clip.webp", "clip.tif"])
def test_an_animation_gives_its_first_frame_and_says_so(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (20, 16), c) for c in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    lossless: dict[str, Any] = {"lossless": True} if name.endswith("webp") else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **lossless)
    with pytest.warns(PictureWarning) as caught:
        x = load(tmp_path / name)
    assert [str(w.message) for w in caught] == [
        f"{tmp_path / name} has 3 frames; only the first is used."
    ]
    assert caught[0].filename == __file__
    assert close(x, np.broadcast_to([1.0, 0, 0], (16, 20, 3)))


# --- arrays, tensors, PIL images


@pytest.mark.parametrize(
    ("array", "scale"),
    [
        (GREY, 255),
        (GREY[..., None], 255),
        (RGB, 255),
        (RGB[::-1, :, ::-1], 255),
        (WIDE, 65535),
        (WIDE.astype(">u2"), 65535),
        (GREY > 100, 1),
        ((GREY / 255).astype(np.float16), 1),
        ((RGB / 255).astype(np.float32), 1),
        (RGB / 255, 1),
    ],
)
def test_arrays(array: np.ndarray, scale: int) -> None:
    expected = array.astype(np.float64) / scale
    assert close(load(array), expected[..., 0] if expected.shape[-1] == 1 else expected)


def test_alpha_in_arrays_and_tensors() -> None:
    half = np.full((16, 16, 4), 0.5)
    assert close(load(half), np.full((16, 16, 3), 0.75))
    assert close(load(torch.from_numpy(half).permute(2, 0, 1)), np.full((16, 16, 3), 0.75))


def test_tensors_of_every_shape_and_type() -> None:
    grey = torch.from_numpy(GREY)
    for x in (grey, grey[None], grey[None, None], grey / 255, (grey / 255).double()):
        assert close(load(x), GREY / 255)
    colour = torch.from_numpy(RGB).permute(2, 0, 1)
    for x in (colour, colour[None], (colour / 255).requires_grad_()):
        assert close(load(x), RGB / 255)
    assert close(load(grey > 100), GREY > 100)
    for dtype in (torch.float16, torch.bfloat16):
        assert close(load((grey / 255).to(dtype)), GREY / 255, tolerance=0.005)


def test_the_result_is_a_copy() -> None:
    array = np.zeros((16, 16), np.float32)
    tensor = torch.zeros(1, 1, 16, 16)
    for source in (array, tensor):
        load(source).fill_(1)
    assert array.max() == 0 and tensor.max() == 0


def test_a_rounding_beyond_the_scale_is_clamped_and_more_is_not() -> None:
    x = load(np.array([[-0.0009, 1.0009]] * 16).repeat(16, 1))
    assert float(x.min()) == 0 and float(x.max()) == 1
    one_sentence(lambda: load(np.full((16, 16), 1.002)), "from 1.002 to 1.002", "rescale")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((16, 16), 200.0), "divide them by 255"),
        (np.full((16, 16), 60000.0), "divide them by 65535"),
        (np.linspace(-1, 1, 256).reshape(16, 16), "add 1 and divide by 2"),
        (np.full((16, 16), -7e300), "rescale"),
        (np.full((16, 16), np.nan), "256 of 256 values that are NaN or infinite"),
        (np.full((16, 16), -np.inf), "NaN or infinite"),
        (np.zeros((16, 16), np.int64), "dtype int64: expected uint8"),
        (np.zeros((16, 16), complex), "dtype complex128"),
        (np.full((16, 16), "a"), "dtype"),
        (np.full((16, 16), None), "dtype object"),
        (np.zeros((3, 20, 30)), "the channels last"),
        (np.zeros((20, 30, 2)), "shape (20, 30, 2)"),
        (np.zeros(20), "shape (20,)"),
        (np.zeros(()), "shape ()"),
        (np.zeros((0, 0)), "0×0"),
        (np.zeros((15, 4000)), "4000×15"),
    ],
)
def test_wrong_arrays(array: np.ndarray, words: str) -> None:
    one_sentence(lambda: load(array), "The array", words)


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.zeros(2, 3, 16, 16), "shape (2, 3, 16, 16)"),
        (torch.zeros(16, 16, 3), "shape (16, 16, 3)"),
        (torch.zeros(16), "shape (16,)"),
        (torch.zeros(16, 16, dtype=torch.int64), "dtype int64"),
        (torch.full((16, 16), torch.nan), "NaN"),
        (torch.zeros(16, 16).to_sparse(), "cannot be read"),
        (torch.zeros(16, 16, device="meta"), "cannot be read"),
        (torch.zeros(16, 8), "8×16"),
    ],
)
def test_wrong_tensors(tensor: torch.Tensor, words: str) -> None:
    one_sentence(lambda: load(tensor), "The tensor", words)


@pytest.mark.parametrize("thing", [None, 7, [[0.5] * 16] * 16, b"\x89PNG", object()])
def test_things_that_are_no_pictures(thing: Any) -> None:
    one_sentence(lambda: load(thing), f"The {type(thing).__name__}", "expected a path")


# --- files that are no pictures


def test_missing_folder_empty_and_text(tmp_path: Path) -> None:
    refused(tmp_path / "none.png", "does not exist")
    (tmp_path / "empty.png").touch()
    refused(tmp_path / "empty.png", "0 bytes")
    refused(tmp_path / "empty.png" / "below.png", "does not exist")
    (tmp_path / "notes.png").write_text("not a picture at all")
    refused(tmp_path / "notes.png", "not a picture in a known format")
    refused(tmp_path, "is a folder")
    one_sentence(lambda: load(""), "does not exist")
    one_sentence(lambda: load("a\nb\0.png"), "a?b?.png")


@pytest.mark.parametrize(
    "text",
    [
        "<svg xmlns='...'/>",
        "\ufeff<?xml version='1.0'?>\n<!-- drawn -->\n<svg/>",
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
        "%PDF-1.7\n",
    ],
)
def test_vector_drawings(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.svg").write_text(text, encoding="utf-8")
    refused(tmp_path / "a.svg", "convert it to PNG first")


@pytest.mark.parametrize("text", ["<!DOCTYPE html><p>", "\n <html lang='en'><svg/>"])
def test_a_web_page_called_png(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.png").write_text(text)
    refused(tmp_path / "a.png", "web page")


def test_a_heic_photograph(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    refused(tmp_path / "a.heic", "HEIC", "convert it")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.bmp", "a.webp"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_truncated_files(tmp_path: Path, name: str, share: float) -> None:
    Image.fromarray(RGB.repeat(8, 0).repeat(8, 1)).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    refused(tmp_path / name)


def test_garbled_files_raise_nothing_else(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for name in ("a.png", "a.jpg", "a.gif", "a.bmp", "a.webp", "a.tga", "a.ico"):
        Image.fromarray(RGB).save(tmp_path / name)
        whole = bytearray((tmp_path / name).read_bytes())
        for _ in range(20):
            garbled = bytearray(whole)
            for place in rng.integers(0, min(len(whole), 300), 5):
                garbled[place] = rng.integers(256)
            (tmp_path / name).write_bytes(garbled)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", PictureWarning)
                    load(tmp_path / name)
            except PictureError as error:
                assert name in str(error) and str(error).endswith(".")


def test_no_permission_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*args: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    Image.fromarray(RGB).save(tmp_path / "a.png")
    monkeypatch.setattr(decode, "open", no, raising=False)  # root may read everything
    refused(tmp_path / "a.png", "permissions")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    refused(tmp_path / "a.png", "pipe")


@pytest.mark.parametrize("side", [7_500, 10_000, 60_000, 2**31 - 1])
def test_a_decompression_bomb_is_refused_from_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int
) -> None:
    path = png(tmp_path / "bomb.png", (side, side), 8, 2, bytes(10_000_000))
    assert path.stat().st_size < 20_000
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)  # decoding would fail otherwise
    start = time.perf_counter()
    refused(path, "megapixels")
    assert time.perf_counter() - start < 1


def test_a_gif_frame_larger_than_its_header_says(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.gif")
    data = bytearray((tmp_path / "a.gif").read_bytes())
    at = data.rindex(b"\x2c\0\0\0\0" + struct.pack("<HH", 30, 20))
    data[at + 5 : at + 9] = struct.pack("<HH", 65535, 65535)
    (tmp_path / "a.gif").write_bytes(data)
    start = time.perf_counter()
    refused(tmp_path / "a.gif")
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("size", [(1, 1), (4000, 15), (15, 16), (4097, 16), (16, 6000)])
def test_sides_out_of_range(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("L", size).save(tmp_path / "a.png")
    refused(tmp_path / "a.png", f"{size[0]}×{size[1]}")
    one_sentence(lambda: load(Image.new("L", size)), f"{size[0]}×{size[1]}")


@pytest.mark.parametrize("size", [(16, 16), (4096, 16), (16, 4096), (17, 33)])
def test_sides_just_in_range(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("L", size).save(tmp_path / "a.png")
    assert load(tmp_path / "a.png").shape == (1, 1, size[1], size[0])


# --- samples


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_load_without_a_download(name: str) -> None:
    x = sample(name)
    assert x.shape[1] in (1, 3) and min(x.shape[2:]) >= 128
    assert 0 <= float(x.min()) < float(x.max()) <= 1


def test_a_sample_is_scikit_images_picture() -> None:
    from skimage.data import astronaut

    assert close(sample("astronaut"), astronaut() / 255)


def test_an_unknown_sample_lists_the_known() -> None:
    one_sentence(lambda: sample("lena"), "'lena'", *SAMPLES)


# --- writing


def test_bytes_survive_there_and_back(tmp_path: Path) -> None:
    for array in (np.arange(256, dtype=np.uint8).reshape(16, 16), RGB):
        x = load(array)
        assert np.array_equal(to_uint8(x), array)
        for suffix in (".png", ".PNG", ".tif", ".bmp", ".webp"):
            save(x, tmp_path / f"a{suffix}")
            again = load(tmp_path / f"a{suffix}")
            assert torch.equal(again, x if suffix != ".webp" else x.expand_as(again))
    save(X, tmp_path / "a.jpg")
    assert close(load(tmp_path / "a.jpg"), RGB / 255, tolerance=0.2)


def test_conversion_clamps_rounds_and_checks() -> None:
    x = torch.tensor([-1.0, 0.4999 / 255, 0.501 / 255, 0.999, 7.0]).view(1, 1, 1, 5)
    assert to_uint8(x).tolist() == [[0, 0, 1, 255, 255]]
    assert to_pil(X).mode == "RGB" and to_pil(X[:, :1]).mode == "L"
    assert to_pil(X).size == (30, 20)
    one_sentence(lambda: to_uint8(X[0]), "shape (3, 20, 30)")
    one_sentence(lambda: to_uint8(X * torch.nan), "1800 values that are NaN")
    kept = X.clone()
    to_uint8(X)[:] = 0
    assert torch.equal(X, kept)


@pytest.mark.parametrize("name", ["clean", "clean.xyz", "clean.", ".png"])
def test_an_unknown_suffix(tmp_path: Path, name: str) -> None:
    for call in (lambda: save(X, tmp_path / name), lambda: check_writable(tmp_path / name)):
        one_sentence(call, name, ".png")
    assert not [*tmp_path.iterdir()]


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("kept")
    (tmp_path / "folder.png").mkdir()
    wrong = {
        "file.txt/a.png": "is not a folder",
        "file.txt/below/a.png": "does not exist",
        "none/a.png": "does not exist",
        "folder.png": "is a folder",
        "x" * 300 + ".png": "cannot be written",
    }
    for name, words in wrong.items():
        path = tmp_path / name
        calls: list[Callable[[], None]] = [
            lambda path=path: save(X, path),  # type: ignore[misc]
            lambda path=path: check_writable(path),  # type: ignore[misc]
            lambda path=path: atomic_write(path, b""),  # type: ignore[misc]
        ]
        for call in calls:
            one_sentence(call, path.name, words)
    assert (tmp_path / "file.txt").read_text() == "kept"
    assert not (tmp_path / "none").exists()


def test_check_writable_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "a.png")
    check_writable(tmp_path / "report.json", picture=False)
    assert not [*tmp_path.iterdir()]
    (tmp_path / "a.png").write_text("kept")
    check_writable(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_text() == "kept"


class FullDisk:
    """A file on a disk that fills up after a few bytes."""

    def __init__(self, path: Path, mode: str) -> None:
        self.file = open(path, mode)

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def write(self, data: bytes) -> int:
        self.file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(X, tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    monkeypatch.setattr(images, "open", FullDisk, raising=False)
    one_sentence(lambda: save(1 - X, tmp_path / "a.png"), "a.png", "No space left")
    one_sentence(lambda: save(X, tmp_path / "b.png"), "b.png", "No space left")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before


def test_a_real_limit_of_the_system(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        one_sentence(lambda: atomic_write(tmp_path / "a.bin", bytes(2_000_000)), "a.bin")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [*tmp_path.iterdir()]


def test_an_interrupt_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "a.bin").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic_write(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"old"


def test_atomic_write_replaces_and_follows_links(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a.bin", b"one")
    atomic_write(str(tmp_path / "a.bin"), b"two", sync=True)
    assert (tmp_path / "a.bin").read_bytes() == b"two"
    if os.name != "posix":
        return
    (tmp_path / "link.bin").symlink_to("a.bin")
    atomic_write(tmp_path / "link.bin", b"three")
    assert (tmp_path / "link.bin").is_symlink()
    assert (tmp_path / "a.bin").read_bytes() == b"three"
    (tmp_path / "plain").touch()  # as readable to others as any file the user makes
    assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no devices here")
def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "null.png").symlink_to("/dev/null")
    one_sentence(lambda: check_writable(tmp_path / "null.png"), "null.png", "device")
    one_sentence(lambda: load(tmp_path / "null.png"), "null.png", "device")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


# --- shapes


def test_sizes_are_compared_and_both_named() -> None:
    check_same_size(X, X[:, :1])
    words = ("reference is 29×20", "picture 30×20")
    one_sentence(lambda: check_same_size(X, X[..., :29]), *words)
    one_sentence(lambda: check_same_size(X, X[..., :9, :], what="mask"), "mask is 30×9")


def test_channels_are_matched() -> None:
    grey = X[:, :1]
    assert match_channels(X, X) is X
    assert torch.equal(match_channels(grey, X), torch.cat([grey] * 3, 1))
    luma = 0.299 * X[:, :1] + 0.587 * X[:, 1:2] + 0.114 * X[:, 2:]
    assert torch.allclose(match_channels(X, grey), luma)
    assert torch.allclose(match_channels(match_channels(grey, X), grey), grey)


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (64, 20), (1, 2), (3, 1)])
@pytest.mark.parametrize("multiple", [1, 8, 32, 64, 128])
def test_padding_reflects_as_numpy_does(size: tuple[int, int], multiple: int) -> None:
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    padded, kept = pad_reflect(x, multiple)
    extra = [(0, -side % multiple) for side in size]
    expected = np.pad(x.numpy(), [(0, 0), (0, 0), *extra], mode="reflect")
    assert np.array_equal(padded.numpy(), expected)
    assert kept == size
    assert torch.equal(crop(padded, kept), x)


def test_padding_lets_gradients_through() -> None:
    x = torch.rand(1, 1, 16, 16, requires_grad=True)
    pad_reflect(x, 64)[0].sum().backward()
    assert x.grad is not None and float(x.grad.sum()) == 64 * 64
