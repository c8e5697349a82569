"""Turns every knob of a notebook: python -m benchmarks.knobs [00 01 solutions/00 …]

A notebook's knobs are the numbers of the cell that reads DIP_LITE_FAST. In the fast mode each is
doubled and halved, one at a time; a claim may then fail, but the notebook must not stop. Without a
name all are tried, which takes hours. Ends with status 1 if one stopped.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from .common import table
from .lessons import execute, find

HEAD = ["notebook", "knob", "ended", "claims that then fail", "seconds"]
GUARD = "assert not FAST or"  # of our own tests: it keeps the fast mode small


def knobs_cell(source: str) -> bool:
    """Whether this is the cell of knobs."""
    return "DIP_LITE_FAST" in source


def turned(source: str) -> Iterator[tuple[str, str]]:
    """Every number of a cell of knobs, doubled and halved, as (what was done, the cell with it).

    Whole numbers stay whole, so 0 is left alone and 1 not halved; "/ 255" is a unit and no knob.

    >>> [what for what, _ in turned("SIDE = 64 if FAST else 128")]
    ['SIDE: 64 → 128', 'SIDE: 64 → 32']
    >>> [cell for _, cell in turned("SIGMA = 25 / 255")]
    ['SIGMA = 50 / 255', 'SIGMA = 12 / 255']
    """
    source = "\n".join("" if line.startswith(GUARD) else line for line in source.split("\n"))
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name, value = node.targets[0].id, node.value
        if name.isupper() and name != "FAST":
            for where, number in _numbers(value.body if isinstance(value, ast.IfExp) else value):
                for new in _others(number):
                    yield f"{name}: {number} → {new}", _replaced(source, where, new)


def _numbers(value: ast.expr) -> Iterator[tuple[ast.Constant, float]]:
    units = {id(n.right) for n in ast.walk(value) if isinstance(n, ast.BinOp)}
    for node in ast.walk(value):
        if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
            continue
        if isinstance(node.value, int | float) and not (id(node) in units and node.value == 255):
            yield node, node.value


def _others(number: float) -> list[float]:
    halved = number // 2 if isinstance(number, int) else number / 2
    return [new for new in (2 * number, halved) if new and new != number]


def _replaced(source: str, node: ast.Constant, new: float) -> str:
    lines = source.split("\n")
    line = lines[node.lineno - 1].encode()  # columns count bytes
    whole = line[: node.col_offset] + str(new).encode() + line[node.end_col_offset :]
    lines[node.lineno - 1] = whole.decode()
    return "\n".join(lines)


def main(names: list[str]) -> int:
    """Prints a row as each run ends, then the table; returns how many stopped."""
    import nbformat

    rows, stopped = [], 0
    for path in find(*names):
        cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        (knobs,) = filter(knobs_cell, cells)
        for what, cell in turned(knobs):
            out = execute(path, change=lambda text, c=cell: c if knobs_cell(text) else text)  # type: ignore[misc]
            stopped += bool(out.error)
            failed = "; ".join(out.failed) or "none"
            rows.append([path.stem[:2], what, out.error or "whole", failed, f"{out.seconds:.0f}"])
            print(" | ".join(rows[-1]), flush=True)
    print(f"\n{table(HEAD, rows)}\n\n{len(rows)} runs, {stopped} stopped with an error")
    return stopped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
