"""Every error of the package is defined in one place and becomes one sentence."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest
import torch

import dip_lite
from dip_lite import errors
from dip_lite.errors import exit_status, name_of, reason, sentence

OPTIONAL = {"gradio", "anywidget", "dask", "distributed", "pandas"}  # extras


def _classes() -> list[type[BaseException]]:
    """Every exception class that a module of the package defines."""
    found: set[type[BaseException]] = set()
    for module in pkgutil.walk_packages(dip_lite.__path__, "dip_lite."):
        try:
            members = vars(importlib.import_module(module.name)).values()
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] not in OPTIONAL:
                raise
            continue
        found |= {
            value
            for value in members
            if inspect.isclass(value)
            and issubclass(value, BaseException)
            and value.__module__.split(".")[0] == "dip_lite"
        }
    return sorted(found, key=lambda cls: cls.__name__)


CLASSES = _classes()


def test_every_exception_is_defined_in_errors() -> None:
    assert {cls.__module__ for cls in CLASSES} == {"dip_lite.errors"}
    assert {"PictureError", "FitError", "UserError"} <= {cls.__name__ for cls in CLASSES}
    assert all(getattr(errors, cls.__name__) is cls and cls.__doc__ for cls in CLASSES)


def one_line(error: BaseException) -> str:
    text = sentence(error)
    assert text.splitlines() == [text] and text == text.strip() and text.endswith(".")
    return text


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_each_becomes_one_sentence(cls: type[BaseException]) -> None:
    assert one_line(cls("a.png is empty: give another")) == "a.png is empty: give another."
    assert one_line(cls("a.png is empty.")) == "a.png is empty."
    assert one_line(cls(" a.png\nis\t empty \n")) == "a.png is empty."
    assert cls.__name__ in one_line(cls())
    assert exit_status(cls()) == (2 if issubclass(cls, ValueError) else 1)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("x"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ],
)
def test_too_little_memory_says_what_to_do(error: Exception) -> None:
    assert one_line(error) == "There is not enough memory for this picture: use a smaller one."
    assert exit_status(error) == 1


@pytest.mark.parametrize(
    "error", [KeyError("x"), RuntimeError("a\nb"), OSError(28, "No space"), AssertionError()]
)
def test_a_foreign_error_is_named_and_quoted(error: Exception) -> None:
    text = one_line(error)
    assert type(error).__name__ in text and "DIP_LITE_DEBUG=1" in text
    assert " ".join(str(error).split()) in text
    assert exit_status(error) == 1


def test_a_long_foreign_message_is_cut() -> None:
    assert len(one_line(RuntimeError("x" * 10_000))) < 500


def test_wrong_input_from_any_library_is_printed_as_it_is() -> None:
    assert one_line(ValueError("the mask hides nothing")) == "the mask hides nothing."
    assert sentence(ValueError("which one?")) == "which one?"
    assert "ValueError" in one_line(ValueError())
    assert exit_status(ValueError()) == 2


@pytest.mark.parametrize("error", [OSError("a\nb"), OSError(), OSError("\n"), OSError(2, "Gone.")])
def test_a_reason_is_never_empty_and_has_one_line(error: OSError) -> None:
    assert reason(error) and len(reason(error).splitlines()) == 1 and reason(error)[-1] != "."


@pytest.mark.parametrize("source", ["a\nb.png", "", b"x", torch.zeros(1), None])
def test_names_have_one_line(source: object) -> None:
    assert name_of(source) and len(name_of(source).splitlines()) == 1


@pytest.mark.parametrize(("debug", "shown"), [("", False), ("1", True)])
def test_debugging_shows_the_traceback(debug: str, shown: bool) -> None:
    code = (
        "import sys; from dip_lite import __main__ as m; from dip_lite.cli.commands import cli; "
        "cli.main = lambda *a, **k: {}['x']; sys.exit(m.main([]))"
    )
    environment = {**__import__("os").environ, "DIP_LITE_DEBUG": debug}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 1 and ("Traceback" in done.stderr) == shown
    assert "KeyError" in done.stderr
