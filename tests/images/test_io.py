"""Pictures are written whole or not at all, and padding can be undone."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dip_lite.images import io as images
from dip_lite.images.io import (
    atomic_write,
    check_same_size,
    check_writable,
    crop,
    encode_png,
    load,
    match_channels,
    pad_reflect,
    save,
    to_pil,
    to_uint8,
)

from .common import RGB, X, close, one_sentence


@pytest.fixture(autouse=True)
def nothing_half_written(tmp_path: Path) -> Iterator[None]:
    yield
    assert not [*tmp_path.rglob(".dip-*")], "a temporary file was left behind"


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


def test_a_png_has_the_pixels_however_fast_it_was_made() -> None:
    for fast in (False, True):
        data = encode_png(X, fast=fast)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), RGB)


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


def test_paths_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("kept")
    (tmp_path / "folder.png").mkdir()
    wrong = {
        "file.txt/a.png": "is not a folder",
        "file.txt/below/a.png": "does not exist",
        "none/a.png": "does not exist",
        "folder.png": "is a folder",
        "x" * 300 + ".png": "cannot be written",
    }
    for name, message in wrong.items():
        path = tmp_path / name
        calls: list[Callable[[], None]] = [
            lambda path=path: save(X, path),  # type: ignore[misc]
            lambda path=path: check_writable(path),  # type: ignore[misc]
            lambda path=path: atomic_write(path, b""),  # type: ignore[misc]
        ]
        for call in calls:
            one_sentence(call, path.name, message)
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
    sizes = ("reference is 29×20", "picture is 30×20")
    one_sentence(lambda: check_same_size(X, X[..., :29]), *sizes)
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
