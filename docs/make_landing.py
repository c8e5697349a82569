"""Makes the run on the first page of the book, the README's moving picture, and the diagram.

    python docs/make_landing.py        # a minute or two on two cores

Writes `docs/learning.webp` and `docs/_static/landing_run.html`: one run of the plain prior on a
noisy cat, from the first blur to the return of the noise; and `docs/hourglass.png`, the network of
`fast` with its tensors for a picture of 512².
"""

from __future__ import annotations

from pathlib import Path

import torch

from dip_lite import Hourglass, add_noise, denoise, psnr, sample, watch
from dip_lite.images.io import atomic_write
from dip_lite.tasks.inputs import guide_channels
from dip_lite.tasks.presets import FAST
from dip_lite.viz.animation import encode_animation
from dip_lite.viz.diagrams import draw_hourglass
from dip_lite.viz.scrubber import Scrubber
from dip_lite.viz.sheets import save_figure

DOCS = Path(__file__).parent
SIDE, SIGMA, STEPS = 256, 25 / 255, 1200
MAX_BYTES = {"learning.webp": 1_000_000, "_static/landing_run.html": 500_000}


def main() -> None:
    channels = FAST.z_channels + guide_channels(FAST.architecture.stride, 3)
    assert isinstance(FAST.architecture, Hourglass)
    save_figure(draw_hourglass(FAST.architecture, channels, 3, (512, 512)), DOCS / "hourglass.png")
    x_true = sample("chelsea")[..., 20 : 20 + SIDE, 90 : 90 + SIDE]
    x0 = add_noise(x_true, SIGMA)
    snaps = watch(denoise(x0, energy="mse"), steps=STEPS, label="plain prior")
    labels = [f"step {snap.step} · {psnr(snap.x_avg.clamp(0, 1), x_true):.1f} dB" for snap in snaps]
    beside = [torch.cat([x0, snap.x_avg.clamp(0, 1)], dim=3) for snap in snaps]
    write("learning.webp", encode_animation(beside, labels, "webp", seconds=7))
    page = Scrubber(snaps, x_true, x0=x0).to_html(fragment=True)
    write("_static/landing_run.html", page.encode())


def write(name: str, data: bytes) -> None:
    if len(data) > MAX_BYTES[name]:
        raise ValueError(f"{name} has {len(data)} bytes, more than {MAX_BYTES[name]}: not written")
    atomic_write(DOCS / name, data)
    print(f"{name}: {len(data) // 1000} KB")


if __name__ == "__main__":
    main()
