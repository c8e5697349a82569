"""The package without its checkout: sdist and wheel are built, and the wheel's commands run.

Everything lies in folders of this test. The wheel is installed beside this environment's packages,
which saves gigabytes; that it asks for what it needs is checked by comparing imports.
"""

from __future__ import annotations

import ast
import contextlib
import os
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request
import zipfile
from email.parser import HeaderParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pytest
from packaging.requirements import Requirement

import dip_lite
from dip_lite.errors import EXTRAS
from tests.app.server import free_port
from tools.release_check import MAX_WHEEL, build

ROOT = Path(__file__).parents[1]
BIN = "Scripts" if os.name == "nt" else "bin"
EXTRA = sorted({module for modules in EXTRAS.values() for module in modules})

# Names that the core may not import, as if they were not installed.
BLOCKER = """
import os, sys
for name in os.environ.get("TEST_WITHOUT", "").split():
    sys.modules[name] = None
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def metadata(files: tuple[Path, Path]) -> Any:
    with zipfile.ZipFile(files[1]) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        return HeaderParser().parsestr(wheel.read(name).decode())


class Installed:
    """The wheel in a folder of its own, called from elsewhere."""

    def __init__(self, wheel: Path, folder: Path) -> None:
        self.site, self.home = folder / "site", folder / "home"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
        subprocess.run([*pip, "--target", str(self.site), str(wheel)], check=True)
        (self.site / "sitecustomize.py").write_text(BLOCKER)
        self.home.mkdir()
        self.environment = {**os.environ, "PYTHONPATH": str(self.site), "OMP_NUM_THREADS": "1"}

    def command(self, *words: str, without: tuple[str, ...] | list[str] = ()) -> Any:
        """A finished call of dip-lite."""
        environment = {**self.environment, "TEST_WITHOUT": " ".join(without)}
        return subprocess.run(
            [self.script, *words], cwd=self.home, env=environment,
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    @property
    def script(self) -> str:
        return str(next((self.site / BIN).glob("dip-lite*")))

    def python(self, code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=self.home, env=self.environment,
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(files[1], tmp_path_factory.mktemp("installed"))


# --- what the files hold


def test_the_wheel_is_small_and_holds_all_but_tests(files: tuple[Path, Path]) -> None:
    assert files[1].stat().st_size <= MAX_WHEEL
    with zipfile.ZipFile(files[1]) as wheel:
        names = set(wheel.namelist())
    package = {
        f"dip_lite/{path.relative_to(ROOT / 'dip_lite').as_posix()}"
        for path in (ROOT / "dip_lite").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    course = {
        f"dip_lite/course/{path.relative_to(ROOT / 'notebooks').as_posix()}"
        for path in (ROOT / "notebooks").rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts
    }
    assert len(course) >= 13 and package | course <= names
    others = {name for name in names - package - course if ".dist-info/" not in name}
    assert not others


def test_the_sdist_holds_what_its_tests_need(files: tuple[Path, Path]) -> None:
    with tarfile.open(files[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    missing = {name for name in tracked.stdout.split() if (ROOT / name).exists()} - names
    assert missing <= {".gitignore"}
    assert {"Makefile", "tests/test_wheel.py", "setup.py"} <= names
    assert not [name for name in names if name.startswith("docs/course/")]


def test_the_metadata(metadata: Any) -> None:
    assert metadata["Version"] == dip_lite.__version__
    assert set(metadata.get_all("Provides-Extra")) == {"app", "course", "sweep", "all"}
    assert metadata["Requires-Python"] in (">=3.10,<3.14", "<3.14,>=3.10")
    page = metadata.get_payload()
    assert page.startswith("# dip_lite") and "](docs/" not in page and "](notebooks/" not in page


def names_of(metadata: Any, extra: str = "") -> set[str]:
    """The projects that the wheel asks for, with an extra."""
    asked = [Requirement(text) for text in metadata.get_all("Requires-Dist")]
    plain = {r.name for r in asked if "extra" not in str(r.marker)}
    if not extra:
        return plain
    return {r.name for r in asked if f'extra == "{extra}"' in str(r.marker)} - plain


def test_the_extras(metadata: Any) -> None:
    core = names_of(metadata)
    assert not core & {"gradio", "dask", "distributed", "pandas", "jupyterlab", "ipywidgets"}
    for extra, modules in EXTRAS.items():
        assert {*modules} <= names_of(metadata, extra)
    assert names_of(metadata, "all") == set().union(*(names_of(metadata, e) for e in EXTRAS))


PROJECTS = {"PIL": "pillow", "skimage": "scikit-image"}
OPTIONAL = {"spaces", "IPython", "ipywidgets"}  # used where they are


def test_every_import_is_asked_for(metadata: Any) -> None:
    """Of the package, by the core or by the extra of its wing."""
    comes_with = {"pydantic", "starlette", "traitlets", "requests"}  # Gradio, anywidget, pooch
    asked = names_of(metadata).union(*(names_of(metadata, extra) for extra in EXTRAS)) | comes_with
    for path in (ROOT / "dip_lite").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in {name.split(".")[0] for name in names}:
                known = name in sys.stdlib_module_names or name in OPTIONAL
                assert known or PROJECTS.get(name, name) in asked, f"{path}: {name}"


# --- what is installed runs


def test_it_is_the_installed_one(installed: Installed) -> None:
    assert str(installed.site) in installed.python("import dip_lite; print(dip_lite.__file__)")


def test_a_fit_and_the_help_of_every_command(installed: Installed) -> None:
    """In one process, since each start costs seconds."""
    code = """
from dip_lite import add_noise, denoise, fit, psnr, sample, save
from dip_lite.__main__ import _commands, main
x_true = sample("camera")[..., 200:264, 200:264]
x0 = add_noise(x_true, 25 / 255)
*_, last = fit(denoise(x0, preset="tiny"), steps=40)
assert psnr(last.best, x_true) > psnr(x0, x_true), (psnr(last.best, x_true), psnr(x0, x_true))
save(x0, "noisy.png")
names = [*_commands([]).commands]
assert {"app", "course", "demo", "denoise", "sweep"} <= set(names)
for name in names:
    try:
        assert main([name, "--help"]) == 0, name
    except SystemExit as end:
        assert not end.code, name
"""
    said = installed.python(code)
    assert said.count("Usage:") >= 11 and (installed.home / "noisy.png").exists()


def test_the_core_needs_no_extra(installed: Installed) -> None:
    installed.python(
        "import numpy; from PIL import Image; v = numpy.random.default_rng(0).integers("
        "0, 255, (40, 48), 'uint8'); Image.fromarray(v).save('core.png')"
    )
    words = "denoise core.png -o clean.png --preset tiny --steps 5".split()
    done = installed.command(*words, without=[*EXTRA, "IPython", "ipywidgets", "jupyter_core"])
    assert done.returncode == 0, done.stderr
    assert (installed.home / "clean.png").exists()


def test_the_course_is_copied_and_says_how_to_open_it(installed: Installed) -> None:
    done = installed.command("course", "lessons", without=["jupyterlab"])
    assert done.returncode == 0, done.stderr
    assert "jupyter lab" in done.stdout and 'pip install "dip_lite[course]"' in done.stdout
    copies = sorted((installed.home / "lessons").rglob("*.ipynb"))
    assert len(copies) == len([*(ROOT / "notebooks").rglob("[!.]*.ipynb")])
    nbformat.validate(nbformat.read(copies[0], as_version=4))


def test_a_missing_extra_is_one_sentence(installed: Installed) -> None:
    (installed.home / "grid.toml").write_text(
        'pictures = ["sample:camera"]\nsteps = 1\nseeds = [0]\n[[tasks]]\nname = "denoise"\n'
    )
    for words, extra in ((["app"], "app"), (["sweep", "grid.toml"], "sweep")):
        done = installed.command(*words, without=EXTRAS[extra])
        assert done.returncode == 2, done.stdout + done.stderr
        said = [
            line for line in done.stderr.replace("\r", "\n").splitlines() if "run/s" not in line
        ]
        (line,) = [line for line in said if line and "?run" not in line]
        assert f'run `pip install "dip_lite[{extra}]"`' in line and line.endswith(".")


@pytest.mark.skipif(not find_spec("gradio"), reason="the extra app is not installed")
def test_the_demo_starts_and_answers(installed: Installed) -> None:
    port = free_port()
    process = subprocess.Popen(
        [installed.script, "app", "--port", str(port)], cwd=installed.home,
        env=installed.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    killer = threading.Timer(120, process.kill)
    killer.start()
    try:
        assert process.stdout is not None
        assert any("The demo is at" in line for line in process.stdout)
        with contextlib.closing(urllib.request.urlopen(f"http://127.0.0.1:{port}/")) as reply:
            assert reply.status == 200 and b"Deep Image Prior" in reply.read()
        process.terminate()
        for _ in range(100):
            if process.poll() is not None:
                break
            time.sleep(0.1)
        assert process.poll() == 0
    finally:
        killer.cancel()
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
