"""A run as one HTML file: frames, script and style inside, and no request to anywhere."""

import base64
import html
import json
import math
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from torch import Tensor

from ...images.io import check_same_size, data_uri, encode_webp, to_pil
from ...images.metrics import psnr
from ..animation import encode_animation
from ..sheets import scale_to

FILES = "scrubber.js", "scrubber.css", "scrubber.html", "page.html", "fragment.html"
JS, CSS, MARKUP, PAGE, FRAGMENT = (Path(__file__).with_name(f).read_text("utf-8") for f in FILES)
TITLE, MAX_BYTES, NOTEBOOK_BYTES = "A network fits one picture, step by step", 400_000, 150_000
# longer side in pixels, quality of WebPs, number of frames; the first that fits is taken
SIZES = (384, 82, 120), (384, 65, 90), (256, 60, 64), (192, 45, 48), (160, 25, 20), (96, 20, 12)


class Clip:
    """The frames of a run, at most `side` pixels long, and the pictures to compare them with."""

    def __init__(self, x0: Tensor | None, x_true: Tensor | None, side: int = 384) -> None:
        self.others, self.side = {"before": x0, "truth": x_true}, side
        self.first: Tensor | None = None  # the first frame, unscaled
        self.rows: list[list[Any]] = []  # step, seconds, loss, PSNR, PSNR of the raw output
        self.frames: list[list[Image.Image]] = []  # the average, and the raw output if it is known
        self.kind = "avg"  # what is shown first, or "raw"
        self.auto_step: int | None = None  # where the run would have stopped by itself, if known

    def add(self, step: int, numbers: list[float | None], *pictures: Tensor) -> None:
        """Adds the moving average, (1, C, H, W), and the raw output if it is known, of one step.

        `numbers` are seconds, loss, PSNR and that of the raw output; unless all four are given, the
        PSNRs are computed here if there is an `x_true`.

        Raises:
            ValueError: another size than the first frame's or `x_true`'s, or NaN in a picture.
        """
        self.first = pictures[0] if self.first is None else self.first
        check_same_size(self.first, pictures[0], f"frame of step {step}", "first frame")
        if (x_true := self.others["truth"]) is not None and len(numbers) < 4:
            numbers = [*numbers[:2], *(min(psnr(x.clamp(0, 1), x_true), 99.0) for x in pictures)]
        known = [n if n is not None and math.isfinite(n) else None for n in [*numbers, None, None]]
        self.rows.append([step, *known[:4]])
        self.frames.append([to_pil(scale_to(x, self.side)) for x in pictures])

    def encode(self, side: int, quality: int, count: int, method: int = 4) -> tuple[dict, bytes]:
        """About `count` frames: a run as `scrubber.js` takes it, and its WebPs one after another.
        Raises ValueError if there is no frame."""
        if not self.rows:
            raise ValueError("a scrubber needs at least one snapshot, got none")
        frames, pack = [], b""
        for index in self._choose(count):
            webps = [encode_webp(x, side, quality, method) for x in self.frames[index]] + [b""]
            frames.append([*self.rows[index], len(webps[0]), len(webps[1])])
            pack += b"".join(webps)
        known = {k: x for k, x in self.others.items() if x is not None}
        others = {"before": "", "truth": ""} | {k: data_uri(known[k], side, quality) for k in known}
        size, numbers = self.frames[0][0].size, {"auto_step": self.auto_step}
        run = {"id": "run", "state": "done", "kind": self.kind, "size": size, "numbers": numbers}
        return {**run, **others, "frames": frames}, pack

    def _choose(self, count: int) -> list[int]:
        """Indices of evenly spaced frames, and of the marks."""
        every, gap = range(len(self.rows)), max(1, (len(self.rows) - 1) / max(1, count - 1))
        chosen = {round(i * gap) for i in range(count) if round(i * gap) in every}
        best = [max(every, key=lambda i: self.rows[i][column] or -math.inf) for column in (3, 4)]
        stop = min(every, key=lambda i: abs(self.rows[i][0] - (self.auto_step or 0)))
        return sorted({*chosen, *best, stop, every[-1]})

    def to_html(self, max_bytes: int = MAX_BYTES, fragment: bool = False) -> str:
        """The run as a page that needs no server, no kernel and no network.

        Frames are made smaller and fewer until it fits into `max_bytes`. A `fragment` is a piece to
        put into a page, any number of times; where scripts do not run it shows an animation.
        Raises ValueError if there is no frame, or `max_bytes` is too little for any.
        """
        for side, quality, count in SIZES:
            one = len(self.encode(side, quality, 4)[1]) / len(self._choose(4))  # frame, about
            if 1.2 * one * len(self._choose(count)) < max_bytes:
                run, pack = self.encode(side, quality, count)
                parts = {"run": json.dumps(run), "pack": base64.b64encode(pack).decode()}
                made = PAGE.format(title=TITLE, css=CSS, js=JS, markup=MARKUP, **parts)
                if fragment:
                    movie = self._movie(max_bytes // 30_000)
                    made = FRAGMENT.format(title=TITLE, page=html.escape(made), movie=movie)
                if len(made.encode()) <= max_bytes:
                    return made
        raise ValueError(f"the page does not fit into {max_bytes} bytes: set max_bytes to 200000")

    def _movie(self, count: int) -> str:
        """A small animated WebP of the run, as a data URI."""
        chosen, raw, size = self._choose(min(count, 14)), self.kind == "raw", (192, 192)
        pictures = [ImageOps.contain(self.frames[index][raw], size) for index in chosen]
        labels = [f"step {self.rows[index][0]}" for index in chosen]
        movie = encode_animation(pictures, labels, "webp", quality=30)
        return f"data:image/webp;base64,{base64.b64encode(movie).decode()}"
