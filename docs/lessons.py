"""The notebooks as pages of the book: copies in `docs/course/`, where Sphinx looks for its sources.

The outputs under "What do you expect?" are folded until clicked, up to the next heading.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

QUESTION = "What do you expect?"
BADGE = re.compile(r"\[!\[(\w+)\]\([^)]*\)\]\(([^)]*)\)\n?")  # a picture from another site
TOCTREE = "\n\n```{toctree}\n:hidden:\n:glob:\n\n%s\n```"
SOLUTIONS = "# Solutions\n\nThe exercises of each lesson, solved. Try them first."


def copy(notebooks: Path, course: Path) -> None:
    """Writes every notebook into the folder `course`; those that are unchanged are left alone."""
    wanted = {}
    for path in [*notebooks.glob("*.ipynb"), *notebooks.glob("solutions/*.ipynb")]:
        name = path.relative_to(notebooks).as_posix()
        wanted[name] = as_page(path, name)
    listed = "".join(f"\n* [](<{n}>)" for n in sorted(wanted) if n.startswith("solutions/"))
    listed = listed.replace("solutions/", "")
    wanted["solutions/index.md"] = SOLUTIONS + "\n" + listed + TOCTREE % "0*" + "\n"
    for path in [*course.glob("*.ipynb"), *course.glob("solutions/*")]:
        if path.relative_to(course).as_posix() not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = course / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def as_page(path: Path, name: str) -> str:
    """The text of one notebook as the book shows it."""
    notebook = nbformat.read(path, as_version=4)
    asked = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            if re.search(r"^#+ ", cell.source, re.MULTILINE):
                asked = False
            asked = asked or QUESTION in cell.source
            cell.source = without_badges(cell.source, name)
        elif '"google.colab"' in cell.source:
            _tag(cell, "remove-cell")
        elif asked:
            _tag(cell, "hide-output")
    if name == "index.ipynb":
        cell = notebook.cells[0]
        cell.source = cell.source.replace("(solutions/)", "(solutions/index.md)")
        cell.source += TOCTREE % "0*\nsolutions/index"
    return nbformat.writes(notebook) + "\n"


def without_badges(text: str, name: str) -> str:
    """Colab's and Binder's badges as plain links: a page asks no other site for a picture."""
    links = [f"[{where}]({url})" for where, url in BADGE.findall(text)]
    if not links:
        return text
    source = f"https://github.com/dip-lite/dip_lite/blob/main/notebooks/{name}"
    line = f"Run it: {' · '.join(links)} · `make lab` · [source]({source})\n"
    return BADGE.sub("", text.replace("[![", line + "[![", 1))


def _tag(cell: nbformat.NotebookNode, tag: str) -> None:
    cell.metadata["tags"] = [*cell.metadata.get("tags", []), tag]
