"""What a record must know so that its run can go on, and the check that it is the same run.

request = resume_request(request)         # with the settings in the record of request.resume
with recorded_threads(request): ...       # other numbers of threads round differently
check_inputs(request, inputs)             # the same pictures as before
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click
import torch

from ..engine import device as hardware
from ..records import Record
from .inputs import Inputs
from .options import INPUTS
from .request import RestoreRequest, flag

FIXED = ("preset", "seed")  # beside the task's options, what a resumed run cannot change
BUDGET = ("seconds", "steps", "no_stop")  # and what it can


def record_settings(
    request: RestoreRequest, inputs: Inputs, device: torch.device
) -> dict[str, Any]:
    """What a record must know to continue its run."""
    machine = {"device": str(device), "threads": torch.get_num_threads()}
    return {**_settings(request), **machine, **inputs.digests()}


def resume_request(request: RestoreRequest) -> RestoreRequest:
    """The request with the settings of the record that it resumes, if it resumes one.

    Raises:
        RecordError, ValueError: there is no record, or its run had other settings.
    """
    if request.resume is None:
        return request
    kept = _read_settings(request)
    _check_settings(request, kept)
    new_inputs = bool(INPUTS & request.given)  # `check_inputs` compares what they hold
    fixed = [name for name in request.options if not (new_inputs and name in INPUTS)]
    budget = set(BUDGET) - request.given
    if {"seconds", "steps"} & request.given:  # one replaces the other
        budget -= {"seconds", "steps"}
    return replace(
        request,
        options=request.options | {name: kept[name] for name in fixed},
        **{name: kept[name] for name in (*FIXED, *budget)},
    )


@contextlib.contextmanager
def recorded_threads(request: RestoreRequest) -> Iterator[None]:
    """Makes PyTorch use as many CPU threads as the resumed run did, so that it ends the same.

    Raises:
        ValueError: PyTorch cannot use that number here.
    """
    kept = {} if request.resume is None else Record(request.resume).settings
    wanted, usual = kept.get("threads"), torch.get_num_threads()
    if kept.get("device") != "cpu" or wanted in (None, usual):
        yield
        return
    try:
        torch.set_num_threads(wanted)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"the run in {request.resume} used {wanted} threads, which PyTorch cannot use here: "
            f"start a new run with --record"
        ) from error
    click.echo(
        f"Note: using {wanted} CPU threads instead of {usual}, as recorded in {request.resume}, "
        f"so that the run ends the same.",
        err=True,
    )
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def check_inputs(request: RestoreRequest, inputs: Inputs) -> None:
    """Refuses to continue with other pictures than those of the record.

    Raises:
        ValueError: which picture differs.
    """
    if request.resume is None:
        return
    kept, now = Record(request.resume).settings, inputs.digests()
    for what in ("picture", "mask", "flash", "guide", "compression"):
        if kept.get(f"{what}_sha256") != now.get(f"{what}_sha256"):
            name = f" ({kept[what]})" if kept.get(what) else ""
            raise ValueError(
                f"{request.resume} is the record of another {what}{name}: use that one, or start "
                f"a new run with --record"
            )


def _settings(request: RestoreRequest) -> dict[str, Any]:
    names = ("task", "picture", *FIXED, *BUDGET)
    return {name: getattr(request, name) for name in names} | request.options


def _read_settings(request: RestoreRequest) -> dict[str, Any]:
    """The record's settings, with defaults for those it lacks."""
    assert request.resume is not None
    kept = Record(request.resume).settings
    if kept.get("task") != request.task:
        raise ValueError(
            f"{request.resume} is the record of {kept.get('task')}, not of {request.task}: use "
            f"that command, or start a new run with --record"
        )
    return _settings(RestoreRequest(request.picture, request.output, request.task)) | kept


def _check_settings(request: RestoreRequest, kept: dict[str, Any]) -> None:
    """Refuses another device, and options given with another value than the record's."""
    device = str(hardware.pick_device(request.device))
    if device != kept.get("device"):
        raise ValueError(
            f"the run in {request.resume} was made on {kept.get('device')} and can only continue "
            f"there, not on {device}: add --device {kept.get('device')}, or start a new run with "
            f"--record"
        )
    now = _settings(request)
    for name in sorted(request.given & {*FIXED, *request.options} - INPUTS):
        if now[name] != kept[name]:
            raise ValueError(
                f"the run in {request.resume} was made {_difference(name, kept[name], now[name])}: "
                f"leave {flag(name)} out, or start a new run with --record"
            )


def _difference(name: str, kept: Any, now: Any) -> str:
    if kept is None or kept is False:
        return f"without {flag(name)}"
    if name == "sigma":  # in grey levels, as on the command line
        kept, now = f"{255 * kept:g}", f"{255 * now:g}"
    return f"with {flag(name)} {kept}, not {now}"
