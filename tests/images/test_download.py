"""Where downloads are kept, and what is read as an address; `test_samples` has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from dip_lite.errors import PictureError
from dip_lite.images import download
from dip_lite.images.download import cache_folder


@pytest.mark.parametrize(
    ("system", "variable", "below"),
    [
        ("linux", "XDG_CACHE_HOME", "dip_lite"),
        ("linux", "HOME", ".cache/dip_lite"),
        ("darwin", "HOME", "Library/Caches/dip_lite"),
        ("win32", "LOCALAPPDATA", "dip_lite/dip_lite/Cache"),
        ("linux", "DIP_LITE_CACHE", ""),
    ],
)
@pytest.mark.skipif(Path.home().drive != "", reason="HOME is not Windows's home")
def test_the_cache_is_where_the_system_keeps_such_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, variable: str, below: str
) -> None:
    for name in ("DIP_LITE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr(download.sys, "platform", system)
    assert cache_folder() == tmp_path / below


def test_a_local_file_is_no_download(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"here")
    with pytest.raises(PictureError, match="is the address right"):
        download.download("A", tmp_path.as_uri(), "a.png", "0" * 64, tmp_path / "b", "use another")
    assert not (tmp_path / "b").exists()
