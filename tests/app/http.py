"""What Gradio's page and clients send to the server, by hand."""

from __future__ import annotations

import io
import json
import secrets
from typing import Any

import numpy as np
from PIL import Image

SENTENCE = 400  # characters at most


def component(config: dict[str, Any], name: str) -> int:
    return next(c["id"] for c in config["components"] if c["props"].get("elem_id") == name)


def event(config: dict[str, Any], name: str, kind: str) -> int:
    target = [component(config, name), kind]
    return next(d["id"] for d in config["dependencies"] if target in d["targets"])


def upload(wire: Any, name: str, data: bytes) -> str:
    reply = wire.post("/gradio_api/upload", files={"files": (name, data)})
    assert reply.status_code == 200, reply.text
    return str(reply.json()[0])


def file_data(path: str) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def take(wire: Any, config: dict[str, Any], path: Any) -> dict[str, Any]:
    """What the page does when a file was uploaded, and what it hears."""
    session = secrets.token_hex(5)
    body = {
        "data": [file_data(path), "text"],  # and the mask chosen
        "fn_index": event(config, "file", "upload"),
        "session_hash": session,
    }
    reply = wire.post("/gradio_api/queue/join", json=body)
    if reply.status_code != 200:
        return {"error": "refused", "text": reply.text}
    url = "/gradio_api/queue/data"
    with wire.stream("GET", url, params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                message = json.loads(line.removeprefix("data:"))
                if message["msg"] == "process_completed":
                    found: dict[str, Any] = message["output"]
                    return found
    raise AssertionError("the server hung up")


def check_refusal(reply: dict[str, Any]) -> None:
    """One sentence of refusal."""
    text = str(reply.get("error"))
    assert 10 < len(text) < SENTENCE and "\n" not in text and text.endswith("."), reply
    for never in ("Traceback", "/tmp", "gradio", "0x", "Error:", "NoneType", "<"):
        assert never not in text, text


def pixels(seed: int = 0, size: tuple[int, int] = (60, 40)) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    planes = [x, y, 0.5 + 0.4 * np.sin(6 * x + seed)]
    return (255 * np.stack(planes, 2)).astype(np.uint8)


def encoded(kind: str, picture: Any = None, **options: Any) -> bytes:
    memory = io.BytesIO()
    picture = Image.fromarray(pixels()) if picture is None else picture
    picture.save(memory, kind, **options)
    return memory.getvalue()


def call(wire: Any, *data: Any) -> tuple[str, Any]:
    """What /restore says last: "complete" and its data, or "error" and a sentence."""
    reply = wire.post("/gradio_api/call/restore", json={"data": list(data)})
    if reply.status_code != 200:
        return "refused", reply.json()
    word, content = "", ""
    with wire.stream("GET", f"/gradio_api/call/restore/{reply.json()['event_id']}") as stream:
        for line in stream.iter_lines():
            if line.startswith("event: "):
                word = line.removeprefix("event: ")
            elif line.startswith("data: ") and word in ("complete", "error"):
                content = json.loads(line.removeprefix("data: "))
    return word, content
