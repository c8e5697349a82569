"""Every kind of picture is decoded as it looks; every kind of wrong input gets one sentence."""

from __future__ import annotations

import errno
import os
import struct
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dip_lite.errors import PictureError, PictureWarning
from dip_lite.images import decode
from dip_lite.images.io import load

from .common import GREY, RGB, WIDE, close, one_sentence


def refused(path: Path, *phrases: str) -> str:
    return one_sentence(lambda: load(path), path.name, *phrases)


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


def test_broken_exif_is_ignored(tmp_path: Path) -> None:
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
    ("array", "message"),
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
def test_wrong_arrays(array: np.ndarray, message: str) -> None:
    one_sentence(lambda: load(array), "The array", message)


@pytest.mark.parametrize(
    ("tensor", "message"),
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
def test_wrong_tensors(tensor: torch.Tensor, message: str) -> None:
    one_sentence(lambda: load(tensor), "The tensor", message)


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
            for index in rng.integers(0, min(len(whole), 300), 5):
                garbled[index] = rng.integers(256)
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
