"""What must hold before a release: `make release-check`.

    python -m tools.release_check                        # all of it; the tests take half an hour
    python -m tools.release_check --tests tests/test_package.py
    python -m tools.release_check --tests none

The version is the same everywhere, links inside the tree lead somewhere, sdist and wheel build from
a clean copy into dist/, the wheel is small, `twine check` finds nothing (where twine is installed),
and the tests pass in the unpacked sdist.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parents[1]
MAX_WHEEL = 8_000_000  # bytes
PAGES = ("*.md", "docs/*.md", "docs/guides/*.md", "docs/api/*.md", "dip_lite/app/assets/*.md")
LINK = re.compile(r"\]\(([^()\s]+)\)|^```\{(?:image|figure|include)\} (\S+)", re.MULTILINE)
NOT_SOURCE = (
    ".git", ".venv*", "build", "dist", "outputs", "*.egg-info", "__pycache__", ".*_cache",
    ".ipynb_checkpoints",
)  # fmt: skip


def wrong_versions(root: Path = ROOT) -> Iterator[str]:
    """A sentence for each file that does not name the version of `dip_lite/__init__.py`."""
    version = read_version(root)
    citation = (root / "CITATION.cff").read_text("utf-8")
    if f"\nversion: {version}\n" not in citation:
        yield f"CITATION.cff does not name version {version}."
    if not re.search(rf"^## {re.escape(version)}\b", read(root / "CHANGELOG.md"), re.MULTILINE):
        yield f"CHANGELOG.md has no section {version}."


def read_version(root: Path = ROOT) -> str:
    """The one version, from `dip_lite/__init__.py`."""
    found = re.search(r'^__version__ = "(.+)"$', read(root / "dip_lite/__init__.py"), re.MULTILINE)
    if found is None:
        raise ValueError('dip_lite/__init__.py has no line __version__ = "…"')
    return found[1]


def broken_links(root: Path = ROOT) -> Iterator[str]:
    """A sentence for each link of a page to a file or heading that is not in the tree."""
    for page in sorted(path for pattern in PAGES for path in root.glob(pattern)):
        for match in LINK.finditer(read(page)):
            target = unquote(match[1] or match[2])
            if not re.match(r"\w+:", target) and not leads_somewhere(page, target, root):
                yield f"{page.relative_to(root)} links to {target}, which is not there."


def leads_somewhere(page: Path, target: str, root: Path = ROOT) -> bool:
    """Whether a link of a page leads to a file, and to a heading of it if it names one."""
    path, _, heading = target.partition("#")
    file = Path(os.path.normpath(page.parent / path)) if path else page
    course = root / "docs" / "course"  # copied there by each build of the book
    if file.is_relative_to(course):
        file = root / "notebooks" / file.relative_to(course)
        file = file.parent if file.name == "index.md" else file  # written by the build as well
    if not file.exists():
        return False
    return not heading or file.suffix != ".md" or heading in headings(read(file))


def headings(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and MyST name them.

    >>> headings("# A\\n## Without a GPU, on Linux\\n")
    {'a', 'without-a-gpu-on-linux'}
    """
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def read(path: Path) -> str:
    return path.read_text("utf-8")


def build(folder: Path, root: Path = ROOT) -> tuple[Path, Path]:
    """Builds the sdist from a clean copy of the tree, and the wheel from the sdist; offline.

    Args:
        folder: gets both files.

    Returns:
        the paths of sdist and wheel.

    Raises:
        subprocess.CalledProcessError: one does not build; its output has been printed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        shutil.copytree(root, source, ignore=shutil.ignore_patterns(*NOT_SOURCE))
        shutil.rmtree(source / "docs" / "course", ignore_errors=True)
        sdist = folder / _build("sdist", source, folder)
        unpacked = unpack(sdist, Path(name) / "unpacked")
        return sdist, folder / _build("wheel", unpacked, folder)


def _build(kind: str, source: Path, folder: Path) -> str:
    """Builds in a process of its own, with the setuptools of this environment."""
    code = (
        "import sys; from setuptools import build_meta; "
        f"print(build_meta.build_{kind}(sys.argv[1]), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder.resolve())],
        cwd=source, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n")
    done.check_returncode()
    return done.stderr.split()[-1]


def unpack(sdist: Path, folder: Path) -> Path:
    """The folder that an sdist unpacks to."""
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(folder, filter="data")
        else:  # Python before 3.10.12
            archive.extractall(folder)
    return next(folder.iterdir())


def twine_problems(files: tuple[Path, Path]) -> str:
    """What twine finds wrong; says so and finds nothing where it is not installed."""
    if importlib.util.find_spec("twine") is None:
        print("twine is not installed, so its check is left out: pip install twine")
        return ""
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True)
    print(done.stdout.strip())
    return "" if done.returncode == 0 else "twine check found something."


def failing_tests(sdist: Path, tests: list[str]) -> str:
    """Runs tests in the unpacked sdist; a sentence if some fail."""
    with tempfile.TemporaryDirectory() as folder:
        source = unpack(sdist, Path(folder))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
        status = subprocess.call(command, cwd=source)
    return "" if status == 0 else "tests fail in the unpacked sdist."


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tests", nargs="*", default=[], help="what to run; none: nothing")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="for sdist and wheel")
    options = parser.parse_args()
    problems = [*wrong_versions(), *broken_links()]
    files = build(options.dist)
    for file in files:
        print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB")
    if files[1].stat().st_size > MAX_WHEEL:
        problems.append(f"{files[1].name} is larger than {MAX_WHEEL / 1e6:.0f} MB.")
    problems.append(twine_problems(files))
    if options.tests != ["none"]:
        problems.append(failing_tests(files[0], options.tests))
    problems = [problem for problem in problems if problem]
    print("\n".join(problems) or f"dip_lite {read_version()} can be released.")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
