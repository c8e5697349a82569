"""Docstrings as Sphinx reads them: ours are plain text with `names` in backticks and indented code.

The comments beside a dataclass's fields become its attributes, so they are written once.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

import dip_lite

NAME = re.compile(r"(?<![`:\w])`(\w+)`(?!`)")
BAR = re.compile(r"\|(?=[^`]*(?:`[^`]*`[^`]*)*$)")  # |x|, outside of backticks
FIELD = re.compile(r"^    (\w+): .*?  # (.+)$", re.MULTILINE)


def as_rst(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Links public names in backticks; indented blocks of a module's docstring become code."""
    is_code = [what == "module" and line.startswith("    ") for line in lines]
    lines[:] = [
        line if code or ">>>" in line else NAME.sub(_link, BAR.sub(r"\|", line))
        for line, code in zip(lines, is_code, strict=True)
    ]
    if what == "module":
        for at in range(len(lines) - 1, 1, -1):
            if lines[at].startswith("    ") and not lines[at - 1]:
                if not lines[at - 2].startswith("    "):
                    lines[at:at] = ["::", ""]


def _link(found: re.Match[str]) -> str:
    name = found[1]
    return f":py:obj:`{name} <dip_lite.{name}>`" if name in dip_lite.__all__ else found[0]


def add_field_comments(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Appends a dataclass's fields with their comments, unless its docstring lists them."""
    if "Attributes:" in lines or not (isinstance(obj, type) and dataclasses.is_dataclass(obj)):
        return
    found = FIELD.findall(inspect.getsource(obj))
    if found:
        lines += ["", "Attributes:", *(f"    {field}: {text}" for field, text in found), ""]


def link_back(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Corrects the links from a source to the API, where a module has names of two kinds.

    viewcode takes all of a module to be imported from one place, but `dip_lite.psnr` and
    `dip_lite.images.metrics.mse` are from one file.
    """
    if not page.startswith("_modules/dip_lite"):
        return
    module, known = page[len("_modules/") :].replace("/", "."), app.env.get_domain("py").objects

    def correct(found: re.Match[str]) -> str:
        tail = found[1].removeprefix(f"{module}.").removeprefix("dip_lite.")
        right = [name for name in (f"dip_lite.{tail}", f"{module}.{tail}") if name in known]
        return f'#{(right or [found[1]])[0]}"'

    context["body"] = re.sub(r'#(dip_lite\.[\w.]+)"', correct, context["body"])
