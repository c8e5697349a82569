"""Options, and how the demo starts."""

from __future__ import annotations

import inspect
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from dip_lite.app.example import load_examples
from dip_lite.app.launch import launch_settings, main
from dip_lite.app.limits import Limits
from dip_lite.app.sessions import Sessions


def options(*arguments: str) -> dict[str, Any]:
    return main.make_context("demo", [*arguments]).params


def test_options_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIP_LITE_MAX_PIXELS", "5000")
    monkeypatch.setenv("DIP_LITE_HOST", "0.0.0.0")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "82")
    asked = options("--port", "81")
    names = ("max_pixels", "host", "port", "queue")
    assert [asked[name] for name in names] == [5000, "0.0.0.0", 81, 12]
    assert options()["port"] == 82 and (asked["per_address"], asked["forwarded"]) == (0, False)
    monkeypatch.setenv("DIP_LITE_PORT", "83")
    monkeypatch.setenv("DIP_LITE_FORWARDED", "1")
    assert options()["port"] == 83 and options()["forwarded"]


def test_the_page_is_built_without_pytorch() -> None:
    code = (
        "import sys; from dip_lite.app.launch import load_examples, Limits, Sessions, build; "
        "build(Sessions(Limits()), load_examples()); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'matplotlib')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def test_gradio_keeps_as_many_sessions_as_the_demo(tmp_path: Path) -> None:
    sessions = Sessions(Limits(max_sessions=3), tmp_path)
    settings = launch_settings(sessions, load_examples())
    sessions.close()
    assert settings["state_session_capacity"] == 3
    assert set(settings) <= {*inspect.signature(gr.Blocks.launch).parameters}


def test_a_port_that_is_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "dip_lite", "app", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"port {port} of 127.0.0.1 cannot be opened" in done.stderr
    assert "launch()" not in done.stderr
