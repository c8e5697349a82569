"""The page: layout and events. Its texts are in `labels.py`, its own components in `components.py`.

page = build(Sessions(limits), load_examples())      # a gr.Blocks, which `launch.py` serves
"""

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from .api import publish
from .components import long_runs, painter, ready_state, scrubber, thumbnails
from .error_handlers import handle_errors
from .example import LANDING, Example
from .gpu import has_gpu
from .labels import (
    FIELDS,
    HEADER,
    LAYERS,
    MASKS,
    NETWORKS,
    PICTURE,
    SAMPLES,
    TASK_HINTS,
    TASKS,
    TITLE,
    budgets,
)  # fmt: skip
from .links import read_link
from .request import RunRequest
from .sessions import Sessions

ASSETS = Path(__file__).parent / "assets"
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
INSTANT = QUIET | {"queue": False}  # for handlers that cannot fail: Gradio hides their errors
LATEX: list[dict[str, str | bool]] = [
    {"left": "$$", "right": "$$", "display": True}, {"left": "$", "right": "$", "display": False}
]  # fmt: skip


@dataclass
class Controls:
    """The components that events connect."""

    viewer: gr.HTML
    run: gr.Button
    stop: gr.Button
    brush: gr.HTML
    next_file: gr.File  # hidden: takes the picture that replaces the one in "picture"
    pictures: dict[str, Any]  # by role, and "sample"
    long_run: gr.HTML  # the token of the long run chosen
    damage: gr.Checkbox  # whether to add damage first
    fields: dict[str, Any]  # of a `RunRequest`, by name
    panels: dict[str, gr.Group]  # of a task's own fields, by task


def build(sessions: Sessions, examples: Mapping[str, Example]) -> gr.Blocks:
    """The page; see the module."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.HTML(HEADER, elem_id="head", apply_default_css=False)
        with gr.Tabs():
            with gr.Tab("Demo"), gr.Row(elem_id="work"):
                with gr.Column(scale=6, min_width=320, elem_id="viewer"):
                    viewer = scrubber(examples[LANDING].state, elem_id="scrubber")
                with gr.Column(scale=5, min_width=300, elem_id="controls"):
                    controls = _controls(viewer, sessions.limits.max_seconds, examples)
            with gr.Tab("How it works"):
                about = (ASSETS / "about.md").read_text("utf-8")
                gr.Markdown(about, elem_id="about", latex_delimiters=LATEX)
                gr.Markdown((ASSETS / "api.md").read_text("utf-8"))
        _picture_events(sessions, controls)
        _long_runs(sessions, examples, controls)
        _mask_events(sessions, controls)
        _task_events(controls)
        _run_events(sessions, controls)
        _link_events(page, sessions, controls)
        publish(sessions)

        def leave(request: gr.Request) -> None:
            sessions.leave(request.session_hash)

        page.unload(leave)
    return page.queue(
        max_size=sessions.limits.queue + 24,
        api_open=False,
        default_concurrency_limit=4,
        status_update_rate=5,
    )


# --- layout


def _controls(viewer: gr.HTML, max_seconds: float, examples: Mapping[str, Example]) -> Controls:
    """The column in which a visitor says what they want."""
    fields: dict[str, Any] = {"task": _radio("task", [(label, n) for n, label in TASKS.items()])}
    gr.HTML(PICTURE, apply_default_css=False)
    file = _file("file", "Your picture", show_label=False)
    next_file = _file("next-file", "Another picture", visible="hidden")
    sample = thumbnails(SAMPLES, elem_id="examples")
    made = {token: example for token, example in examples.items() if token != LANDING}
    long = long_runs(made, elem_id="long-runs", visible=bool(made))
    flash = _file("flash", "The same scene with flash (optional)", visible=False)
    damage = gr.Checkbox(
        True, label="Add damage first", elem_id="damage",
        info="The original is then known, so the result can be scored.",
    )  # fmt: skip
    panels = {}
    with gr.Group() as panels["denoise"]:
        fields["noise"] = _slider("noise", 1, 75)
    with gr.Group(visible=False) as panels["jpeg"]:
        fields["quality"] = _slider("quality", 3, 60)
    with gr.Group(visible=False) as panels["inpaint"]:
        fields["mask"] = _radio("mask", [(label, name) for name, label in MASKS.items()])
        brush = painter(elem_id="brush", visible=False)
        mask = _file("mask-file", "A mask, white where the picture is missing", visible=False)
    with gr.Group(visible=False) as panels["super-resolve"]:
        fields["factor"] = _radio("factor", [2, 3, 4, 8])
    with gr.Group(visible=False) as panels["invert"]:
        fields["layer"] = _radio("layer", [*LAYERS])
    fields["budget"] = _radio("budget", budgets(max_seconds))
    with gr.Row(elem_id="actions"):
        run = gr.Button("Run", variant="primary", elem_id="run")
        stop = gr.Button("Stop", elem_id="stop", interactive=False)
    with gr.Accordion("Advanced settings", open=False, elem_id="more"):
        _advanced(fields)
    pictures = {"picture": file, "sample": sample, "flash": flash, "mask": mask}
    return Controls(viewer, run, stop, brush, next_file, pictures, long, damage, fields, panels)


def _advanced(fields: dict[str, Any]) -> None:
    for name in ("plain_prior", "ignore_stop", "keep_raw"):
        fields[name] = gr.Checkbox(**_common(name))
    networks = [(label, n) for n, label in NETWORKS.items() if n != "paper" or has_gpu()]
    fields["network"] = _radio("network", networks)
    with gr.Row():
        fields["steps"] = _number("steps", precision=0)
        fields["snapshots"] = _slider("snapshots", 40, 100)
    with gr.Row():
        fields["lr"] = _number("lr", step=0.005)
        fields["reg_noise_std"] = _number("reg_noise_std", step=0.05)
        fields["seed"] = _number("seed", precision=0)


def _common(name: str) -> dict[str, Any]:
    """A field's default, label and hint."""
    label, hint = FIELDS[name]
    return {"value": RunRequest.model_fields[name].default, "label": label, "info": hint or None}


def _radio(name: str, choices: list[Any]) -> gr.Radio:
    return gr.Radio(choices, elem_id=name, **_common(name))


def _slider(name: str, low: int, high: int) -> gr.Slider:
    return gr.Slider(low, high, step=1, **_common(name))


def _number(name: str, **options: Any) -> gr.Number:
    schema = RunRequest.model_json_schema()["properties"][name]
    return gr.Number(
        minimum=schema["minimum"], maximum=schema["maximum"], **_common(name), **options
    )


def _file(name: str, label: str, **options: Any) -> gr.File:
    return gr.File(label=label, elem_id=name, height=96, elem_classes="file-field", **options)


# --- events


def _picture_events(sessions: Sessions, controls: Controls) -> None:
    """Uploads and examples. A run restores what the page shows."""
    file, sample = controls.pictures["picture"], controls.pictures["sample"]

    def show(picture: Any, own: bool = False) -> list[Any]:
        """The values of `shown`; one's own picture is damaged already."""
        state, uri = ready_state(picture)
        return [state, gr.HTML("", picture=uri), gr.Checkbox(not own), gr.File(None), ""]

    @handle_errors()
    def upload(path: str, mask: str, request: gr.Request) -> list[Any]:
        with sessions.pictures(request.session_hash) as pictures:
            picture = show(pictures.add_upload(path), own=True)
        # what is missing in one's own picture is not text, as in an example
        return [*picture, "draw" if mask == "text" else gr.skip(), ""]

    @handle_errors()
    def replace(path: str, mask: str, request: gr.Request) -> list[Any]:
        return [*upload(path, mask, request), gr.File(path), gr.File(None)]

    @handle_errors()
    def choose(name: str, request: gr.Request) -> list[Any]:
        with sessions.pictures(request.session_hash) as pictures:
            return [*show(pictures.add_sample(name)), gr.File(None)]

    @handle_errors()
    def remove(request: gr.Request) -> list[Any]:
        with sessions.pictures(request.session_hash) as pictures:
            pictures.remove("picture")
            return [*show(pictures.add_sample(SAMPLES[0])), SAMPLES[0]]

    shown = [controls.viewer, controls.brush, controls.damage, controls.pictures["mask"]]
    shown.append(controls.long_run)
    mask = controls.fields["mask"]
    uploaded = file.upload(upload, [file, mask], [*shown, mask, sample], **QUIET)
    uploaded.failure(lambda: None, None, file, **QUIET)
    again = controls.next_file
    replaced = again.upload(replace, [again, mask], [*shown, mask, sample, file, again], **QUIET)
    replaced.failure(lambda: None, None, again, **QUIET)
    sample.select(choose, sample, [*shown, file], **QUIET)
    file.clear(remove, None, [*shown, sample], **QUIET)
    for role in ("flash", "mask"):
        _second_file_events(sessions, controls.pictures[role], role)


def _second_file_events(sessions: Sessions, field: gr.File, role: str) -> None:
    @handle_errors()
    def upload(path: str, request: gr.Request) -> None:
        with sessions.pictures(request.session_hash) as pictures:
            pictures.add_upload(path, role)

    @handle_errors()
    def remove(request: gr.Request) -> None:
        with sessions.pictures(request.session_hash) as pictures:
            pictures.remove(role)

    uploaded = field.upload(upload, field, None, **QUIET)
    uploaded.failure(lambda: None, None, field, **QUIET)
    field.clear(remove, None, None, **QUIET)


def _long_runs(sessions: Sessions, examples: Mapping[str, Example], controls: Controls) -> None:
    """Shows a run that was made ahead of time, for as long as its button is pressed."""

    @handle_errors()
    def show(token: str, request: gr.Request) -> dict[str, Any]:
        own = _own_state(sessions, request)
        return examples[token].state if token in examples else own

    chosen = controls.long_run
    shown = chosen.select(show, chosen, controls.viewer, **QUIET)
    shown.failure(lambda: "", None, chosen, **QUIET)


def _own_state(sessions: Sessions, request: gr.Request) -> dict[str, Any]:
    """What a visitor's last run ended with, or else their picture."""
    finished = sessions.finished(request.session_hash)
    if finished is not None:
        return finished
    with sessions.pictures(request.session_hash) as pictures:
        return ready_state(pictures.picture())[0]


def _mask_events(sessions: Sessions, controls: Controls) -> None:
    @handle_errors()
    def show(mask: str, request: gr.Request) -> list[Any]:
        brush = gr.HTML(visible=False)
        if mask == "draw":
            with sessions.pictures(request.session_hash) as pictures:
                brush = gr.HTML(visible=True, picture=ready_state(pictures.picture())[1])
        return [brush, gr.File(visible=mask == "upload")]

    mask = controls.fields["mask"]
    mask.change(show, mask, [controls.brush, controls.pictures["mask"]], **INSTANT)


def _task_events(controls: Controls) -> None:
    """Shows the fields of the chosen task; how to damage the picture only where that is wanted."""
    task, flash, panels = controls.fields["task"], controls.pictures["flash"], controls.panels

    @handle_errors()
    def show(name: str, damage: bool) -> list[Any]:
        needed = {name, "denoise"} if name == "flash" else {name}
        if not damage and name in ("denoise", "jpeg"):
            needed = set()
        return [
            gr.Radio(info=TASK_HINTS[name]),
            gr.File(visible=name == "flash"),
            gr.Checkbox(visible=name in ("denoise", "jpeg", "super-resolve")),
            *(gr.Group(visible=each in needed) for each in panels),
        ]

    shown = [task, flash, controls.damage, *panels.values()]
    gr.on([task.change, controls.damage.change], show, [task, controls.damage], shown, **INSTANT)


def _link_events(page: gr.Blocks, sessions: Sessions, controls: Controls) -> None:
    """Sets the page up as the link asks that opened it."""
    fields, pictures = controls.fields, controls.pictures

    @handle_errors()
    def follow(request: gr.Request) -> list[Any]:
        asked, text = read_link(dict(request.query_params))
        if text:
            gr.Warning(html.escape(text), title="Link")
        set_up = [asked.get(name, gr.skip()) for name in ("task", "plain_prior", "sample")]
        if "sample" not in asked:
            return [*set_up, gr.skip(), gr.skip()]
        with sessions.pictures(request.session_hash) as kept:
            state, uri = ready_state(kept.add_sample(asked["sample"]))
        return [*set_up, state, gr.HTML("", picture=uri)]

    changed = [fields["task"], fields["plain_prior"], pictures["sample"]]
    page.load(follow, None, [*changed, controls.viewer, controls.brush], **QUIET)


def _run_events(sessions: Sessions, controls: Controls) -> None:
    pictures, fields = controls.pictures, controls.fields

    def fit(
        request: gr.Request, drawing: str, damage: bool, *values: Any
    ) -> Iterator[dict[str, Any]]:
        shown = dict(zip(pictures, values, strict=False))
        asked = dict(zip(fields, values[len(pictures) :], strict=True))
        if not damage and asked["task"] != "flash":
            asked |= {"noise": 0, "quality": 0, "downscale": False}
        address = sessions.limits.client_address(request)
        with handle_errors():
            wanted = RunRequest.parse(**asked)
            yield from sessions.run(request.session_hash, wanted, drawing, shown, address)

    def end(request: gr.Request) -> None:
        sessions.stop(request.session_hash)

    @handle_errors()
    def recover(request: gr.Request) -> list[Any]:
        return [*buttons(False), _own_state(sessions, request)]

    def buttons(running: bool) -> list[Any]:
        return [gr.Button(interactive=not running), gr.Button(interactive=running), ""]

    run, stop = controls.run, controls.stop
    inputs = [controls.brush, controls.damage, *pictures.values(), *fields.values()]
    changed = [run, stop, controls.long_run]
    started = run.click(lambda: buttons(True), None, changed, **INSTANT)
    fitted = started.then(
        fit, inputs, controls.viewer, concurrency_id="fit", concurrency_limit=None, **QUIET
    )
    started.then(None, js="() => window.dipFocus('stop')", **INSTANT)
    ended = fitted.success(lambda: buttons(False), None, changed, **INSTANT)
    failed = fitted.failure(recover, None, [*changed, controls.viewer], **QUIET)
    for event in (ended, failed):
        event.then(None, js="() => window.dipFocus('run')", **INSTANT)
    stop.click(end, None, None, **INSTANT)
