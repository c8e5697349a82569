"""Throws garbage at what reads strangers' input: `python -m benchmarks.fuzz --minutes 10`.

Pictures for `load`, `decode_alpha` and `read_jpeg`: valid files with bytes changed, cut, doubled or
put together, arrays of any type and shape. Requests for `RunRequest.parse` and `read_link`. Each
must be read, or refused with one sentence, in less than ten seconds. Pictures come first, then
requests, each kind for the minutes given. Prints a row for each target and the shortest example of
what went wrong; exits with 1 if anything did. Needs requirements-dev.txt.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from benchmarks.common import machine, table
from dip_lite.app.limits import Limits
from dip_lite.app.links import read_link
from dip_lite.app.request import CHOICES, RunRequest
from dip_lite.errors import PictureError, UserError, sentence
from dip_lite.images.decode import decode_alpha
from dip_lite.images.io import load
from dip_lite.images.jpeg_file import read_jpeg

SLOW = 10.0  # seconds
STUCK = 60.0  # seconds after which a traceback is printed and the process ends
EXAMPLES = 200  # between two looks at the clock


def seeds() -> list[bytes]:
    """Small valid files of every format and kind that Pillow writes."""
    ramp = np.linspace(0, 255, 24 * 20 * 3).reshape(20, 24, 3).astype(np.uint8)
    rgb = Image.fromarray(ramp)
    rgba, palette = rgb.convert("RGBA"), rgb.convert("P")
    rgba.putalpha(rgb.convert("L"))
    wide = Image.fromarray(ramp[..., 0].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[274] = 6
    kinds: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (rgb, "PNG", {}), (rgba, "PNG", {}), (palette, "PNG", {"transparency": 3}),
        (wide, "PNG", {}), (rgb.convert("1"), "PNG", {}), (rgb.convert("LA"), "PNG", {}),
        (rgb, "JPEG", {"exif": exif}), (rgb, "JPEG", {"progressive": True, "subsampling": 2}),
        (rgb.convert("L"), "JPEG", {}), (rgb.convert("CMYK"), "JPEG", {}),
        (rgb, "WEBP", {}), (rgba, "WEBP", {"lossless": True}),
        (rgb, "WEBP", {"save_all": True, "append_images": [rgba]}),
        (rgb, "GIF", {"save_all": True, "append_images": [palette]}),
        (rgb, "TIFF", {"compression": "tiff_lzw"}), (wide, "TIFF", {}),
        (rgb.convert("F"), "TIFF", {}), (rgb, "TIFF", {"compression": "jpeg"}),
        (rgb, "BMP", {}), (rgb, "PPM", {}), (rgb, "ICO", {"sizes": [(24, 20)]}), (rgb, "TGA", {}),
    ]  # fmt: skip
    files = []
    for picture, kind, options in kinds:
        memory = io.BytesIO()
        picture.save(memory, kind, **options)
        files.append(memory.getvalue())
    return files


@st.composite
def files(draw: Any, valid: list[bytes]) -> bytes:
    """A valid file, damaged."""
    data = bytearray(draw(st.sampled_from(valid)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.integers(0, 5)):
            case 0:
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:  # a length or a size, as these formats write them
                data[at : at + 4] = draw(
                    st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
                )
            case 2:
                del data[at:]
            case 3:
                del data[at : at + draw(st.integers(1, 64))]
            case 4:
                data[at:at] = draw(st.binary(max_size=32))
            case _:
                data[at:] = draw(st.sampled_from(valid))[at:]
    return bytes(data)


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.integers(-1, 100), st.sampled_from([value for known in CHOICES.values() for value in known]),
    st.lists(st.integers(), max_size=2), st.binary(max_size=4),
)  # fmt: skip
names = st.one_of(st.sampled_from(sorted(RunRequest.model_fields)), st.text(max_size=6))
plausible = {
    name: st.sampled_from(sorted(CHOICES[name], key=str))
    if name in CHOICES
    else st.booleans()
    if field.annotation is bool
    else st.sampled_from([-1, 0, 0.5, 1, 40, 95, 100, 20_000, "50", float("nan"), 10**400])
    for name, field in RunRequest.model_fields.items()
}
requests = st.one_of(
    st.dictionaries(names, anything, max_size=6), st.fixed_dictionaries({}, optional=plausible)
)
pixels = arrays.arrays(
    st.one_of(arrays.integer_dtypes(), arrays.floating_dtypes(), arrays.boolean_dtypes(),
              arrays.unsigned_integer_dtypes(), arrays.complex_number_dtypes()),
    st.one_of(
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=20),
        st.sampled_from([(16, 16), (16, 17, 1), (18, 16, 3), (16, 16, 4)]),
    ),
)  # fmt: skip


class Target:
    """One function under garbage.

    Args:
        name: for the table.
        source: of what it is given.
        call: reads it; returns or raises one of `refusals`.
    """

    def __init__(
        self, name: str, source: st.SearchStrategy[Any], call: Callable[[Any], None],
        refusals: type[Exception],
    ) -> None:  # fmt: skip
        self.name, self.source, self.call, self.refusals = name, source, call, refusals
        self.tried = self.refused = 0
        self.slowest = 0.0
        self.failures: list[str] = []

    def run(self, seconds: float, first_seed: int) -> None:
        """Tries for so long; counts what happened."""
        end, number = time.monotonic() + seconds, first_seed
        while time.monotonic() < end:
            check = given(self.source)(self._check)
            limits = settings(
                max_examples=EXAMPLES, deadline=None, database=None, print_blob=False,
                suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
            )  # fmt: skip
            try:
                seed(number)(limits(check))()
            except Exception as error:  # any: that is what is looked for
                notes = " ".join(getattr(error, "__notes__", []))[:300]
                self.failures.append(f"seed {number}: {type(error).__name__}: {error} {notes}")
            number += 1

    def _check(self, value: Any) -> None:
        self.tried += 1
        faulthandler.dump_traceback_later(STUCK, exit=True)
        begun = time.perf_counter()
        try:
            self.call(value)
        except self.refusals as error:
            self.refused += 1
            text = sentence(error)
            assert text.count("\n") == 0 and 10 < len(text) < 1000, text
            assert "Traceback" not in text, text
        finally:
            faulthandler.cancel_dump_traceback_later()
        took = time.perf_counter() - begun
        self.slowest = max(self.slowest, took)
        assert took < SLOW, f"{took:.1f} s"

    def row(self) -> list[str]:
        return [
            self.name, f"{self.tried:,}", f"{self.refused / max(self.tried, 1):.0%}",
            f"{1000 * self.slowest:.0f} ms", str(len(self.failures)),
        ]  # fmt: skip


def check_picture(source: Any) -> None:
    """Loads a picture and checks what `load` promises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = load(source)
        decode_alpha(source)
    assert x.ndim == 4 and x.shape[0] == 1 and x.shape[1] in (1, 3), x.shape
    assert str(x.dtype) == "torch.float32" and bool(((x >= 0) & (x <= 1)).all())


def check_request(values: dict[str, Any]) -> None:
    """Parses a request; what is accepted has a time limit."""
    limits = Limits()
    assert 0 < RunRequest.parse(**values).time_limit(limits) <= limits.max_seconds


def targets(folder: Path) -> list[list[Target]]:
    """All that strangers' input reaches first: pictures, requests."""
    valid = seeds()
    path = folder / "picture"

    def load_file(data: bytes) -> None:
        path.write_bytes(data)
        check_picture(path)

    def read_link_of(values: dict[str, Any]) -> None:
        read_link({name: str(value) for name, value in values.items()})

    def read_constraint(data: bytes) -> None:
        read_jpeg(data)

    jpegs = [data for data in valid if data[:2] == b"\xff\xd8"]
    pictures = [
        Target("files, `load`", files(valid), load_file, PictureError),
        Target("bytes, `load`", st.binary(max_size=200), load_file, PictureError),
        Target("arrays, `load`", pixels, check_picture, PictureError),
        Target("JPEGs, `read_jpeg`", files(jpegs), read_constraint, PictureError),
    ]
    demo = [
        Target("requests, `RunRequest.parse`", requests, check_request, UserError),
        Target("links, `read_link`", requests, read_link_of, UserError),
    ]
    return [pictures, demo]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="for each of the two kinds")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kinds = targets(Path(folder))
        for kind in kinds:
            for target in kind:
                target.run(60 * options.minutes / len(kind), options.seed)
    found = [target for kind in kinds for target in kind]
    print(f"{machine()}, {options.minutes:g} minutes a kind, first seed {options.seed}.\n")
    head = ["what", "tried", "refused", "slowest", "went wrong"]
    print(table(head, [target.row() for target in found]))
    failures = [f"{target.name}: {text}" for target in found for text in target.failures]
    print(*failures, sep="\n")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
