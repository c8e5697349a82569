"""Strangers' files: strange pictures are read right, all else is refused in a sentence."""

from __future__ import annotations

import base64
import io
import json
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dip_lite import load
from tests.app.http import check_refusal, encoded, pixels, take, upload


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, data: bytes, *more: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), *more, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    return encoded("JPEG", exif=exif, quality=95)


def animation(kind: str) -> bytes:
    frames = [Image.fromarray(pixels(seed)) for seed in range(4)]
    return encoded(kind, frames[0], save_all=True, append_images=frames[1:])


def rgba() -> Image.Image:
    alpha = np.full((40, 60, 1), 128, np.uint8)
    return Image.fromarray(np.concatenate([pixels(), alpha], 2))


def grey16() -> Image.Image:
    return Image.fromarray(pixels()[..., 0].astype(np.uint16) * 257)


BOMB = zlib.compress(b"\0" * 20_000_000, 9)


GOOD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "png": ("a.png", lambda: encoded("PNG")),
    "jpeg": ("a.jpg", lambda: encoded("JPEG", quality=95)),
    "webp": ("a.webp", lambda: encoded("WEBP")),
    "bmp": ("a.bmp", lambda: encoded("BMP")),
    "tiff": ("a.tif", lambda: encoded("TIFF")),
    "grey": ("a.png", lambda: encoded("PNG", Image.fromarray(pixels()).convert("L"))),
    "one bit": ("a.png", lambda: encoded("PNG", Image.fromarray(pixels()).convert("1"))),
    "16 bits": ("a.png", lambda: encoded("PNG", grey16())),
    "16 bits tiff": ("a.tiff", lambda: encoded("TIFF", grey16())),
    "float tiff in range": (
        "a.tiff", lambda: encoded("TIFF", Image.fromarray(pixels()[..., 0] / np.float32(255)))
    ),
    "cmyk": ("a.jpg", lambda: encoded("JPEG", Image.fromarray(pixels()).convert("CMYK"))),
    "palette": ("a.png", lambda: encoded("PNG", Image.fromarray(pixels()).quantize(64))),
    "palette gif": ("a.gif", lambda: encoded("GIF")),
    "alpha": ("a.png", lambda: encoded("PNG", rgba())),
    "alpha grey": ("a.png", lambda: encoded("PNG", rgba().convert("LA"))),
    "alpha webp": ("a.webp", lambda: encoded("WEBP", rgba(), lossless=True)),
    "animated gif": ("a.gif", lambda: animation("GIF")),
    "animated webp": ("a.webp", lambda: animation("WEBP")),
    **{f"exif {n}": ("a.jpg", lambda n=n: turned(n)) for n in range(1, 9)},
    "png named jpg": ("a.jpg", lambda: encoded("PNG")),
    "jpeg without suffix": ("holiday", lambda: encoded("JPEG", quality=95)),
    "more data than pixels": ("a.png", lambda: png(40, 40, BOMB)),
    "huge metadata": ("a.png", lambda: _with_text(b"tEXt", b"c\0" + b"x" * 900_000)),
    "path-like name": ("../../../../etc/cron.d/a.png", lambda: encoded("PNG")),
    "absolute name": ("/etc/passwd.png", lambda: encoded("PNG")),
    "windows name": ("C:\\Windows\\a.png", lambda: encoded("PNG")),
    "non-ascii name": ("Übergrößenträger 写真 🐈.png", lambda: encoded("PNG")),
    "html name": ("<img src=x onerror=alert(1)>.png", lambda: encoded("PNG")),
    "long name": ("a" * 180 + ".png", lambda: encoded("PNG")),
    "dotted name": ("....png", lambda: encoded("PNG")),
}  # fmt: skip


BAD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "wrong magic": ("a.png", lambda: b"GARBAGE!" * 200),
    "text": ("a.png", lambda: b"hello there\n"),
    "empty": ("a.png", lambda: b""),
    "one byte": ("a.jpg", lambda: b"\xff"),
    "truncated png": ("a.png", lambda: encoded("PNG")[:-700]),
    "truncated jpeg": ("a.jpg", lambda: encoded("JPEG", quality=95)[:600]),
    "header alone": ("a.png", lambda: encoded("PNG")[:33]),
    "bomb by header": ("a.png", lambda: png(60_000, 60_000, BOMB)),
    "bomb of metadata": (
        "a.png", lambda: _with_text(b"zTXt", b"c\0\0" + zlib.compress(b"\0" * 90_000_000, 9))
    ),
    "one pixel": ("a.png", lambda: encoded("PNG", Image.new("RGB", (1, 1)))),
    "a line": ("a.png", lambda: encoded("PNG", Image.new("L", (1, 20_000)))),
    "too wide": ("a.png", lambda: encoded("PNG", Image.new("L", (20_000, 20)))),
    "no sides": ("a.png", lambda: png(0, 0, zlib.compress(b""))),
    "float tiff out of range": (
        "a.tiff", lambda: encoded("TIFF", Image.fromarray(pixels()[..., 0] * np.float32(1e9)))
    ),
    "float tiff of nan": (
        "a.tiff", lambda: encoded("TIFF", Image.fromarray(np.full((40, 40), np.nan, np.float32)))
    ),
    "svg": ("a.svg", lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>'),
    "svg named png": ("a.png", lambda: b'<?xml version="1.0"?><svg onload="alert(1)"/>'),
    "html named png": ("a.png", lambda: b"<!doctype html><html><script>alert(1)</script></html>"),
    "pdf": ("a.pdf", lambda: b"%PDF-1.4 ..."),
    "eps named png": ("a.png", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    "zip": ("a.png", lambda: b"PK\x03\x04" + b"\0" * 200),
    "script": ("a.png", lambda: b"#!/bin/sh\nrm -rf /\n"),
    "heic": ("a.heic", lambda: b"\0\0\0\x18ftypheic" + b"\0" * 100),
}  # fmt: skip


def _with_text(name: bytes, data: bytes) -> bytes:
    plain = zlib.compress(b"".join(b"\0" + bytes(range(40)) for _ in range(40)))
    return png(40, 40, plain, chunk(name, data))


def test_there_are_enough_hostile_files() -> None:
    assert len(GOOD) + len(BAD) >= 40


@pytest.mark.parametrize("name", GOOD)
def test_a_strange_picture_is_read_right(
    name: str, wire: Any, config: dict[str, Any], tmp_path: Path
) -> None:
    called, make = GOOD[name]
    data = make()
    reply = take(wire, config, upload(wire, called, data))
    assert "data" in reply, reply
    value = reply["data"][0]
    (tmp_path / "same").write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = load(tmp_path / "same")
    assert value["size"] == [wanted.shape[3], wanted.shape[2]]
    preview = Image.open(io.BytesIO(base64.b64decode(value["preview"].partition(",")[2])))
    seen = np.asarray(preview.convert("RGB"), np.float32) / 255
    plain = wanted.expand(-1, 3, -1, -1)[0].permute(1, 2, 0).numpy()
    assert np.abs(seen - plain).mean() < 0.06  # it comes as a lossy preview
    if "animated" in name:
        assert "frames" in value["note"]
    assert "<" not in json.dumps(value)


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_one_sentence(name: str, wire: Any, config: dict[str, Any]) -> None:
    called, make = BAD[name]
    check_refusal(take(wire, config, upload(wire, called, make())))


def test_a_file_too_large_is_refused(wire: Any) -> None:
    reply = wire.post("/gradio_api/upload", files={"files": ("a.png", b"\0" * 17_000_000)})
    assert reply.status_code == 413
