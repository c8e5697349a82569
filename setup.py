"""Puts the course into the wheel, and the README on its index page; all else is in pyproject.toml.

The notebooks lie beside the package in a checkout, and inside it, in dip_lite/course, once
installed: `dip-lite course DIR` copies them from either.
"""

import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

TREE = "https://github.com/dip-lite/dip_lite/blob/main/"
RAW = "https://github.com/dip-lite/dip_lite/raw/main/"


class BuildWithCourse(build_py):
    """Builds the package, then adds the notebooks."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        course = Path(self.build_lib) / "dip_lite" / "course"
        shutil.rmtree(course, ignore_errors=True)
        for notebook in sorted(Path("notebooks").rglob("[!.]*.ipynb")):
            if ".ipynb_checkpoints" not in notebook.parts:
                copy = course / notebook.relative_to("notebooks")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(notebook, copy)


def index_page() -> str:
    """The README without the settings of a Space at its top, its links leading out of the index."""
    text = Path("README.md").read_text("utf-8")
    text = re.sub(r"\A---\n.*?\n---\n+", "", text, flags=re.DOTALL)
    text = re.sub(r"(!\[[^\]]*\]\()(?!\w+:|#)", rf"\g<1>{RAW}", text)
    return re.sub(r"(?<!!)(\[[^\]]*\]\()(?!\w+:|#)", rf"\g<1>{TREE}", text)


setup(
    cmdclass={"build_py": BuildWithCourse},
    long_description=index_page(),
    long_description_content_type="text/markdown",
)
