"""Links that open the demo with a task, a picture and a prior already chosen.

demo_link("jpeg", "coffee", plain=True)     # http://127.0.0.1:7860/?task=jpeg&sample=coffee&plain=1
read_link({"task": "jpeg", "plain": "1"})   # ({"task": "jpeg", "plain_prior": True}, "")

Needs no Gradio, so that lessons can print their link.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ..errors import name_of
from .labels import SAMPLES, TASKS

LOCAL = "http://127.0.0.1:7860/"  # where `python app.py` serves
CHOICES: dict[str, dict[str, Any]] = {  # name in the link → its values there → ours
    "task": {name: name for name in TASKS},
    "sample": {name: name for name in SAMPLES},
    "plain": {"1": True, "0": False},
}


def demo_link(
    task: str | None = None, sample: str | None = None, plain: bool = False, demo: str = LOCAL
) -> str:
    """The address that opens the demo set up.

    Args:
        task: by its name on the command line, such as "jpeg"; or "invert".
        sample: one of the demo's examples, such as "coffee".
        plain: the paper's plain prior, with random numbers as its only input.
        demo: the address of the demo.

    Raises:
        ValueError: a task or a sample that the demo does not have.

    >>> demo_link("jpeg", "coffee", plain=True, demo="https://example.org/")
    'https://example.org/?task=jpeg&sample=coffee&plain=1'
    """
    asked = {"task": task, "sample": sample, "plain": "1" if plain else None}
    query = {name: value for name, value in asked.items() if value is not None}
    for name, value in query.items():
        if value not in CHOICES[name]:
            raise ValueError(f"{name} must be one of {', '.join(CHOICES[name])}, got {value!r}")
    return f"{demo}?{urlencode(query)}" if query else demo


def read_link(query: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """What a link asks for, and a sentence about what it asks for in vain.

    Args:
        query: the parameters of the address; those that are not ours are ignored.

    Returns:
        "task", "sample" and "plain_prior", as far as given; the sentence is empty if all is well.

    >>> read_link({"task": "fly", "plain": "1", "utm_source": "x"})
    ({'plain_prior': True}, 'This link asks for task=fly, which the demo does not have: ignored.')
    """
    asked, unknown = {}, []
    for name, values in CHOICES.items():
        value = query.get(name)
        if value in values:
            asked["plain_prior" if name == "plain" else name] = values[value]
        elif value is not None:
            unknown.append(f"{name}={name_of(value[:30])}")
    text = " and ".join(unknown)
    return asked, f"This link asks for {text}, which the demo does not have: ignored." * bool(text)
