"""The public endpoint: a picture in, a restored one out, with reports on the way."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from .choices import Choice, SorryError, number
from .safe import streams
from .service import Service

OPEN = ("denoise", "jpeg", "inpaint", "super-resolve")
Told = tuple[str | None, dict[str, Any]]
KEPT = 120.0  # seconds that a result can be fetched
TOLD = ("state", "place", "why", "note")


def publish(service: Service) -> None:
    """Puts /restore on the page that is being built; see `api.md`."""
    inputs = [
        gr.File(label="picture", visible=False),
        gr.Textbox("denoise", label="task", visible=False),
        gr.File(label="mask", visible=False),
        gr.Number(4, label="factor", visible=False),
        gr.Number(20, label="seconds", visible=False),
        gr.Number(0, label="steps", visible=False),
        gr.Number(0, label="seed", visible=False),
        gr.Textbox("light", label="network", visible=False),
    ]
    outputs = [gr.File(label="restored", visible=False), gr.JSON(label="report", visible=False)]
    gr.Button(visible=False).click(
        streams(endpoint(service)), inputs, outputs, api_name="restore",
        concurrency_id="fit", concurrency_limit=None, show_progress="hidden",
    )  # fmt: skip


def endpoint(service: Service) -> Callable[..., Iterator[Told]]:
    """The function behind /restore."""

    def restore(
        request: gr.Request,
        picture: str,
        task: str = "denoise",
        mask: str | None = None,
        factor: float = 4,
        seconds: float = 20,
        steps: float = 0,
        seed: float = 0,
        network: str = "light",
    ) -> Iterator[Told]:
        """Restores a picture: denoise, jpeg, inpaint (with a mask) or super-resolve.

        Yields twice a second what happens, and at last the file.
        """
        if task not in OPEN:
            raise SorryError(f"The task must be one of {', '.join(OPEN)}.")
        limit = number(seconds, "The time in seconds", 0.1, 100_000)
        choice = Choice.of(
            task=task, factor=factor, steps=steps, seed=seed, network=network, limit=limit,
            noise=0, quality=0, shrink=False, mask="upload",
        )  # fmt: skip
        session, host = request.session_hash, service.host(request)
        yield from _run(service, session, host, choice, picture, mask)

    return restore


def _run(
    service: Service, session: str | None, host: str, choice: Choice, picture: str,
    mask: str | None,
) -> Iterator[Told]:  # fmt: skip
    """One call's run, by a visitor that is there for this call alone."""
    session = session or secrets.token_hex(8)
    if service.busy(session):
        raise SorryError("Your last run is still going: one at a time, please.")
    key = f"{session}/{secrets.token_hex(8)}"
    try:
        service.take(key, picture)
        if mask is not None:
            service.take(key, mask, "mask")
        for told in service.run(key, choice, host=host):
            report = {name: told.get(name) for name in TOLD} | told["numbers"]
            path = _result(service, key) if told["state"] == "done" else None
            yield path, report
    finally:
        service.leave(key)


def _result(service: Service, key: str) -> str:
    """The result, where Gradio may hand it out for a while: under a name that nobody can guess."""
    folder = Path(get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    service.discard(folder, KEPT)
    path = folder / "restored.png"
    path.write_bytes(service.result(key))
    return str(path)
