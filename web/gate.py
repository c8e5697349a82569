"""What the web server hands out and refuses, before Gradio sees a request.

    app.launch(app_kwargs={"middleware": [Middleware(Gate, service=service, example=example)]})

    /dip/TOKEN/frames?from=0&to=12      the frames of a run, to whoever knows its token
    /dip/TOKEN/result.png               and its downloads
    /dip/example/…                      what comes with the demo

Gradio fetches addresses of other hosts for its visitors, reports on its traffic, and more that this
demo has no use for: all that is not found. A post that gives an address in place of an uploaded
file, or is larger than any that the page makes, goes no further.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import traceback
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .service import Service, is_token

PREFIX = "/dip/"
REFUSED = re.compile(
    r"/(gradio_api/)?(file(=|/)\s*[a-z][a-z0-9+.-]+:|proxy=|vibe-|undo-vibe|monitoring|process_recording"
    r"|component_server|deep_link|run-history|runs|stream/|dev/|profiling|mcp)",
    re.IGNORECASE,
)
POSTS = re.compile(r"/gradio_api/(queue/join|call/|run/|api/)")
ADDRESS = re.compile(r"\s*([a-z][a-z0-9+.-]+:|//)", re.IGNORECASE)  # one letter is a drive: C:\
HEART = re.compile(r"/(?:gradio_api/)?heartbeat/(\w{1,64})$")
LARGEST = 8_000_000  # bytes of a post; a drawn mask is the most that the page sends
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"permissions-policy": b"geolocation=(), microphone=(), camera=()",
}
NAMES = {
    "result.png": "restored.png",
    "film.webp": "learning.webp",
    "film.gif": "learning.gif",
    "record.zip": "record.zip",
}  # of the downloads


class Example:
    """What a visitor lands on: a run that was made ahead, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: dict[str, Any] = json.loads((folder / "landing.json").read_text("utf-8"))
        pack = hashlib.sha256((folder / "landing.pack").read_bytes())
        self.told["version"] = pack.hexdigest()[:12]  # in its addresses, which browsers remember

    @functools.cached_property
    def _names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir() if path.suffix in (".webp", ".png")}

    def fetch(self, name: str, first: int = 0, last: int = 0) -> tuple[bytes, str] | None:
        """As `Live.fetch`."""
        if name == "frames":
            ends = [0]
            for row in self.told["frames"]:
                ends.append(ends[-1] + row[-1] + row[-2])
            first, last = (min(max(n, 0), len(ends) - 1) for n in (first, last))
            return (self.folder / "landing.pack").read_bytes()[ends[first] : ends[last]], _BYTES
        for file in (name, f"{name}.webp"):
            if file in self._names:
                return (self.folder / file).read_bytes(), f"image/{file.rpartition('.')[2]}"
        return None


_BYTES = "application/octet-stream"


class Gate:
    """An ASGI application around Gradio's; see the module."""

    def __init__(self, app: ASGIApp, service: Service, example: Example) -> None:
        self.app, self.service, self.example = app, service, example

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path.startswith(PREFIX):
            reply = await run_in_threadpool(self._hand_out, Request(scope))
            await reply(scope, receive, _with_headers(send))
        elif REFUSED.match(path):
            await PlainTextResponse("Not found.", 404)(scope, receive, _with_headers(send))
        elif scope["method"] == "POST" and POSTS.match(path):
            await self._post(scope, receive, _with_headers(send))
        elif heart := HEART.match(path):
            self.service.beats(heart[1], 1)
            try:
                await self.app(scope, receive, _with_headers(send))
            finally:
                self.service.beats(heart[1], -1)
        else:
            await self.app(scope, receive, _with_headers(send))

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a post on, if it is one that the page could have made."""
        body, more = b"", True
        while more and len(body) <= LARGEST:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if len(body) > LARGEST:
            await _refusal("That is too much at once.", 413)(scope, receive, send)
            return
        if names_an_address(body):
            await _refusal("Please give a file, not an address.", 400)(scope, receive, send)
            return
        read = False

        async def again() -> Message:
            nonlocal read
            if read:
                return await receive()
            read = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)

    def _hand_out(self, request: Request) -> Response:
        token, _, name = request.url.path.removeprefix(PREFIX).partition("/")
        first, last = (_whole(request.query_params.get(end)) for end in ("from", "to"))
        source = self.example if token == "example" else None
        live = self.service.find(token) if is_token(token) else None
        try:
            found = (source or live).fetch(name, first, last) if source or live else None  # type: ignore[union-attr]
            stat = os.stat(found[0]) if found is not None and isinstance(found[0], Path) else None
        except Exception:  # a run whose visitor is just leaving, a full disk
            traceback.print_exc()
            found = None
        if found is None:
            return PlainTextResponse("Not found.", 404)
        cache = "public, max-age=3600" if source else "private, no-store"
        headers = {"cache-control": cache}
        if name in NAMES:
            headers["content-disposition"] = f'attachment; filename="{NAMES[name]}"'
        if isinstance(found[0], Path):
            return FileResponse(found[0], media_type=found[1], headers=headers, stat_result=stat)
        return Response(found[0], media_type=found[1], headers=headers)


def names_an_address(body: bytes) -> bool:
    """Whether a post gives an address where the path of an uploaded file belongs.

    >>> names_an_address(b'{"data": [{"path": "http://example.org/a.png"}]}')
    True
    >>> names_an_address(b'{"data": [{"path": "C:/Temp/a.png"}]}')
    False
    """
    try:
        left: list[Any] = [json.loads(body)]
    except (ValueError, RecursionError):
        return False  # Gradio says what is wrong with it
    while left:
        value = left.pop()
        if isinstance(value, dict):
            path = value.get("path")
            if isinstance(path, str) and ADDRESS.match(path):
                return True
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
    return False


def _refusal(sentence: str, status: int) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status)


def _whole(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"\d{1,6}", text) else 0


def _with_headers(send: Send) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message["headers"]}
            more = [pair for pair in HEADERS.items() if pair[0] not in there]
            message["headers"] = [*message["headers"], *more]
        await send(message)

    return sender
