"""What a record must know so that its run can go on, and the check that it is the same run.

job = continued(job)                      # with what the record of job.resume says
check_inputs(job, inputs)                 # the same pictures as then
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from . import hardware
from .job import OPTIONS, Job
from .record import Record
from .verbs import SOURCES, Inputs

SHAPING = ("preset", "seed")  # beside the task's own options, what a resumed run takes from its
BUDGET = ("seconds", "steps", "no_stop")  # record; and what it takes unless told anew


def settings(job: Job, inputs: Inputs, device: torch.device) -> dict[str, Any]:
    """What a record must know to go on with its run."""
    told = {name: getattr(job, name) for name in ("task", "picture", *SHAPING, *BUDGET)}
    machine = {"device": str(device), "threads": torch.get_num_threads()}
    return {**told, **job.options, **machine, **inputs.digests()}


def continued(job: Job) -> Job:
    """The complete job with what its record says, when it resumes one.

    Raises:
        RecordError, ValueError: no record, or one of a run with other settings.
    """
    if job.resume is None:
        return job
    kept = Record(job.resume).settings
    if kept.get("task") != job.task:
        raise ValueError(
            f"{job.resume} is the record of {kept.get('task')}, not of {job.task}: "
            f"say that verb, or start anew with --record"
        )
    usual = OPTIONS[job.task] | {"preset": "fast", "seed": 0, "no_stop": False}
    kept = {name: None for name in BUDGET} | usual | kept
    _check_device(job, kept)
    anew = SOURCES if set(SOURCES) & job.given else ()  # then `check_inputs` compares what it holds
    shaping = [name for name in (*SHAPING, *job.options) if name not in SOURCES]
    for name in shaping:
        now = job.options.get(name, getattr(job, name, None))
        if name in job.given and now != kept[name]:
            raise ValueError(
                f"the run in {job.resume} was made with {name} {kept[name]}, not {now}: "
                f"leave --{name.replace('_', '-')} out, or start anew with --record"
            )
    options = {name: kept[name] for name in job.options if name not in anew}
    spent = () if {"seconds", "steps"} & job.given else ("seconds", "steps")
    names = {*SHAPING, *spent, *({"no_stop"} - job.given)}
    again = {name: kept[name] for name in names}
    return replace(job, options=job.options | options, **again)


def check_inputs(job: Job, inputs: Inputs) -> None:
    """Refuses to go on with other pictures than those of the record.

    Raises:
        ValueError: which picture is another.
    """
    if job.resume is None:
        return
    kept = Record(job.resume).settings
    now = inputs.digests()
    for name in ("picture_sha256", "mask_sha256", "flash_sha256"):
        if kept.get(name) != now.get(name):
            what = name.removesuffix("_sha256")
            called = f" ({kept[what]})" if kept.get(what) else ""
            raise ValueError(
                f"{job.resume} is the record of another {what}{called}: "
                f"give that one, or start anew with --record"
            )


def _check_device(job: Job, kept: dict[str, Any]) -> None:
    device = str(hardware.pick_device(job.device))
    if device != kept.get("device"):
        raise ValueError(
            f"the run in {job.resume} was made on {kept.get('device')} and can only go on there, "
            f"not on {device}: say --device {kept.get('device')}, or start anew with --record"
        )
