"""Serves the files of runs, and refuses what the demo does not need, before Gradio sees a request.

    /dip/TOKEN/frames?from=0&to=12      the frames of a run, for those who know its token
    /dip/TOKEN/result.png               and its downloads
    /dip/example/…, /dip/example-jpeg/… the files of the examples
    /healthz, /metrics                  numbers for the operator, where they are switched on

Gradio can fetch URLs of other hosts, report on its traffic and more: those routes are not found. A
POST that names a URL in place of an uploaded file, or is larger than any of the page's, is refused.
"""

import json
import os
import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .example import Example
from .metrics import PATHS
from .sessions import Sessions

PREFIX = "/dip/"
REFUSED = re.compile(
    r"/(gradio_api/)?(file(=|/)\s*[a-z][a-z0-9+.-]+:|proxy=|vibe-|undo-vibe|monitoring|process_recording"
    r"|component_server|deep_link|run-history|runs|stream/|dev/|profiling|mcp)",
    re.IGNORECASE,
)
POSTS = re.compile(r"/gradio_api/(queue/join|call/|run/|api/)")
URL = re.compile(r"\s*([a-z][a-z0-9+.-]+:|//)", re.IGNORECASE)  # one letter is a drive: C:\
HEARTBEAT = re.compile(r"/(?:gradio_api/)?heartbeat/(\w{1,64})$")
MAX_POST = 8_000_000  # bytes; the largest that the page sends is a drawn mask
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"permissions-policy": b"geolocation=(), microphone=(), camera=()",
}
DOWNLOADS = {  # the name under which a browser saves each
    "result.png": "restored.png",
    "animation.webp": "learning.webp",
    "animation.gif": "learning.gif",
    "record.zip": "record.zip",
}


class DemoMiddleware:
    """An ASGI application around Gradio's; see the module."""

    def __init__(self, app: ASGIApp, sessions: Sessions, examples: Mapping[str, Example]) -> None:
        self.app, self.sessions, self.examples = app, sessions, examples

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path.startswith(PREFIX):
            reply = await run_in_threadpool(self._serve_file, Request(scope))
            await reply(scope, receive, _with_headers(send))
        elif path in PATHS and self.sessions.limits.metrics:
            await PATHS[path](self.sessions)(scope, receive, _with_headers(send))
        elif REFUSED.match(path):
            await PlainTextResponse("Not found.", 404)(scope, receive, _with_headers(send))
        elif scope["method"] == "POST" and POSTS.match(path):
            await self._post(scope, receive, _with_headers(send))
        elif heartbeat := HEARTBEAT.match(path):  # open while the page is
            self.sessions.count_page(heartbeat[1], 1)
            try:
                await self.app(scope, receive, _with_headers(send))
            finally:
                self.sessions.count_page(heartbeat[1], -1)
        else:
            await self.app(scope, receive, _with_headers(send))

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forwards a POST, if the page could have sent it."""
        body, more = b"", True
        while more and len(body) <= MAX_POST:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if len(body) > MAX_POST:
            await _refusal("The request is too large.", 413)(scope, receive, send)
            return
        if contains_url(body):
            await _refusal("Upload a file: URLs are not accepted.", 400)(scope, receive, send)
            return
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)

    def _serve_file(self, request: Request) -> Response:
        token, _, name = request.url.path.removeprefix(PREFIX).partition("/")
        first, last = (_index(request.query_params.get(end)) for end in ("from", "to"))
        try:
            source = self.examples.get(token) or self.sessions.find_run(token)
            found = source.fetch(name, first, last) if source else None
            stat = os.stat(found[0]) if found is not None and isinstance(found[0], Path) else None
        except Exception:  # a session that just ended, a full disk
            traceback.print_exc()
            found = None
        if found is None:
            return PlainTextResponse("Not found.", 404)
        cache = "public, max-age=3600" if token in self.examples else "private, no-store"
        headers = {"cache-control": cache}
        if name in DOWNLOADS:
            headers["content-disposition"] = f'attachment; filename="{DOWNLOADS[name]}"'
        if isinstance(found[0], Path):
            return FileResponse(found[0], media_type=found[1], headers=headers, stat_result=stat)
        return Response(found[0], media_type=found[1], headers=headers)


def contains_url(body: bytes) -> bool:
    """Whether a POST has a URL where the path of an uploaded file belongs.

    >>> contains_url(b'{"data": [{"path": "http://example.org/a.png"}]}')
    True
    >>> contains_url(b'{"data": [{"path": "C:/Temp/a.png"}]}')
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
            if isinstance(path, str) and URL.match(path):
                return True
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
    return False


def _refusal(sentence: str, status: int) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status)


def _index(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"\d{1,6}", text) else 0


def _with_headers(send: Send) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message["headers"]}
            more = [pair for pair in HEADERS.items() if pair[0] not in there]
            message["headers"] = [*message["headers"], *more]
        await send(message)

    return sender
