"""The public endpoint, /restore: a picture in, the restored one out, with progress on the way.

`assets/api.md` documents it for its users.
"""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from ..errors import UserError
from .error_handlers import handle_errors
from .request import RunRequest
from .sessions import BUSY, Sessions

TASKS = ("denoise", "jpeg", "inpaint", "super-resolve")
RESULT_SECONDS = 120.0  # for which a result can be fetched
REPORTED = ("state", "position", "stop_reason", "note", "notice")

Reply = tuple[str | None, dict[str, Any]]  # the result's path, once there is one, and a report


def publish(sessions: Sessions) -> None:
    """Adds /restore to the page that is being built."""
    inputs = [
        gr.File(label="picture", visible=False),
        gr.Textbox("denoise", label="task", visible=False),
        gr.File(label="mask", visible=False),
        gr.Number(4, label="factor", visible=False),
        gr.Number(0, label="seconds", visible=False),
        gr.Number(0, label="steps", visible=False),
        gr.Number(0, label="seed", visible=False),
        gr.Textbox("light", label="network", visible=False),
    ]
    outputs = [gr.File(label="restored", visible=False), gr.JSON(label="report", visible=False)]
    gr.Button(visible=False).click(
        endpoint(sessions), inputs, outputs, api_name="restore",
        concurrency_id="fit", concurrency_limit=None, show_progress="hidden",
    )  # fmt: skip


def endpoint(sessions: Sessions) -> Callable[..., Iterator[Reply]]:
    """The function behind /restore."""

    def restore(
        request: gr.Request,
        picture: str,
        task: str = "denoise",
        mask: str | None = None,
        factor: float = 4,
        seconds: float = 0,
        steps: float = 0,
        seed: float = 0,
        network: str = "light",
    ) -> Iterator[Reply]:
        """Restores a picture: denoise, jpeg, inpaint (with a mask) or super-resolve.

        Yields a report twice a second, and the restored file with the last.
        """
        with handle_errors():
            if task not in TASKS:
                raise UserError(f"Task must be one of {', '.join(TASKS)}.")
            wanted = RunRequest.parse(
                task=task, factor=factor, steps=steps, seed=seed, network=network, seconds=seconds,
                noise=0, quality=0, downscale=False, mask="upload",
            )  # fmt: skip
            if wanted.steps and not wanted.seconds:  # the steps alone say when to end
                wanted = wanted.model_copy(update={"seconds": sessions.limits.max_seconds})
            page, address = request.session_hash, sessions.limits.client_address(request)
            yield from _run(sessions, page, address, wanted, picture, mask)

    return restore


def _run(
    sessions: Sessions, page: str | None, address: str, request: RunRequest, picture: str,
    mask: str | None,
) -> Iterator[Reply]:  # fmt: skip
    """One call's run, in a session that lasts as long as the call."""
    page = page or secrets.token_hex(8)
    if sessions.busy(page):
        raise UserError(BUSY)
    key = f"{page}/{secrets.token_hex(8)}"
    try:
        with sessions.pictures(key) as pictures:
            pictures.add_upload(picture)
            if mask is not None:
                pictures.add_upload(mask, "mask")
        for state in sessions.run(key, request, address=address):
            report = {name: state.get(name) for name in REPORTED} | state["numbers"]
            path = _publish_result(sessions, key) if state["state"] == "done" else None
            yield path, report
    finally:
        sessions.leave(key)


def _publish_result(sessions: Sessions, key: str) -> str:
    """Puts the result where Gradio serves it for a while, under a name that nobody can guess."""
    folder = Path(get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    sessions.delete_later(folder, RESULT_SECONDS)
    path = folder / "restored.png"
    path.write_bytes(sessions.result(key))
    return str(path)
