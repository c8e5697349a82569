"""Which build of PyTorch `make` installs; nothing is installed or asked for here."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import install_torch
from tools.install_torch import INDEX, LARGE, from_cpu_index, main, wanted

ROOT = Path(__file__).parents[2]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what is found on this machine; returns what pip is called with."""

    def set_up(gpu: bool, index: bool, installed: bool = False) -> list[list[str]]:
        calls: list[list[str]] = []
        monkeypatch.setattr(install_torch, "has_gpu", lambda: gpu)
        monkeypatch.setattr(install_torch, "answers", lambda: index)
        monkeypatch.setattr(install_torch, "is_installed", lambda: installed)
        monkeypatch.setattr("subprocess.call", lambda command: calls.append(command) or 0)
        return calls

    return set_up


@pytest.mark.parametrize(
    ("choice", "system", "gpu", "index", "expected"),
    [
        ("auto", "linux", False, True, True),
        ("auto", "linux", True, True, False),
        ("auto", "linux", False, False, False),
        ("auto", "darwin", False, True, False),
        ("cpu", "linux", True, False, True),
        ("cpu", "darwin", False, True, False),
        ("gpu", "linux", False, True, False),
        ("default", "linux", False, True, False),
    ],
)
def test_where_it_comes_from(machine, capsys, choice, system, gpu, index, expected):
    machine(gpu, index)
    assert from_cpu_index(choice, system) is expected
    said = capsys.readouterr().out
    large = choice == "auto" and system == "linux" and not (gpu or index)
    assert said.count("\n") == large and ("Ctrl-C" in said) == large


def test_the_cpu_build_is_asked_for_with_the_bounds_of_the_file(machine, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    calls = machine(gpu=False, index=True)
    assert main("cpu", str(ROOT / "requirements-oldest.txt")) == 0
    ((*_, option, index, first, second),) = calls
    assert (option, index) == ("--index-url", INDEX)
    assert (first, second) == ("torch==2.4.1", "torchvision==0.19.1")


@pytest.mark.parametrize("choice", ["auto", "cpu"])
def test_what_is_there_is_kept(machine, choice):
    calls = machine(gpu=False, index=True, installed=True)
    assert main(choice, str(ROOT / "requirements.txt")) == 0
    assert not calls


def test_a_failing_index_is_left_to_pip_unless_it_was_asked_for(machine, monkeypatch, capsys):
    machine(gpu=False, index=True)
    monkeypatch.setattr("subprocess.call", lambda command: 1)
    assert main("auto", str(ROOT / "requirements.txt")) == 0
    if sys.platform == "linux":
        assert main("cpu", str(ROOT / "requirements.txt")) == 1
        assert "TORCH=cpu" in capsys.readouterr().out


def test_an_unknown_choice_is_one_sentence():
    with pytest.raises(SystemExit, match="TORCH=tpu is not known: use TORCH=cpu"):
        main("tpu")


def test_a_gpu_is_one_that_the_driver_lists(tmp_path, monkeypatch):
    driver = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for text, status, found in (("GPU 0: H100", 0, True), ("GPU 0", 9, False), ("none", 0, False)):
        driver.write_text(f"#!/bin/sh\necho {text}\nexit {status}\n")
        driver.chmod(driver.stat().st_mode | stat.S_IXUSR)
        assert install_torch.has_gpu() is found
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert install_torch.has_gpu() is False


def test_an_index_that_does_not_answer_is_given_up_soon():
    assert not install_torch.answers("http://127.0.0.1:9", timeout=0.5)
    assert not install_torch.answers("nonsense")


def test_the_space_and_binder_get_the_cpu_build_too():
    for name in ("pre-requirements.txt", ".binder/requirements.txt"):
        lines = (ROOT / name).read_text("utf-8").splitlines()
        assert any(line.endswith(f"index-url {INDEX}") for line in lines), name
    space = (ROOT / "pre-requirements.txt").read_text("utf-8")
    assert wanted(space) == wanted((ROOT / "requirements.txt").read_text("utf-8"))
    assert "{index}" in LARGE
