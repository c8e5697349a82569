"""Importing the package is cheap and without side effects; every module is documented."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import dip_lite

HOUSE = Path(dip_lite.__file__).parent
ROOT = HOUSE.parent
MODULES = sorted(HOUSE.rglob("*.py"))

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


HEAVY = (
    "matplotlib skimage PIL click tqdm scipy pandas torchvision IPython ipywidgets anywidget "
    "gradio dask"
)


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


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_every_module_has_a_docstring(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))


def test_no_public_name_is_also_a_module_where_it_is_exported() -> None:
    """`from dip_lite import x` must mean one thing."""
    for package in [HOUSE, *(path.parent for path in HOUSE.glob("*/__init__.py"))]:
        modules = {path.stem for path in package.iterdir()}
        exported = importlib.import_module(".".join(package.relative_to(ROOT).parts))
        assert not modules & set(getattr(exported, "__all__", ())), package


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
    for name in ("", "-course", "-app", "-sweep"):
        assert _requirements(f"requirements{name}.txt")


def test_the_lower_bounds_are_the_oldest_versions_that_are_tested() -> None:
    bounds = _requirements("requirements.txt")
    oldest = _requirements("requirements-oldest.txt")
    asked = {name for name, found in bounds.items() if "win32" not in str(found.marker)}
    assert asked == set(oldest) - {"pyparsing"}
    for name in asked:
        (exact,), (least,) = oldest[name].specifier, bounds[name].specifier
        assert (exact.operator, least.operator) == ("==", ">=")
        assert Version(exact.version) == Version(least.version), name


def _requirements(name: str) -> dict[str, Requirement]:
    """The lines of a requirements file, by project."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    stripped = [line.split("#")[0].strip() for line in lines]
    found = [Requirement(line) for line in stripped if line]
    return {requirement.name: requirement for requirement in found}
