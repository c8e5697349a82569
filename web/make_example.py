"""Makes what a visitor lands on: `python -m web.make_example`, some minutes on two cores.

The plain deep image prior on a noisy cat, past the automatic stop and until the noise is back, by
the same code that runs a visitor's; and thumbnails of the examples. 1.5 MB in all.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from .choices import SAMPLES, Choice, Limits
from .fitting import Begun, Ended, Frame, Seen, fitting
from .material import Inputs
from .uploads import encode, read_sample

HERE = Path(__file__).parent / "examples"
CHOICE = Choice(noise=25.0, plain=True, past=True, steps=1600, snapshots=48)


def main(folder: Path = HERE, choice: Choice = CHOICE) -> None:
    """Writes the landing's files and the thumbnails."""
    folder.mkdir(exist_ok=True)
    for name in SAMPLES:
        thumb = encode(read_sample(name, 256 * 256).x, side=128, quality=70)
        (folder / f"thumb-{name}.webp").write_bytes(thumb)
    picture = read_sample("chelsea", 256 * 256)
    limits = Limits()
    told: dict[str, Any] = {"id": "example", "state": "done", "task": "denoise", "note": ""}
    rows, packed, numbers = [], [], {}
    with tempfile.TemporaryDirectory() as place:
        for news in fitting(Forever(**vars(choice)), Inputs(picture), limits, Path(place)):
            if isinstance(news, Begun):
                assert news.truth is not None
                (folder / "before.webp").write_bytes(news.before)
                (folder / "truth.webp").write_bytes(news.truth)
                told |= {"size": news.size, "truth": True}
            elif isinstance(news, Frame):
                rows.append(news.row())
                packed.append(news.average + news.raw)
            elif isinstance(news, Seen):
                numbers = news.numbers
                print(f"\rstep {numbers['step']}", end="", file=sys.stderr)
            elif isinstance(news, Ended):
                told |= {"numbers": {**numbers, **news.numbers}, "why": news.why, "frames": rows}
    (folder / "landing.pack").write_bytes(b"".join(packed))
    (folder / "landing.json").write_text(json.dumps(told) + "\n", "utf-8")


class Forever(Choice):
    """A choice whose steps alone decide when it ends."""

    def seconds(self, limits: Limits) -> float:
        return 1e6


if __name__ == "__main__":
    main()
