"""What a preset fixes: network, optimiser, input and noise.

    fast     a minute on two cores (the default)
    paper    the authors' network and settings; hours
    tiny     seconds, for tests

Each task starts from these and changes what differs:

    PRESETS = variants(
        fast={"min_delta": 0.15},
        paper={"architecture": Hourglass((8, 16, 32, 64, 128)), "steps": 2400},
    )
    preset = choose(PRESETS, "fast")
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from ..engine.settings import Settings
from ..nets.hourglass import Architecture, Hourglass

PRESET_NAMES = ("fast", "paper", "tiny")
GUIDES = ("classical", "none")  # what a result may be fused with, by name


@dataclass(frozen=True)
class Preset:
    """All that distinguishes one way of fitting a task from another."""

    name: str
    architecture: Architecture
    settings: Settings
    z: str = "normal"  # the input: a kind of `inputs.KINDS`
    z_channels: int = 8
    reg_noise_std: float = 0.3  # of the noise added to z at every step, in units of z
    energy: str = ""  # which energy to use, where a task has several
    guided: bool = True  # whether the network also sees a picture beside z
    tiled: bool = True  # whether large pictures are fitted in tiles


FAST = Preset(
    "fast",
    Hourglass((16, 32, 32, 32, 32), skip=4, upsample="nearest", padding="zeros", head_channels=16),
    Settings(steps=2000),
)
PAPER = Preset(
    "paper",
    Hourglass((128,) * 5, skip=4, upsample="bilinear", padding="reflect"),  # authors' default
    Settings(optimiser="adam", lr=0.01, steps=3000, warmup=200, patience=1000),
    z="uniform",
    z_channels=32,
    reg_noise_std=1 / 30,
    guided=False,
    tiled=False,
)
TINY = Preset(
    "tiny",
    Hourglass((8, 8), skip=2, upsample="nearest", padding="zeros", head_channels=8),
    Settings(steps=150, patience=40),
    z_channels=4,
)

Presets = Mapping[str, Preset]
_SETTINGS = {field.name for field in fields(Settings)}


def variants(**changes: Mapping[str, Any]) -> Presets:
    """The three presets of a task.

    Args:
        changes: by name of a preset, fields of `Preset` or `Settings` that differ; those of `fast`
            are not inherited by `tiny`.
    """
    presets = {preset.name: preset for preset in (FAST, PAPER, TINY)}
    for name, values in changes.items():
        inner = {key: value for key, value in values.items() if key in _SETTINGS}
        outer = {key: value for key, value in values.items() if key not in _SETTINGS}
        settings = replace(presets[name].settings, **inner)
        presets[name] = replace(presets[name], **{"settings": settings, **outer})
    return MappingProxyType(presets)


def choose(presets: Presets, name: str) -> Preset:
    """The preset of that name.

    Raises:
        ValueError: no such preset.
    """
    if name not in presets:
        raise ValueError(f"preset must be one of {', '.join(presets)}, got {name!r}")
    return presets[name]


def is_guided(guide: str | None, preset: str, can_guide: bool, needs: str) -> bool:
    """Whether a result is fused with that of a classical method; by default, with `fast`.

    Args:
        guide: one of `GUIDES`, or None for the default.
        preset: its name.
        can_guide: whether this picture and these settings allow it.
        needs: what they must be for that, for the sentence.

    Raises:
        ValueError: an unknown guide, or one where none can be used.
    """
    if guide is None:
        return can_guide and preset == "fast"
    if guide not in GUIDES:
        raise ValueError(f"guide must be one of {', '.join(GUIDES)}, got {guide!r}")
    if guide == "classical" and not can_guide:
        raise ValueError(f"a guide needs {needs}: leave it out or say none")
    return guide == "classical"
