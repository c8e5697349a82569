"""The course as files: its anatomy. What the notebooks do is checked by running them (nbval)."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from benchmarks.knobs import knobs_cell, turned
from benchmarks.lessons import execute

HERE = Path(__file__).parents[1] / "notebooks"
NAMES = (
    "00_quickstart 01_noise_impedance 02_iteration_control 03_architecture_ablation "
    "04_alexnet_inversion 05_restoration 06_after_the_paper"
).split()
LESSONS = [HERE / f"{name}.ipynb" for name in NAMES]
SOLUTIONS = [HERE / "solutions" / f"{name}.ipynb" for name in NAMES]
EVERY = LESSONS + SOLUTIONS
ABSOLUTE = re.compile(r"(?<![\w:/.<)\]-])(?:[A-Za-z]:)?/(?:[\w.~-]+/)+")
BASE64 = re.compile(r"[A-Za-z0-9+/=]{100,}")  # of a scrubber's frames
MAGIC = re.compile(r"^(\s*)%", re.MULTILINE)


def cells(path, kind):
    notebook = nbformat.read(path, as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def source(path):
    return "\n\n".join(MAGIC.sub(r"\1pass  # %", cell.source) for cell in cells(path, "code"))


def named(path):
    return path.relative_to(HERE).with_suffix("").as_posix()


lessons = pytest.mark.parametrize("path", LESSONS, ids=named)
every = pytest.mark.parametrize("path", EVERY, ids=named)


@every
def test_it_is_a_valid_notebook_of_a_size_that_can_be_read_on_a_web_page(path):
    nbformat.validate(nbformat.read(path, as_version=4))
    assert path.stat().st_size <= 1_500_000


@every
def test_it_was_run_whole_and_in_order(path):
    assert [cell.execution_count for cell in cells(path, "code")] == [
        *range(1, len(cells(path, "code")) + 1)
    ]


@every
def test_its_outputs_are_those_of_a_run_without_fault_bar_or_widget(path):
    for cell in cells(path, "code"):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.get("text")
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
            assert output.get("text", "x").strip(), "an empty output"


@every
def test_one_cell_of_knobs_alone_knows_the_fast_mode(path):
    knowing = [cell.source for cell in cells(path, "code") if re.search(r"FAST\b", cell.source)]
    assert len(knowing) == 1
    assert "assert not FAST or" in knowing[0]


def knobs(path):
    """The imports of a notebook, and its knobs up to the assertion that ends them."""
    tree = ast.parse(source(path))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    (cell,) = [c.source for c in cells(path, "code") if "DIP_LITE_FAST" in c.source]
    body = ast.parse(cell).body
    last = next(i for i, node in enumerate(body) if isinstance(node, ast.Assert))
    module = ast.Module([*imports, *body[: last + 1]], [])
    return compile(module, path.name, "exec")


@every
def test_the_fast_mode_changes_the_knobs(path, monkeypatch):
    """The mode is on when it is asked for, and no knob grows with it."""
    found = {}
    for mode in ("0", "1"):
        monkeypatch.setenv("DIP_LITE_FAST", mode)
        scope = {}
        exec(knobs(path), scope)
        found[mode] = {name: value for name, value in scope.items() if name.isupper()}
    full, fast = found["0"], found["1"]
    assert (full.pop("FAST"), fast.pop("FAST")) == (False, True)
    assert full != fast
    for name, value in fast.items():
        if isinstance(value, int) and not isinstance(value, bool):
            assert value <= full[name], name
        if isinstance(value, list | tuple | range):
            assert len(value) <= len(full[name]), name


def test_a_number_is_doubled_and_halved():
    cell = "SIDE = 64 if FAST else 128\nSIGMA, name = 25 / 255, 3\nSIGMA = 25 / 255\nSEED = 0"
    cell += "\nassert not FAST or SIDE <= 96, 'small'"
    assert [what for what, _ in turned(cell)] == [
        "SIDE: 64 → 128", "SIDE: 64 → 32", "SIGMA: 25 → 50", "SIGMA: 25 → 12",
    ]  # fmt: skip
    changed = [turned_cell.split("\n") for _, turned_cell in turned(cell)]
    assert changed[1][0] == "SIDE = 32 if FAST else 128"
    assert changed[2][2] == "SIGMA = 50 / 255"
    assert not any(line for lines in changed for line in lines if line.startswith("assert"))


@every
def test_each_turn_of_a_knob_changes_one_line(path):
    """`benchmarks.knobs` runs them all, which is too long for here."""
    (cell,) = [c.source for c in cells(path, "code") if knobs_cell(c.source)]
    variants = [*turned(cell)]
    assert len(variants) >= 4
    without_guard = cell.split("\n")
    for what, changed in variants:
        lines = zip(without_guard, changed.split("\n"), strict=True)
        different = [old for old, new in lines if old != new and not old.startswith("assert")]
        assert len(different) == 1, what
        ast.parse(changed)


def is_verdict(node):
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "verdict"


@every
def test_it_checks_its_claims_and_warnings_are_errors(path):
    tree = ast.parse(source(path))
    checks = [node for node in ast.walk(tree) if isinstance(node, ast.Assert) or is_verdict(node)]
    assert len(checks) >= 3
    assert 'simplefilter("error")' in source(path)


@every
def test_its_verdicts_hold_no_number_that_a_machine_could_change(path):
    tagged = [
        cell for cell in cells(path, "code")
        if "nbval-check-output" in cell.metadata.get("tags", [])
    ]  # fmt: skip
    judging = [cell for cell in cells(path, "code") if "verdict(" in cell.source]
    assert tagged or judging
    for cell in tagged:
        assert "assert" in cell.source
        assert cell not in judging, "a verdict prints its margin"
        for output in cell.outputs:
            assert not re.search(r"\d\.\d", output.get("text", "")), output.get("text")


@lessons
def test_its_committed_verdicts_hold(path):
    judging = [cell for cell in cells(path, "code") if "verdict(" in cell.source]
    assert judging
    for cell in judging:
        printed = "".join(output.get("text", "") for output in cell.outputs)
        assert "✓" in printed and "✗" not in printed


@every
def test_no_cell_is_skipped(path):
    for cell in cells(path, "code"):
        assert not {"nbval-skip", "raises-exception"} & {*cell.metadata.get("tags", [])}


def test_no_function_is_defined_twice():
    homes = {}
    for path in EVERY:
        for node in ast.parse(source(path)).body:  # methods may share a name
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                homes.setdefault(node.name, set()).add(named(path))
    assert not {name: found for name, found in homes.items() if len(found) > 1}


@lessons
def test_anatomy(path):
    notebook = nbformat.read(path, as_version=4)
    assert 20 <= len(notebook.cells) <= 49
    prose = "\n".join(cell.source for cell in cells(path, "markdown"))
    assert "paper" in prose.lower()
    assert f"solutions/{path.name}" in prose
    work = [cell.source for cell in cells(path, "code") if "%matplotlib" not in cell.source]
    assert max(len(text.splitlines()) for text in work) <= 25


@lessons
def test_it_asks_three_questions_with_folded_answers(path):
    (quiz,) = [c.source for c in cells(path, "markdown") if "## Three questions" in c.source]
    assert re.findall(r"^\*\*(\d)\.\*\* ", quiz, re.MULTILINE) == ["1", "2", "3"]
    folded = re.findall(
        r"^<details><summary>Answer</summary>\n\n(.+?)\n\n</details>$", quiz, re.M | re.S
    )
    assert len(folded) == 3 and min(len(answer.split()) for answer in folded) >= 20


@lessons
def test_a_run_can_be_dragged_through_on_a_web_page(path):
    """A scrubber keeps a page of at most 400 KB, and an animation where scripts do not run."""
    shown = [cell for cell in cells(path, "code") if "Scrubber(" in cell.source]
    assert shown and any("drag" in cell.source.lower() for cell in cells(path, "markdown"))
    for cell in shown:
        (html,) = ["".join(output.data["text/html"]) for output in cell.outputs]
        assert len(html.encode()) <= 400_000
        assert "srcdoc=" in html and '<img alt="A network fits' in html


@lessons
def test_its_badges_open_this_file(path):
    first = cells(path, "markdown")[0].source
    where = re.findall(r"\((https://(?:colab|mybinder)[^)]*ipynb)\)", first)
    assert len(where) == 2
    assert all(link.endswith(path.name) for link in where)
    assert "dip-lite/dip_lite" in where[0]
    assert "google.colab" in cells(path, "code")[0].source


def test_the_first_page_lists_the_course():
    text = cells(HERE / "index.ipynb", "markdown")[0].source
    assert re.findall(r"\((\w+\.ipynb)\)", text) == [path.name for path in LESSONS]


@every
def test_nothing_names_the_machine_it_was_made_on(path):
    """No absolute path, in what is written or in what was printed; pictures are no text."""
    words = [cell.source for cell in nbformat.read(path, as_version=4).cells]
    for cell in cells(path, "code"):
        for output in cell.outputs:
            data = output.get("data", {})
            texts = [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
            words += ["".join(part) for part in texts]
    words = [BASE64.sub("", text) for text in words]
    assert not [found for text in words if (found := ABSOLUTE.search(text))]


def test_an_absolute_path_would_be_found():
    for path in (HERE.resolve(), Path.home() / "a" / "b", Path("/srv/a/b")):
        assert ABSOLUTE.search(f"see {path.as_posix()}/c.py")
    for text in (
        "and/or/both",
        "https://example.org/a/b/c",
        "[x](solutions/a/b.ipynb)",
        "</b></td>",
    ):
        assert not ABSOLUTE.search(text)


def test_what_a_lesson_said_before_an_error_is_all_that_counts(tmp_path: Path) -> None:
    """Not what is committed below the cells that were not reached."""
    said = nbformat.v4.new_output("stream", text="✓ late (1.0, needs 0.5)\n")
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell('print("✗ early (1.0, needs 2)")', outputs=[said]),
            nbformat.v4.new_code_cell("KNOB = 1"),
            nbformat.v4.new_code_cell("late", outputs=[said]),
        ]
    )
    nbformat.write(notebook, tmp_path / "lesson.ipynb")
    outcome = execute(tmp_path / "lesson.ipynb", change=lambda text: text.replace("1", "2"))
    assert outcome.verdicts == {"early": False} and outcome.failed == ["early"]
    assert outcome.error == "NameError: name 'late' is not defined"
