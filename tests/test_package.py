"""Importing the package is cheap and without side effects; each room keeps its place."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import dip_lite

HOUSE = Path(dip_lite.__file__).parent
ROOT = HOUSE.parent
ROOMS = sorted(HOUSE.rglob("*.py"))

# Only a process of its own shows what an import does. torch comes first: it is the caller's.
PROBE = """
import os, random, signal, socket, subprocess, sys, urllib.request, warnings
import torch, numpy
torch.manual_seed(1); numpy.random.seed(2); random.seed(3)

def state():
    return {
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "exactness": torch.are_deterministic_algorithms_enabled(),
        "torch random": torch.get_rng_state().tolist(),
        "numpy random": numpy.random.get_state()[1].tolist(),
        "random": random.getstate(),
        "warnings": list(warnings.filters),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "ctrl-c": signal.getsignal(signal.SIGINT),
        "path": list(sys.path),
        "files": sorted(os.listdir()),
    }

def refuse(*args, **kwargs):
    raise AssertionError("an import must not reach out")

socket.socket.connect = subprocess.Popen.__init__ = urllib.request.urlopen = refuse
loaded, before = set(sys.modules), state()
import dip_lite
after = state()
for what in before:
    assert before[what] == after[what], what
print(*sorted(set(sys.modules) - loaded))
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules that `import dip_lite` adds to a process that has torch and numpy."""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:dip_lite", "-c", PROBE],
        cwd=tmp_path_factory.mktemp("elsewhere"),
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def _environment() -> dict[str, str]:
    """Ours, with the package found from anywhere."""
    import os

    return {**os.environ, "PYTHONPATH": str(Path(dip_lite.__file__).parent.parent)}


HEAVY = "matplotlib skimage PIL click tqdm scipy pandas torchvision IPython ipywidgets gradio dask"


@pytest.mark.parametrize("module", HEAVY.split())
def test_importing_pulls_in_nothing_heavy(imported: set[str], module: str) -> None:
    assert not [name for name in imported if name.split(".")[0] == module]


def test_importing_sets_nothing_and_reaches_nowhere(imported: set[str]) -> None:
    assert "dip_lite" in imported  # the probe's own assertions have passed
    assert "dip_lite.__main__" not in imported


def test_every_public_name_is_there_and_documented() -> None:
    assert sorted(set(dip_lite.__all__)) == sorted(dip_lite.__all__)
    for name in dip_lite.__all__:
        assert getattr(dip_lite, name).__doc__, name
    assert dip_lite.__version__.count(".") == 2


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.stem)
def test_every_room_says_what_it_is(room: Path) -> None:
    assert ast.get_docstring(ast.parse(room.read_text(encoding="utf-8")))


def _name(room: Path) -> str:
    """ "images" of images.py, "tasks.common" of tasks/common.py, "tasks" of tasks/__init__.py."""
    parts = room.relative_to(HOUSE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def _imported_by(room: Path, names: set[str]) -> set[str]:
    """The rooms that one imports, anywhere in its text."""
    found: set[str] = set()
    inside = len(room.relative_to(HOUSE).parts) - 1  # 1 for a file in tasks/
    for node in ast.walk(ast.parse(room.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module or ""
        if node.level == 0 and not module.startswith("dip_lite"):
            continue
        above = room.relative_to(HOUSE).parts[:-1] if inside and node.level == 1 else ()
        path = ".".join([*above, *filter(None, [module.removeprefix("dip_lite").lstrip(".")])])
        wanted = {path, *(".".join(filter(None, [path, alias.name])) for alias in node.names)}
        found |= wanted & names
    return found


def test_no_two_rooms_import_each_other() -> None:
    names = {_name(room) for room in ROOMS}
    above = {_name(room): _imported_by(room, names) for room in ROOMS}
    above = {name: found - {name, "__init__"} for name, found in above.items()}
    order = [*TopologicalSorter(above).static_order()]  # raises CycleError, naming the rooms
    assert order.index("decode") < order.index("images") < order.index("tasks")
    assert order.index("task") < order.index("tasks.common") < order.index("tasks")
    later = ("nets tasks", "fit restore", "tasks verbs", "verbs restore", "restore cli")
    for early, late in map(str.split, later):
        assert order.index(early) < order.index(late), (early, late)


@pytest.mark.parametrize(("given", "seen"), [(None, "3000"), ("77", "77")])
def test_the_one_exception_short_spinning_where_torch_is_not_yet_loaded(
    given: str | None, seen: str
) -> None:
    """Documented in `dip_lite/__init__.py`; whoever has set the variable keeps what they set."""
    environment = _environment()
    environment.pop("GOMP_SPINCOUNT", None)
    if given:
        environment["GOMP_SPINCOUNT"] = given
    code = "import dip_lite, os; print(os.environ['GOMP_SPINCOUNT'])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == seen, done.stderr


def test_the_extras_are_plain_requirements() -> None:
    """setuptools reads them, and takes no options such as -r there."""
    for name in ("requirements.txt", "requirements-course.txt", "requirements-app.txt"):
        lines = (ROOT / name).read_text().splitlines()
        told = [line.split("#")[0].strip() for line in lines]
        for line in filter(None, told):
            assert Requirement(line)
