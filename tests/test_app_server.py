"""The demo over its wires: strangers' files, strangers' posts, many at once."""

from __future__ import annotations

import base64
import io
import json
import secrets
import struct
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from app_server import QUEUE, ROOT, Server, server
from PIL import Image

from dip_lite import load

SENTENCE = 400  # characters at most


@pytest.fixture(scope="module")
def demo() -> Server:
    return server()


@pytest.fixture(scope="module")
def wire(demo: Server) -> Iterator[Any]:
    with httpx.Client(base_url=demo.address, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def config(wire: Any) -> dict[str, Any]:
    found: dict[str, Any] = wire.get("/config").json()
    return found


def component(config: dict[str, Any], name: str) -> int:
    return next(c["id"] for c in config["components"] if c["props"].get("elem_id") == name)


def event(config: dict[str, Any], name: str, kind: str) -> int:
    target = [component(config, name), kind]
    return next(d["id"] for d in config["dependencies"] if target in d["targets"])


def upload(wire: Any, name: str, data: bytes) -> str:
    reply = wire.post("/gradio_api/upload", files={"files": (name, data)})
    assert reply.status_code == 200, reply.text
    return str(reply.json()[0])


def file_data(path: str) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def take(wire: Any, config: dict[str, Any], path: Any) -> dict[str, Any]:
    """What the page does when a file was uploaded, and what it hears."""
    session = secrets.token_hex(5)
    body = {
        "data": [file_data(path)],
        "fn_index": event(config, "file", "upload"),
        "session_hash": session,
    }
    reply = wire.post("/gradio_api/queue/join", json=body)
    if reply.status_code != 200:
        return {"error": "refused", "text": reply.text}
    url = "/gradio_api/queue/data"
    with wire.stream("GET", url, params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                message = json.loads(line.removeprefix("data:"))
                if message["msg"] == "process_completed":
                    found: dict[str, Any] = message["output"]
                    return found
    raise AssertionError("the server hung up")


def told(reply: dict[str, Any]) -> None:
    """One sentence of refusal."""
    text = str(reply.get("error"))
    assert 10 < len(text) < SENTENCE and "\n" not in text and text.endswith("."), reply
    for never in ("Traceback", "/tmp", "gradio", "0x", "Error:", "NoneType", "<"):
        assert never not in text, text


# --- strangers' files


def pixels(seed: int = 0, size: tuple[int, int] = (60, 40)) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    planes = [x, y, 0.5 + 0.4 * np.sin(6 * x + seed)]
    return (255 * np.stack(planes, 2)).astype(np.uint8)


def encoded(kind: str, picture: Any = None, **options: Any) -> bytes:
    memory = io.BytesIO()
    picture = Image.fromarray(pixels()) if picture is None else picture
    picture.save(memory, kind, **options)
    return memory.getvalue()


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
    came = Image.open(io.BytesIO(base64.b64decode(value["live"].partition(",")[2])))
    seen = np.asarray(came.convert("RGB"), np.float32) / 255
    plain = wanted.expand(-1, 3, -1, -1)[0].permute(1, 2, 0).numpy()
    assert np.abs(seen - plain).mean() < 0.06  # it comes as a lossy preview
    if "animated" in name:
        assert "frames" in value["note"]
    assert "<" not in json.dumps(value)


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_one_sentence(name: str, wire: Any, config: dict[str, Any]) -> None:
    called, make = BAD[name]
    told(take(wire, config, upload(wire, called, make())))


def test_a_file_too_large_is_refused(wire: Any) -> None:
    reply = wire.post("/gradio_api/upload", files={"files": ("a.png", b"\0" * 17_000_000)})
    assert reply.status_code == 413


# --- strangers' posts


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "../../etc/passwd", "app.py", "web/choices.py", "/proc/self/environ",
        "http://example.org/a.png", "https://127.0.0.1:9/a.png", "HTTP://localhost/", "file:///etc",
        "ftp://example.org/a", "//example.org/a.png", "\0", "", 7, None, ["a"], {"a": 1},
        "/uploads/../../etc/passwd",
    ],
)  # fmt: skip
def test_no_path_of_the_host_and_no_address_is_read(
    path: Any, wire: Any, config: dict[str, Any]
) -> None:
    reply = take(wire, config, path)
    assert "error" in reply and "data" not in reply
    assert "root:" not in str(reply) and "Traceback" not in str(reply)


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd", "/gradio_api/file=app.py", "/file=web/choices.py",
        "/gradio_api/file=http://example.org", "/gradio_api/file=../../etc/passwd",
        "/gradio_api/file=%2e%2e/%2e%2e/etc/passwd", "/gradio_api/proxy=http://example.org/",
        "/dip/../app.py", "/dip/example/../../app.py", "/dip/example/%2e%2e%2f%2e%2e%2fapp.py",
        "/dip/AAAAAAAAAAAAAAAAAAAAAA/result.png", "/dip/example/landing.json", "/monitoring",
        "/gradio_api/deep_link", "/docs", "/redoc",
    ],
)  # fmt: skip
def test_nothing_of_the_host_is_served(path: str, wire: Any) -> None:
    reply = wire.get(path)
    assert reply.status_code in (403, 404, 422) and "import" not in reply.text
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_an_address_gets_no_farther_than_the_gate(wire: Any, config: dict[str, Any]) -> None:
    for path in ("http://example.org/a.png", "HTTPS://example.org", " ftp://a/b", "file:///etc"):
        reply = take(wire, config, path)
        assert "Please give a file, not an address." in reply["text"]
    body = {"data": ["x" * 9_000_000]}
    assert wire.post("/gradio_api/call/restore", json=body).status_code == 413


def test_only_restore_is_public(wire: Any, config: dict[str, Any]) -> None:
    info = wire.get("/gradio_api/info").json()
    assert list(info["named_endpoints"]) == ["/restore"] and not info["unnamed_endpoints"]
    names = [p["parameter_name"] for p in info["named_endpoints"]["/restore"]["parameters"]]
    assert names == ["picture", "task", "mask", "factor", "seconds", "steps", "seed", "network"]
    for private in config["dependencies"]:
        if private["api_name"] != "restore":
            assert private["api_visibility"] == "private"


def call(wire: Any, *data: Any) -> tuple[str, Any]:
    """What /restore says last: "complete" and its data, or "error" and a sentence."""
    reply = wire.post("/gradio_api/call/restore", json={"data": list(data)})
    if reply.status_code != 200:
        return "refused", reply.json()
    word, content = "", ""
    with wire.stream("GET", f"/gradio_api/call/restore/{reply.json()['event_id']}") as stream:
        for line in stream.iter_lines():
            if line.startswith("event: "):
                word = line.removeprefix("event: ")
            elif line.startswith("data: ") and word in ("complete", "error"):
                content = json.loads(line.removeprefix("data: "))
    return word, content


TINY = [4, 20, 4, 0, "tiny"]  # factor, seconds, steps, seed, network


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (1, "../../etc/passwd"), (1, 7), (1, None), (1, ["denoise"]), (3, 5), (3, "four"),
        (3, 10**40), (4, -1), (4, 10**30), (4, "NaN"), (4, None), (5, 10**9), (5, 1.5), (6, -3),
        (6, 2**70), (7, "paper"), (7, "<script>"), (7, {"a": [1]}), (0, "http://example.org/a.png"),
        (0, {"path": "/etc/passwd"}), (0, 5), (0, None),
        (2, {"path": "http://example.org/a.png", "meta": {"_type": "gradio.FileData"}}),
    ],
)  # fmt: skip
def test_posts_of_wrong_kinds_are_refused(place: int, value: Any, wire: Any) -> None:
    data: list[Any] = [file_data(upload(wire, "a.png", encoded("PNG"))), "denoise", None, *TINY]
    data[place] = value
    word, content = call(wire, *data)
    assert word in ("error", "refused")
    assert "Traceback" not in json.dumps(content) and "root:" not in json.dumps(content)


def test_the_endpoint_with_its_own_client(demo: Server, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = Client(demo.address, verbose=False, download_files=str(tmp_path / "down"))
        try:
            path, report = client.predict(
                picture=handle_file(str(tmp_path / "a.png")), steps=12, network="tiny",
                api_name="/restore",
            )  # fmt: skip
        finally:
            client.close()
    assert report["state"] == "done" and report["step"] == 12
    with Image.open(path) as restored:
        assert restored.size == (60, 40)


def test_inpainting_by_the_endpoint(wire: Any) -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 20:30] = 255
    paths = [
        file_data(upload(wire, "a.png", encoded("PNG"))),
        "inpaint",
        file_data(upload(wire, "m.png", encoded("PNG", Image.fromarray(mask)))),
    ]
    word, content = call(wire, *paths, *TINY)
    assert word == "complete" and content[1]["state"] == "done", content


# --- many at once


def test_many_at_once_each_get_their_own(demo: Server) -> None:
    """With more comers than places: each their own picture back, or a clear refusal."""
    answers: dict[int, tuple[str, Any]] = {}

    def visit(number: int) -> None:
        picture = Image.new("RGB", (32 + number, 40), (8 * number, 255 - 8 * number, 128))
        with httpx.Client(base_url=demo.address, timeout=120) as wire:
            path = upload(wire, f"{number}.png", encoded("PNG", picture))
            word, content = call(wire, file_data(path), "denoise", None, 4, 20, 60, 0, "tiny")
            if word == "complete":
                url = f"/gradio_api/file={content[0]['path']}"
                content = Image.open(io.BytesIO(wire.get(url).content)).copy()
            answers[number] = (word, content)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(QUEUE // 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(answers) == QUEUE // 3
    for number, (word, content) in answers.items():
        assert word == "complete", content
        assert content.size == (32 + number, 40)
        colour = np.asarray(content, np.float32).mean((0, 1))
        assert np.abs(colour - (8 * number, 255 - 8 * number, 128)).max() < 60


def test_those_who_leave_free_the_line(demo: Server, wire: Any) -> None:
    """Visitors who hang up mid-run: the next one is served at once."""
    for number in range(5):
        with httpx.Client(base_url=demo.address, timeout=30) as guest:
            path = upload(guest, f"left-{number}.png", encoded("PNG"))
            data = [file_data(path), "denoise", None, 4, 100, 0, 0, "light"]
            found = guest.post("/gradio_api/call/restore", json={"data": data}).json()["event_id"]
            with guest.stream("GET", f"/gradio_api/call/restore/{found}") as stream:
                for line in stream.iter_lines():
                    if '"running"' in line or number % 2:
                        break
    begun = time.monotonic()
    word, content = call(
        wire, file_data(upload(wire, "a.png", encoded("PNG"))), "denoise", None, *TINY
    )
    assert word == "complete", content
    assert time.monotonic() - begun < 50  # and not five times a hundred seconds


def test_no_error_reached_the_log(demo: Server) -> None:
    """Last: what strangers did above is no error of ours, and the server is still there."""
    assert demo.process.poll() is None
    ours = [f'File "{ROOT / part}' for part in ("web", "dip_lite", "app.py")]
    inner = [line for line in demo.told().splitlines() if any(part in line for part in ours)]
    assert not inner, demo.told()[-3000:]
