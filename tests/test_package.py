"""Importing the package is cheap and without side effects; each room keeps its place."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import dip_lite

ROOMS = sorted(Path(dip_lite.__file__).parent.glob("*.py"))

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


def test_no_two_rooms_import_each_other() -> None:
    names = {room.stem for room in ROOMS}
    above: dict[str, set[str]] = {}
    for room in ROOMS:
        found: set[str] = set()
        for node in ast.walk(ast.parse(room.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                own = node.level == 1 or (node.module or "").startswith("dip_lite")
                module = (node.module or "").removeprefix("dip_lite").lstrip(".")
                wanted = {module.split(".")[0]} if module else {a.name for a in node.names}
                found |= wanted & names if own else set()
        above[room.stem] = found - {room.stem, "__init__"}
    order = [*TopologicalSorter(above).static_order()]  # raises CycleError, naming the rooms
    assert order.index("decode") < order.index("images") < order.index("tasks")
    assert order.index("nets") < order.index("tasks") and order.index("fit") < order.index("tasks")


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
