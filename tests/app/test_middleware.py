"""What the web server refuses before Gradio sees it."""

from __future__ import annotations

import json

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dip_lite.app.example import Example
from dip_lite.app.middleware import REFUSED, DemoMiddleware, contains_url
from dip_lite.app.request import RunRequest
from dip_lite.app.sessions import Sessions
from tests.app.helpers import TINY, last


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
    app = DemoMiddleware(Starlette(), sessions=sessions, example=Example())
    reply = TestClient(app).get("/dip/" + "é" * 22 + "/frames")
    assert reply.status_code == 404 and not capsys.readouterr().err
