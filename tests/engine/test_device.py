"""What the machine has is asked for, never assumed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dip_lite.engine import device as hardware
from dip_lite.engine.device import PRECISIONS, autocast, has_bfloat16, keep_memory, peak_memory

CPU = torch.device("cpu")


@pytest.fixture
def fresh() -> Iterator[None]:
    """Forgets what is known of this processor, before and after."""
    has_bfloat16.cache_clear()
    yield
    has_bfloat16.cache_clear()


def pretend(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "best"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_the_best_there_is(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, best: str
) -> None:
    pretend(monkeypatch, cuda, mps)
    assert hardware.pick_device("auto").type == best


def test_the_cpu_is_always_there() -> None:
    assert hardware.pick_device("cpu") == CPU


@pytest.mark.parametrize("name", ["nonsense", "CPU please", "meta", "cuda:99"])
def test_others_are_refused_in_one_sentence_with_the_choice(name: str) -> None:
    with pytest.raises(ValueError) as caught:
        hardware.pick_device(name)
    message = str(caught.value)
    assert repr(name) in message and "auto, cpu, cuda or mps" in message
    assert message.splitlines() == [message]


@pytest.mark.parametrize(
    ("flags", "native"),
    [("fpu avx2 fma", False), ("avx512f avx512_bf16", True), ("amx_bf16 amx_tile", True)],
)
@pytest.mark.usefixtures("fresh")
def test_bfloat16_is_read_from_the_processors_flags(
    monkeypatch: pytest.MonkeyPatch, flags: str, native: bool
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda self: f"flags : {flags}\n")
    assert has_bfloat16() is native
    dtype = torch.bfloat16 if native else torch.float32
    with autocast(CPU, "auto"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


@pytest.mark.usefixtures("fresh")
def test_a_system_that_tells_no_flags_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: Path) -> str:
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "read_text", missing)
    assert has_bfloat16() is False


def test_precision_is_kept_when_asked_for_and_left_again() -> None:
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with autocast(CPU, precision):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_an_unknown_precision_is_refused_with_the_known() -> None:
    with pytest.raises(ValueError, match="'half'") as caught:
        autocast(CPU, "half")
    assert all(known in str(caught.value) for known in PRECISIONS)


def test_memory_is_kept_where_the_c_library_can() -> None:
    kept = keep_memory()
    assert isinstance(kept, bool) and keep_memory() is kept
    if sys.platform != "linux":
        assert not kept


def test_peak_memory_is_in_bytes_and_covers_what_is_held() -> None:
    import psutil

    before = peak_memory()
    block = torch.ones(30_000_000)  # four bytes each
    held = psutil.Process().memory_info().rss
    assert held > block.nbytes
    slack = 8e6  # the system counts pages in batches
    assert max(before, held - slack) <= peak_memory() < 1e12
