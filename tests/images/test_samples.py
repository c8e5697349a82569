"""Samples need no network; the paper's pictures are downloaded whole or not at all."""

from __future__ import annotations

import hashlib
import io
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dip_lite.errors import PictureError
from dip_lite.images import samples
from dip_lite.images.io import load
from dip_lite.images.masks import check_mask, load_mask
from dip_lite.images.samples import REGISTRY, SAMPLES, fetch, sample

from .common import close, one_sentence

PAPER = Path(__file__).parents[2] / "../shared/data/paper"
paper = pytest.mark.skipif(not PAPER.is_dir(), reason="the authors' pictures are not here")

memory = io.BytesIO()
Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)).save(
    memory, "PNG"
)
MADE_UP = memory.getvalue()  # about 37 KB


class Server(ThreadingHTTPServer):
    """Serves `files` by path, and counts; `fault` is what it does wrong."""

    fault = ""
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.gate = threading.Barrier(1)  # how many must ask before one is answered

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever has hung up is nobody's business."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.files.get(self.path.removeprefix("/data/"))
        if body is None or self.server.fault == "broken":
            self.send_error(404 if body is None else 503)
            return
        self.server.gate.wait(timeout=20)
        if self.server.fault == "other":
            body = body[:-1] + b"?"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.server.fault == "cut" else body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("DIP_LITE_PICTURES", server.address)
        monkeypatch.setenv("DIP_LITE_CACHE", str(tmp_path / "cache"))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1")
        yield server
        server.shutdown()


@pytest.fixture
def made_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server with a registry of one picture, "paper/made_up"."""
    server.files["folder/picture.png"] = MADE_UP
    entry = ("folder/picture.png", hashlib.sha256(MADE_UP).hexdigest())
    monkeypatch.setattr(samples, "REGISTRY", {"paper/made_up": entry})
    return server


def kept(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def sentence(name: str = "paper/made_up") -> str:
    """The message of the PictureError that the name raises: one line, one full stop, its name."""
    with pytest.raises(PictureError) as caught:
        sample(name)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.endswith(".") and not message.endswith("..")
    assert name in message
    return message


# --- bundled


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


# --- what is served


@paper
@pytest.mark.parametrize("name", REGISTRY)
def test_every_picture_comes_from_its_upstream_path(server: Server, name: str) -> None:
    for known, (where, _) in REGISTRY.items():
        suffix = Path(where).suffix
        server.files[where] = (PAPER / (known.removeprefix("paper/") + suffix)).read_bytes()
    x = sample(name)
    assert server.asked == ["/data/" + REGISTRY[name][0]]
    file = name.removeprefix("paper/") + Path(REGISTRY[name][0]).suffix
    assert torch.equal(x, load(PAPER / file))


@paper
@pytest.mark.parametrize("name", ["kate", "vase", "library"])
def test_the_authors_masks_have_missing_in_black(server: Server, name: str) -> None:
    for stem in (name, name + "_mask"):
        server.files[f"inpainting/{stem}.png"] = (PAPER / f"{stem}.png").read_bytes()
    x0 = sample(f"paper/{name}")
    mask = 1 - load_mask(sample(f"paper/{name}_mask"), x0)
    check_mask(mask, x0)
    assert 0.7 < mask.mean() < 1  # little is missing


def test_the_registry_is_well_formed() -> None:
    assert len(REGISTRY) == 14
    assert len({where for where, _ in REGISTRY.values()}) == 14
    assert len({sha256 for _, sha256 in REGISTRY.values()}) == 14
    for name, (where, sha256) in REGISTRY.items():
        assert name.startswith("paper/") and where.count("/") == 1
        assert len(sha256) == 64 and int(sha256, 16)


def test_a_second_time_nobody_is_asked(made_up: Server, tmp_path: Path) -> None:
    path = fetch("paper/made_up")
    assert path == tmp_path / "cache/paper/made_up.png"
    assert path.read_bytes() == MADE_UP
    made_up.fault = "broken"
    assert fetch("paper/made_up") == path
    assert sample("paper/made_up").shape == (1, 3, 96, 128)
    assert made_up.asked == ["/data/folder/picture.png"]
    assert kept(tmp_path) == ["made_up.png"]


def test_an_address_without_a_slash_at_its_end(
    made_up: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIP_LITE_PICTURES", made_up.address.rstrip("/"))
    fetch("paper/made_up")
    assert made_up.asked == ["/data/folder/picture.png"]


def test_a_damaged_copy_is_fetched_again(made_up: Server) -> None:
    path = fetch("paper/made_up")
    path.write_bytes(MADE_UP[:100])
    assert fetch("paper/made_up").read_bytes() == MADE_UP
    assert len(made_up.asked) == 2


def test_many_at_once_get_one_whole_file(made_up: Server, tmp_path: Path) -> None:
    made_up.gate = threading.Barrier(6)  # none is answered before all have asked
    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(fetch, ["paper/made_up"] * 6))
    assert len(made_up.asked) == 6
    assert {path.read_bytes() for path in paths} == {MADE_UP}
    assert kept(tmp_path) == ["made_up.png"]


# --- what goes wrong


def test_unknown_names_list_the_known(server: Server) -> None:
    message = sentence("paper/lena")
    assert all(name in message for name in REGISTRY)
    assert not server.asked


@pytest.mark.parametrize(
    "fault, expected",
    [("cut", "connection was cut"), ("other", "SHA-256 differs"), ("broken", "503")],
)
def test_what_is_not_the_picture_is_not_kept(
    made_up: Server, tmp_path: Path, fault: str, expected: str
) -> None:
    made_up.fault = fault
    message = sentence()
    assert expected in message and "'coffee'" in message
    assert kept(tmp_path) == []
    made_up.fault = ""
    assert fetch("paper/made_up").read_bytes() == MADE_UP  # and nothing is in the way of a retry


def test_a_failure_leaves_a_damaged_copy_as_it_is(made_up: Server) -> None:
    path = fetch("paper/made_up")
    path.write_bytes(b"damaged")
    made_up.fault = "cut"
    sentence()
    assert path.read_bytes() == b"damaged"


def test_not_found(made_up: Server) -> None:
    made_up.files.clear()
    assert "404" in sentence()


def test_nobody_listens(made_up: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, but it does not listen
        monkeypatch.setenv("DIP_LITE_PICTURES", f"http://127.0.0.1:{free.getsockname()[1]}")
        message = sentence()
    assert "no connection" in message and "'coffee'" in message and "127.0.0.1" in message


def test_no_answer(made_up: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "TIMEOUT", 0.2)
    made_up.gate = threading.Barrier(2)  # waits for another, who never asks
    assert "no answer" in sentence()
    made_up.gate.abort()


@pytest.mark.parametrize("address", ["nonsense", "ftp://nowhere/", "http://"])
def test_an_address_that_is_none(
    made_up: Server, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("DIP_LITE_PICTURES", address)
    assert "address" in sentence()


def test_a_cache_that_is_no_folder(
    made_up: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DIP_LITE_CACHE", str(tmp_path / "file"))
    assert "DIP_LITE_CACHE" in sentence()


def test_importing_the_package_imports_no_downloader() -> None:
    code = "import sys, dip_lite; sys.exit('pooch' in sys.modules or 'requests' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
