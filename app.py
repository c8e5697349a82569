"""The demo: upload, watch it learn, drag through time. `python app.py`, or a hosted Space.

Layout and events only; what stands behind them is in `web/`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

from web import gpu  # noqa: F401  before anything that may import PyTorch
from web.folders import lasting

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
if "GRADIO_TEMP_DIR" not in os.environ:
    os.environ["GRADIO_TEMP_DIR"] = str(lasting("dip_lite-uploads-"))

import gradio as gr

from web.api import publish
from web.choices import LAYERS, SAMPLES, Choice, Limits, has_gpu
from web.gate import Example
from web.launching import WEB, launching
from web.options import arguments
from web.painter import painter, thumbnails
from web.safe import answers, streams
from web.scrubber import scrubber, still
from web.service import Service
from web.words import HEAD, MASKS, PICTURE, TASKS, TITLE, WHY, budgets

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
AT_ONCE = QUIET | {"queue": False}  # for what cannot fail: Gradio shows no error of those


def build(limits: Limits) -> tuple[gr.Blocks, dict[str, Any]]:
    """The page, and what to launch it with."""
    service, example = Service(limits), Example(WEB / "examples")
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.HTML(HEAD, elem_id="head", apply_default_css=False)
        with gr.Tabs():
            with gr.Tab("Try it"), gr.Row(elem_id="work"):
                with gr.Column(scale=6, min_width=320, elem_id="stage"):
                    stage = scrubber(example.told, elem_id="scrubber")
                with gr.Column(scale=5, min_width=300, elem_id="ask"):
                    _controls(service, stage)
            with gr.Tab("What am I looking at?"):
                gr.Markdown(
                    (WEB / "about.md").read_text("utf-8"),
                    elem_id="about",
                    latex_delimiters=[
                        {"left": "$$", "right": "$$", "display": True},
                        {"left": "$", "right": "$", "display": False},
                    ],
                )
                gr.Markdown((WEB / "api.md").read_text("utf-8"))
        publish(service)

        def leave(request: gr.Request) -> None:
            service.leave(request.session_hash)

        page.unload(leave)
    page.queue(
        max_size=limits.queue + 24,
        api_open=False,
        default_concurrency_limit=4,
        status_update_rate=5,
    )
    return page, launching(limits, service, example)


def _controls(service: Service, stage: gr.HTML) -> None:
    """The column in which a visitor says what they want, and its events."""
    task = gr.Radio(
        [*TASKS.items()],
        value="denoise",
        label="What shall it do?",
        elem_id="task",
        info=WHY["denoise"],
    )
    gr.HTML(PICTURE, apply_default_css=False)
    file = gr.File(
        show_label=False, label="Your picture", elem_id="file", height=96, elem_classes="file-field"
    )
    thumbs = thumbnails(SAMPLES, elem_id="examples")
    second = gr.File(label="The same scene with flash (without it, yours is made dim and noisy)",
        elem_id="second", visible=False, height=96, elem_classes="file-field",
    )  # fmt: skip
    fields, groups = _damage()
    brush, mask_file = groups.pop("brush"), groups.pop("mask_file")
    fields["task"] = task
    fields["budget"] = gr.Radio(
        budgets(service.limits.seconds), value="quick", label="How long?", elem_id="budget",
        info="It mostly stops by itself, before the time is up.",
    )  # fmt: skip
    with gr.Row(elem_id="go"):
        run = gr.Button("Run", variant="primary", elem_id="run")
        stop = gr.Button("Stop", elem_id="stop", interactive=False)
    fields |= _settings()
    _picture_events(service, stage, file, thumbs, second, mask_file, brush, fields["spoil"])
    _layout_events(service, task, fields["mask"], second, groups, brush, mask_file)
    shown = {"picture": file, "sample": thumbs, "second": second, "mask": mask_file}
    _run_events(service, stage, run, stop, brush, shown, fields)


def _damage() -> tuple[dict[str, Any], dict[str, Any]]:
    """What may be done to the picture first: the fields, and the groups that a task shows."""
    spoil = gr.Checkbox(
        True, label="Spoil the picture first", elem_id="spoil",
        info="Then the clean one is known, and it can be said how near the result is.",
    )  # fmt: skip
    with gr.Group(visible=True) as noisy:
        noise = gr.Slider(1, 75, 25, step=1, label="Noise", info="Grey levels out of 255.")
    with gr.Group(visible=False) as blocky:
        quality = gr.Slider(3, 60, 12, step=1, label="JPEG quality", info="Less is worse.")
    with gr.Group(visible=False) as holed:
        mask = gr.Radio(
            [(label, name) for label, name in MASKS.items()], value="text", elem_id="mask",
            label="What is missing?", info="Made ones are known to be right or wrong afterwards.",
        )  # fmt: skip
        brush = painter(elem_id="brush", visible=False)
        mask_file = gr.File(label="A mask, white where the picture is to be filled in",
            elem_id="mask-file", visible=False, height=96, elem_classes="file-field",
        )  # fmt: skip
    with gr.Group(visible=False) as larger:
        factor = gr.Radio([2, 4, 8], value=4, label="How many times larger?", info="Per side.")
    with gr.Group(visible=False) as viewed:
        layer = gr.Radio(
            [*LAYERS], value="conv3", label="Layer", info="The deeper, the less it keeps of places."
        )
    fields = {
        "spoil": spoil, "noise": noise, "quality": quality, "mask": mask, "factor": factor,
        "layer": layer,
    }  # fmt: skip
    groups = {
        "denoise": noisy, "jpeg": blocky, "inpaint": holed, "super-resolve": larger,
        "invert": viewed, "brush": brush, "mask_file": mask_file, "spoil": spoil,
    }  # fmt: skip
    return fields, groups


def _settings() -> dict[str, Any]:
    """The advanced panel."""
    networks = [("light (ours)", "light"), ("tiny", "tiny")]
    networks += [("the authors'", "paper")] if has_gpu() else []
    with gr.Accordion("More settings", open=False, elem_id="more"):
        plain = gr.Checkbox(
            False, label="The plain prior",
            info="Random numbers alone as input, as in the paper and the example; slower.",
        )  # fmt: skip
        past = gr.Checkbox(
            False, label="Go on past the automatic stop", info="To see the noise come back."
        )
        network = gr.Radio(networks, value="light", label="Network", info="Tiny is for the hasty.")
        with gr.Row():
            steps = gr.Number(
                0, label="Steps", precision=0, minimum=0, maximum=20_000, info="0: by the time."
            )
            snapshots = gr.Slider(
                40, 100, 72, step=1, label="Snapshots", info="To drag through later."
            )
        with gr.Row():
            lr = gr.Number(
                0, label="Learning rate", minimum=0, maximum=1, step=0.005, info="0: as it suits."
            )
            reg = gr.Number(
                -1, label="Noise on the input", minimum=-1, maximum=2, step=0.05, info="-1: usual."
            )
            seed = gr.Number(
                0, label="Seed", precision=0, minimum=0, maximum=2**31 - 1, info="Of all chance."
            )
    return {
        "plain": plain, "past": past, "network": network, "steps": steps, "snapshots": snapshots,
        "lr": lr, "reg": reg, "seed": seed,
    }  # fmt: skip


def _picture_events(
    service: Service, stage: gr.HTML, file: gr.File, thumbs: gr.HTML, second: gr.File,
    mask_file: gr.File, brush: gr.HTML, spoil: gr.Checkbox,
) -> None:  # fmt: skip
    """Uploads and examples. What is shown is what a run is about."""

    def told(picture: Any, spoilt: bool) -> list[Any]:
        value, uri = still(picture)
        return [value, gr.HTML("", picture=uri), gr.Checkbox(spoilt), gr.File(None)]

    @answers
    def take(path: str, request: gr.Request) -> list[Any]:
        return [*told(service.take(request.session_hash, path), False), ""]

    @answers
    def pick(name: str, request: gr.Request) -> list[Any]:
        return [*told(service.pick(request.session_hash, name), True), gr.File(None)]

    @answers
    def back(request: gr.Request) -> list[Any]:
        service.forget(request.session_hash, "picture")
        return [*told(service.pick(request.session_hash, SAMPLES[0]), True), SAMPLES[0]]

    def keeper(kind: str) -> Callable[..., None]:
        @answers
        def keep(path: str, request: gr.Request) -> None:
            service.take(request.session_hash, path, kind)

        return keep

    def forgetter(kind: str) -> Callable[..., None]:
        @answers
        def forget(request: gr.Request) -> None:
            service.forget(request.session_hash, kind)

        return forget

    shown = [stage, brush, spoil, mask_file]
    taken = file.upload(take, file, [*shown, thumbs], **QUIET)
    taken.failure(lambda: None, None, file, **QUIET)
    thumbs.select(pick, thumbs, [*shown, file], **QUIET)
    file.clear(back, None, [*shown, thumbs], **QUIET)
    for kind, field in (("second", second), ("mask", mask_file)):
        came = field.upload(keeper(kind), field, None, **QUIET)
        came.failure(lambda: None, None, field, **QUIET)
        field.clear(forgetter(kind), None, None, **QUIET)


def _layout_events(
    service: Service,
    task: gr.Radio, mask: gr.Radio, second: gr.File, groups: dict[str, Any], brush: gr.HTML,
    mask_file: gr.File,
) -> None:  # fmt: skip
    """What each task shows of the controls."""
    names = [name for name in groups if name != "spoil"]

    @answers
    def choose(name: str) -> list[Any]:
        shown = {name, "denoise"} if name == "flash" else {name}
        spoilt = name in ("denoise", "jpeg", "super-resolve")
        return [
            gr.Radio(info=WHY[name]), gr.File(visible=name == "flash"), gr.Checkbox(visible=spoilt),
            *(gr.Group(visible=each in shown) for each in names),
        ]  # fmt: skip

    @answers
    def cover(name: str, request: gr.Request) -> list[Any]:
        canvas = gr.HTML(visible=False)
        if name == "draw":
            canvas = gr.HTML(visible=True, picture=still(service.picture(request.session_hash))[1])
        return [canvas, gr.File(visible=name == "upload")]

    task.change(
        choose, task, [task, second, groups["spoil"], *(groups[name] for name in names)], **AT_ONCE
    )
    mask.change(cover, mask, [brush, mask_file], **AT_ONCE)


def _run_events(
    service: Service, stage: gr.HTML, run: gr.Button, stop: gr.Button, brush: gr.HTML,
    shown: dict[str, Any], fields: dict[str, Any],
) -> None:  # fmt: skip
    """Run and stop."""
    names = [*fields]

    @streams
    def fit(request: gr.Request, drawing: str, *values: Any) -> Iterator[dict[str, Any]]:
        given = dict(zip(shown, values, strict=False))
        asked = dict(zip(names, values[len(shown) :], strict=True))
        if not asked.pop("spoil") and asked["task"] != "flash":
            asked |= {"noise": 0, "quality": 0, "shrink": False}
        choice, host = Choice.of(**asked), service.host(request)
        yield from service.run(request.session_hash, choice, drawing, given, host)

    def end(request: gr.Request) -> None:
        service.stop(request.session_hash)

    def buttons(going: bool) -> list[Any]:
        return [gr.Button(interactive=not going), gr.Button(interactive=going)]

    going = run.click(lambda: buttons(True), None, [run, stop], **AT_ONCE)
    ran = going.then(
        fit, [brush, *shown.values(), *fields.values()], stage, concurrency_id="fit",
        concurrency_limit=None, **QUIET,
    )  # fmt: skip
    going.then(None, js="() => window.dipFocus('stop')", **AT_ONCE)
    over = ran.then(lambda: buttons(False), None, [run, stop], **AT_ONCE)
    over.then(None, js="() => window.dipFocus('run')", **AT_ONCE)
    stop.click(end, None, None, **AT_ONCE)


def _end(*_: Any) -> None:
    """Ends in order, so that what is to be deleted is; a second signal does not cut that short."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit()


def main(words: list[str] | None = None) -> None:
    """Serves the demo until it is interrupted."""
    asked = arguments(words)
    where = {"server_name": asked.host, "server_port": asked.port or None, "inbrowser": asked.open}
    try:
        limits = Limits(
            pixels=asked.max_pixels, seconds=asked.max_seconds, queue=asked.queue,
            each=asked.per_address, forwarded=asked.forwarded,
        )  # fmt: skip
        page, options = build(limits)
        _, address, _ = page.launch(**where, prevent_thread_lock=True, **options)
    except (ValueError, OSError) as error:  # of a setting, or a port that is taken
        raise SystemExit(f"The demo cannot start: {error}") from None
    signal.signal(signal.SIGTERM, _end)  # so that what is to end or go does
    print(f"The demo is at {address}", flush=True)
    page.block_thread()


if __name__ == "__main__":
    main()
