"""Wrong input to `make` is one sentence; nothing is installed here."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.app.helpers import wait_for

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "MAKEFLAGS": "", "MAKELEVEL": ""}

pytestmark = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("make"), reason="there is no make"
)


def make(*words: str, cwd: Path = ROOT, **options: Any) -> tuple[int, str]:
    """Exit status and output, without make's own lines."""
    done = subprocess.run(
        ["make", "--silent", *words],
        cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, **options,
    )  # fmt: skip
    lines = (done.stdout + done.stderr).splitlines()
    return done.returncode, "\n".join(line for line in lines if not line.startswith("make"))


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", [(3, 9), (3, 14)])
def test_another_python_is_refused_at_once(tmp_path: Path, version: tuple[int, int]) -> None:
    pretend = f"import sys; sys.version_info = {(*version, 0)}; exec(sys.argv[2])"
    python = script(tmp_path / "python", f'exec "{sys.executable}" -c "{pretend}" "$@"')
    status, said = make("venv", f"PYTHON={python}", f"VENV={tmp_path}/venv")
    assert (
        status
        and said == "dip_lite needs Python 3.10 to 3.13; say which with make PYTHON=python3.12"
    )
    assert not (tmp_path / "venv").exists()


def test_a_checkout_that_cannot_be_written() -> None:
    nobody = {"user": 65534} if os.getuid() == 0 else {}  # root may write anywhere
    python = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin") or sys.executable
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "Makefile", folder)
        os.chmod(folder, 0o555)
        try:
            status, said = make("venv", f"PYTHON={python}", cwd=Path(folder), **nobody)
        finally:
            os.chmod(folder, 0o755)
    assert status and said.startswith(".venv cannot be made here: give a folder")
    assert said.count("\n") == 0 and said.endswith("make app VENV=~/dip_lite-venv.")


def test_no_network(tmp_path: Path) -> None:
    """A pip that fails as it does without one."""
    (tmp_path / "venv/bin").mkdir(parents=True)
    script(tmp_path / "venv/bin/python", 'case "$*" in *pip*) exit 1;; esac')
    status, said = make("restore", f"VENV={tmp_path}/venv")
    assert status and said.startswith("pip could not install requirements.txt: check the network")
    assert said.count("\n") == 0 and "PIP_FIND_LINKS" in said
    assert not (tmp_path / "venv/.ready").exists()


def test_an_unknown_build_of_torch(tmp_path: Path) -> None:
    (tmp_path / "venv/bin").mkdir(parents=True)
    python = shutil.which("python3") or sys.executable
    script(tmp_path / "venv/bin/python", f'exec "{python}" -S "$@"')  # -S: without its packages
    status, said = make("restore", f"VENV={tmp_path}/venv", "TORCH=tpu")
    assert status and said == "TORCH=tpu is not known: use TORCH=cpu, gpu, default or auto."


def ready_venv(folder: Path, python: str) -> str:
    """VENV=... of one in which all that `make class` needs is installed, it seems."""
    (folder / "bin").mkdir(parents=True)
    script(folder / "bin/python", python)
    for name in (".ready", ".ready-app", ".ready-sweep"):
        (folder / name).touch()
    return f"VENV={folder}"


def test_a_class_does_not_join_a_cluster_that_is_not_its_own(tmp_path: Path) -> None:
    venv = ready_venv(tmp_path, f'exec "{sys.executable}" "$@"')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said = make("class", venv, f"CLUSTER_PORT={port}")
    assert status and said == (
        f"Port {port} cannot be opened, perhaps since another Dask scheduler has it: choose a free "
        "one, as in make class CLUSTER_PORT=9786."
    )


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_class(tmp_path: Path, sign: signal.Signals) -> None:
    """All that it starts; here each writes its process id down and sleeps."""
    sleeps = f'echo > "{tmp_path}/pid-$$"; exec sleep 600'
    venv = ready_venv(tmp_path, f'case "$1" in app.py) {sleeps};; esac')
    script(tmp_path / "bin/dask", sleeps)
    process = subprocess.Popen(
        ["make", "--silent", "class", venv], cwd=ROOT, start_new_session=True,
        env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # pytest may ignore it
    )  # fmt: skip
    wait_for(lambda: len([*tmp_path.glob("pid-*")]) == 3)
    started = [int(path.name[4:]) for path in tmp_path.glob("pid-*")]
    if sign == signal.SIGINT:  # a terminal sends it to all, and background processes ignore it
        os.killpg(process.pid, sign)
    else:
        process.send_signal(sign)
    assert process.wait(60) != 0
    wait_for(lambda: not any(map(alive, started)))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
