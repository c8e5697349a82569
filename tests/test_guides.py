"""The code of the guides and of the README is run: a few steps each, in a folder with a scene."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from dip_lite.__main__ import main
from dip_lite.app.launch import main as app
from tests.app.server import server
from tests.cli.scene import write_scene

ROOT = Path(__file__).parents[1]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
TEXTS = [*GUIDES, ROOT / "README.md", ROOT / "docs" / "index.md", ROOT / "docs" / "install.md"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHORTER = {  # how the long runs of a page become short ones
    r"\bseconds=\d+": "steps=2",
    r"\bsteps=\d+": "steps=2",
    r"^steps = \d+": "steps = 2",
    r"sample:\w+": "old.png",  # in a sweep
}
texts = pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)


def blocks(path: Path, language: str) -> list[str]:
    return [code for kind, code in BLOCK.findall(path.read_text("utf-8")) if kind == language]


def shorter(code: str) -> str:
    for long, short in SHORTER.items():
        code = re.sub(long, short, code, flags=re.MULTILINE)
    return code


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with every file that the guides name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(
        "DIP_LITE_RUNS", str(tmp_path)
    )  # a mirror without files: nothing to download
    write_scene()
    for old, new in {"clean": "old", "mask": "scratches"}.items():
        Path(f"{old}.png").rename(f"{new}.png")
    copies = {"flash.jpg": "flash", "dim.jpg": "noisy", "holiday/a.png": "noisy"}
    for name, of in {**copies, "scans/b.jpg": "noisy"}.items():
        Path(name).parent.mkdir(exist_ok=True)
        with Image.open(f"{of}.png") as picture:
            picture.save(name)
    return tmp_path


@texts
def test_its_python_runs(path: Path) -> None:
    scope = {"__name__": "__main__"}
    for number, code in enumerate(blocks(path, "python"), 1):
        if "gradio_client" in code:
            continue  # needs a server, see below
        exec(compile(shorter(code), f"{path.name}, block {number}", "exec"), scope)


@texts
def test_its_commands_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for code in blocks(path, "toml"):
        Path("grid.toml").write_text(shorter(code).replace("[0, 1, 2]", "[0]"), "utf-8")
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for line in "".join(blocks(path, "sh")).splitlines():
        words = shlex.split(line)
        if words[0] == "dip-lite":  # the same, once a wheel is installed
            words = ["python", "-m", "dip_lite", *words[1:]]
        if words[:2] == ["pip", "install"] or words[0] == "jupyter":
            extras = re.findall(r"dip_lite\[(\w+)\]", line)
            assert set(extras) <= {"app", "course", "sweep", "all"}, line
        elif words[3:4] == ["app"]:
            app.make_context("dip-lite app", words[4:])
        elif words[3:4] == ["course"]:
            assert main(words[3:]) == 0, line
        elif words[:3] == ["python", "-m", "dip_lite"]:
            restores = words[3] not in ("export", "sweep")
            more = ["--preset", "tiny", "--steps", "2"] if restores else []
            assert main([*words[3:], *more]) == 0, line
        elif "app.py" in words:
            app.make_context("app.py", words[words.index("app.py") + 1 :])
        elif words[0] != "." or words[1] != ".venv/bin/activate":
            assert words[0] == "make" and words[1] in targets, line


@texts
def test_the_targets_it_names_are_in_the_makefile(path: Path) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for name in re.findall(r"`make ([\w-]+)", path.read_text("utf-8")):
        assert name in targets


def test_the_demo_answers_a_program_as_the_guide_says() -> None:
    (code,) = [c for c in blocks(ROOT / "docs/guides/hosting.md", "python") if "Client" in c]
    code = code.replace("http://127.0.0.1:7860", server().address).replace("seconds=20", "steps=2")
    scope: dict[str, object] = {}
    exec(code, scope)
    with Image.open(str(scope["path"])) as restored, Image.open("noisy.png") as noisy:
        assert restored.size == noisy.size


README = (ROOT / "README.md").read_text("utf-8")


def test_the_readme_is_a_landing_page() -> None:
    assert len(README.splitlines()) <= 150
    assert len(re.findall(r"^\| -", README, re.MULTILINE)) <= 3
    moving = [name for name in re.findall(r"\(([^)]+\.webp)\)", README)]
    assert len(moving) == 1
    assert (ROOT / moving[0]).stat().st_size <= 1_000_000
    with Image.open(ROOT / moving[0]) as picture:
        assert getattr(picture, "n_frames", 1) > 10


def test_every_file_that_the_readme_links_to_exists() -> None:
    for address in re.findall(r"\]\(([^)#]+)\)", README):
        if not address.startswith("http"):
            assert (ROOT / address).exists(), address
