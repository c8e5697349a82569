"""The `course` command."""

from __future__ import annotations

import sys
from pathlib import Path

from dip_lite.__main__ import main
from dip_lite.cli import course

ROOT = Path(__file__).parents[2]


def test_it_copies_every_notebook_and_nothing_else(tmp_path: Path, capsys) -> None:
    assert main(["course", str(tmp_path / "a" / "b")]) == 0
    copies = {path.relative_to(tmp_path / "a/b") for path in tmp_path.rglob("*") if path.is_file()}
    source = ROOT / "notebooks"
    hidden = ".ipynb_checkpoints"
    expected = {p.relative_to(source) for p in source.rglob("*.ipynb") if hidden not in p.parts}
    assert copies == expected
    for name in copies:
        assert (tmp_path / "a/b" / name).read_bytes() == (source / name).read_bytes()
    said = capsys.readouterr().out
    assert f"Wrote {len(copies)} notebooks." in said and "jupyter lab" in said


def test_somebodys_work_is_not_replaced(tmp_path: Path, capsys) -> None:
    """Not even the others are written."""
    (tmp_path / "solutions").mkdir()
    mine = tmp_path / "solutions" / "00_quickstart.ipynb"
    mine.write_text("my work")
    assert main(["course", str(tmp_path)]) == 2
    assert capsys.readouterr().err.strip() == f"{mine} exists: give a folder without the course."
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]
    assert mine.read_text() == "my work"


def test_what_cannot_be_done_is_one_sentence(tmp_path: Path, capsys, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        assert main(["course", str(folder)]) == 2
        said = capsys.readouterr().err.strip()
        assert said.count("\n") == 0 and "cannot be written" in said and said.endswith(".")
    monkeypatch.setattr(course, "SOURCES", (tmp_path / "none",))
    assert main(["course", str(tmp_path / "new")]) == 2
    assert "install dip_lite from a wheel" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_without_jupyterlab_it_says_how_to_install_it(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    assert main(["course", str(tmp_path)]) == 0
    assert 'jupyterlab: run `pip install "dip_lite[course]"`' in capsys.readouterr().out
