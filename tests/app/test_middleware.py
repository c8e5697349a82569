"""What the web server refuses before Gradio sees it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from httpx import Response
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dip_lite.app.example import load_examples
from dip_lite.app.middleware import REFUSED, DemoMiddleware, contains_url
from dip_lite.app.request import RunRequest
from dip_lite.app.sessions import Sessions
from tests.app.helpers import TINY, last, wait_for


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=http://example.org/a.png", "/gradio_api/file=HTTPS://example.org/",
        "/gradio_api/proxy=http://example.org", "/monitoring", "/gradio_api/vibe-code",
        "/gradio_api/component_server", "/gradio_api/deep_link", "/gradio_api/run-history/buckets",
        "/gradio_api/file=s3+x://a/b",
    ],
)  # fmt: skip
def test_the_middleware_refuses(path: str) -> None:
    assert REFUSED.match(path)


@pytest.mark.parametrize(
    "path",
    [
        "/", "/config", "/gradio_api/upload", "/gradio_api/queue/join",
        "/gradio_api/file=C:\\Temp\\a.png", "/gradio_api/file=d:/Temp/a.png",
    ],
)  # fmt: skip
def test_the_middleware_lets_through(path: str) -> None:
    assert not REFUSED.match(path)


def test_a_drive_is_no_address() -> None:
    def post(path: str) -> bytes:
        return json.dumps({"data": [{"path": path}]}).encode()

    assert not any(contains_url(post(path)) for path in ("C:\\a.png", "d:/a.png", "/a/b:c"))
    assert all(contains_url(post(path)) for path in ("ab:c", "http://a", " FTP:x", "//a/b"))


def test_a_token_of_other_letters_is_not_found(
    sessions: Sessions, capsys: pytest.CaptureFixture[str]
) -> None:
    """While a run exists: its token cannot be compared with text beyond ASCII."""
    last(sessions.run("a", RunRequest.parse(**TINY)))
    app = DemoMiddleware(Starlette(), sessions=sessions, examples=load_examples())
    reply = TestClient(app).get("/dip/" + "é" * 22 + "/frames")
    assert reply.status_code == 404 and not capsys.readouterr().err


def test_numbers_for_the_operator_where_they_are_switched_on(sessions: Sessions) -> None:
    def get(path: str, made: Sessions) -> Response:
        app = DemoMiddleware(Starlette(), sessions=made, examples=load_examples())
        return TestClient(app).get(path)

    assert {get(path, sessions).status_code for path in ("/healthz", "/metrics")} == {404}
    last(sessions.run("a", RunRequest.parse(**TINY)))
    wait_for(lambda: not sessions.queue.running)
    sessions.limits = replace(sessions.limits, metrics=True)
    found = get("/healthz", sessions).json()
    assert found.pop("memory_bytes") > 10_000_000
    assert found == {
        "status": "ok", "waiting": 0, "running": 0, "workers": 1, "sessions": 1,
        "served_total": 1, "lost_total": 0,
    }  # fmt: skip
    reply = get("/metrics", sessions)
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE dip_lite_workers gauge\ndip_lite_workers 1\n" in reply.text
