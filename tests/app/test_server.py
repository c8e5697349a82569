"""The demo over HTTP: strangers' requests, many at once."""

from __future__ import annotations

import io
import json
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.app.http import call, encoded, file_data, take, upload
from tests.app.server import QUEUE, ROOT, Server


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "../../etc/passwd", "app.py", "dip_lite/errors.py", "/proc/self/environ",
        "http://example.org/a.png", "https://127.0.0.1:9/a.png", "HTTP://localhost/", "file:///etc",
        "ftp://example.org/a", "//example.org/a.png", "\0", "", 7, None, ["a"], {"a": 1},
        "/uploads/../../etc/passwd",
    ],
)  # fmt: skip
def test_no_path_of_the_host_and_no_address_is_read(
    path: Any, wire: Any, config: dict[str, Any]
) -> None:
    reply = take(wire, config, path)
    assert "error" in reply and "data" not in reply
    assert "root:" not in str(reply) and "Traceback" not in str(reply)


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd", "/gradio_api/file=app.py", "/file=dip_lite/app/request.py",
        "/gradio_api/file=http://example.org", "/gradio_api/file=../../etc/passwd",
        "/gradio_api/file=%2e%2e/%2e%2e/etc/passwd", "/gradio_api/proxy=http://example.org/",
        "/dip/../app.py", "/dip/example/../../app.py", "/dip/example/%2e%2e%2f%2e%2e%2fapp.py",
        "/dip/AAAAAAAAAAAAAAAAAAAAAA/result.png", "/dip/example/run.json", "/monitoring",
        "/gradio_api/deep_link", "/docs", "/redoc",
    ],
)  # fmt: skip
def test_nothing_of_the_host_is_served(path: str, wire: Any) -> None:
    reply = wire.get(path)
    assert reply.status_code in (403, 404, 422) and "import" not in reply.text
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_a_url_gets_no_further_than_the_middleware(wire: Any, config: dict[str, Any]) -> None:
    for path in ("http://example.org/a.png", "HTTPS://example.org", " ftp://a/b", "file:///etc"):
        reply = take(wire, config, path)
        assert "URLs are not accepted." in reply["text"]
    body = {"data": ["x" * 9_000_000]}
    assert wire.post("/gradio_api/call/restore", json=body).status_code == 413


def test_only_restore_is_public(wire: Any, config: dict[str, Any]) -> None:
    info = wire.get("/gradio_api/info").json()
    assert list(info["named_endpoints"]) == ["/restore"] and not info["unnamed_endpoints"]
    names = [p["parameter_name"] for p in info["named_endpoints"]["/restore"]["parameters"]]
    assert names == ["picture", "task", "mask", "factor", "seconds", "steps", "seed", "network"]
    for private in config["dependencies"]:
        if private["api_name"] != "restore":
            assert private["api_visibility"] == "private"


TINY = [4, 20, 4, 0, "tiny"]  # factor, seconds, steps, seed, network


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (1, "../../etc/passwd"), (1, 7), (1, None), (1, ["denoise"]), (3, 5), (3, "four"),
        (3, 10**40), (4, -1), (4, 10**30), (4, "NaN"), (4, None), (5, 10**9), (5, 1.5), (6, -3),
        (6, 2**70), (7, "paper"), (7, "<script>"), (7, {"a": [1]}), (0, "http://example.org/a.png"),
        (0, {"path": "/etc/passwd"}), (0, 5), (0, None),
        (2, {"path": "http://example.org/a.png", "meta": {"_type": "gradio.FileData"}}),
    ],
)  # fmt: skip
def test_posts_of_wrong_kinds_are_refused(place: int, value: Any, wire: Any) -> None:
    data: list[Any] = [file_data(upload(wire, "a.png", encoded("PNG"))), "denoise", None, *TINY]
    data[place] = value
    word, content = call(wire, *data)
    assert word in ("error", "refused")
    assert "Traceback" not in json.dumps(content) and "root:" not in json.dumps(content)


def test_the_endpoint_with_its_own_client(demo: Server, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = Client(demo.address, verbose=False, download_files=str(tmp_path / "down"))
        try:
            path, report = client.predict(
                picture=handle_file(str(tmp_path / "a.png")), steps=12, network="tiny",
                api_name="/restore",
            )  # fmt: skip
        finally:
            client.close()
    assert report["state"] == "done" and report["step"] == 12
    with Image.open(path) as restored:
        assert restored.size == (60, 40)


def test_inpainting_by_the_endpoint(wire: Any) -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 20:30] = 255
    paths = [
        file_data(upload(wire, "a.png", encoded("PNG"))),
        "inpaint",
        file_data(upload(wire, "m.png", encoded("PNG", Image.fromarray(mask)))),
    ]
    word, content = call(wire, *paths, *TINY)
    assert word == "complete" and content[1]["state"] == "done", content


def test_many_at_once_each_get_their_own(demo: Server) -> None:
    """With more comers than places: each their own picture back, or a clear refusal."""
    replies: dict[int, tuple[str, Any]] = {}

    def visit(number: int) -> None:
        picture = Image.new("RGB", (32 + number, 40), (8 * number, 255 - 8 * number, 128))
        with httpx.Client(base_url=demo.address, timeout=120) as wire:
            path = upload(wire, f"{number}.png", encoded("PNG", picture))
            word, content = call(wire, file_data(path), "denoise", None, 4, 20, 60, 0, "tiny")
            if word == "complete":
                url = f"/gradio_api/file={content[0]['path']}"
                content = Image.open(io.BytesIO(wire.get(url).content)).copy()
            replies[number] = (word, content)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(QUEUE // 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(replies) == QUEUE // 3
    for number, (word, content) in replies.items():
        assert word == "complete", content
        assert content.size == (32 + number, 40)
        colour = np.asarray(content, np.float32).mean((0, 1))
        assert np.abs(colour - (8 * number, 255 - 8 * number, 128)).max() < 60


def test_those_who_leave_free_the_queue(demo: Server, wire: Any) -> None:
    """Visitors who hang up mid-run: the next one is served at once."""
    for number in range(5):
        with httpx.Client(base_url=demo.address, timeout=30) as guest:
            path = upload(guest, f"left-{number}.png", encoded("PNG"))
            data = [file_data(path), "denoise", None, 4, 100, 0, 0, "light"]
            found = guest.post("/gradio_api/call/restore", json={"data": data}).json()["event_id"]
            with guest.stream("GET", f"/gradio_api/call/restore/{found}") as stream:
                for line in stream.iter_lines():
                    if '"running"' in line or number % 2:
                        break
    begun = time.monotonic()
    word, content = call(
        wire, file_data(upload(wire, "a.png", encoded("PNG"))), "denoise", None, *TINY
    )
    assert word == "complete", content
    assert time.monotonic() - begun < 50  # and not five times a hundred seconds


def test_no_error_reached_the_log(demo: Server) -> None:
    """Last: what strangers did above is no error of ours, and the server is still there."""
    assert demo.process.poll() is None
    ours = [f'File "{ROOT / part}' for part in ("dip_lite", "app.py")]
    inner = [line for line in demo.output().splitlines() if any(part in line for part in ours)]
    assert not inner, demo.output()[-3000:]
