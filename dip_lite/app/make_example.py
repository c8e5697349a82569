"""Makes the example that visitors see first: `python -m dip_lite.app.make_example`.

The plain deep image prior on a noisy cat, past the automatic stop until the noise is back, by the
code that runs a visitor's; and the thumbnails of all examples. Takes minutes on two cores; 1.5 MB.
"""

import json
import tempfile
from pathlib import Path

from .encoder import encode_webp
from .example import FOLDER
from .executors import LocalExecutor
from .labels import SAMPLES
from .limits import Limits
from .request import RunRequest
from .restoration import Inputs
from .runs import DemoRun
from .uploads import read_sample

PIXELS = 256 * 256
REQUEST = RunRequest(
    plain_prior=True, ignore_stop=True, keep_raw=True, steps=1600, snapshots=48, seconds=100_000
)
FILES = {"before": "before.webp", "truth": "truth.webp", "frames": "frames.pack"}
SHOWN = ("task", "size", "truth", "numbers", "stop_reason", "frames")


def main(folder: Path = FOLDER, request: RunRequest = REQUEST) -> None:
    """Writes the run's files and the thumbnails."""
    landing = folder / "landing"
    landing.mkdir(parents=True, exist_ok=True)
    for name in SAMPLES:
        thumbnail = encode_webp(read_sample(name, PIXELS).x, side=128, quality=70)
        (folder / f"thumb-{name}.webp").write_bytes(thumbnail)
    inputs, limits = Inputs(read_sample(SAMPLES[0], PIXELS)), Limits(max_seconds=1e6)
    with tempfile.TemporaryDirectory() as scratch:
        run = DemoRun(Path(scratch), request, inputs, limits, LocalExecutor())
        run.work()
        state = run.state_dict()
        for name, file in FILES.items():
            found = run.fetch(name, 0, len(state["frames"]))
            assert found is not None and isinstance(found[0], bytes), run.error
            (landing / file).write_bytes(found[0])
    shown = {name: state[name] for name in SHOWN}
    (landing / "run.json").write_text(json.dumps(shown) + "\n", "utf-8")


if __name__ == "__main__":
    main()
