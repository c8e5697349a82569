"""The example that visitors see first."""

from __future__ import annotations

import json

from dip_lite.app.example import FOLDER, LANDING, Example, load_examples
from dip_lite.records.long_runs import LONG_RUNS, long_run


def test_the_landing_shows_what_it_should() -> None:
    example = Example()
    rows = sorted(example.state["frames"])
    average = [row[3] for row in rows]
    best, end = max(average), average[-1]
    assert average[0] < 15 and best > 29 and end < best - 3  # blur, clean, noise again
    auto = [row[3] for row in rows if row[0] == example.state["numbers"]["auto_step"]]
    assert len(auto) == 1 and auto[0] > best - 0.5
    assert 40 <= len(rows) <= 100
    assert sum(path.stat().st_size for path in FOLDER.rglob("*.*")) < 1.5e6
    pack = example.fetch("frames", 0, len(rows))
    assert pack is not None and len(pack[0]) == sum(sum(row[5:]) for row in rows)
    assert example.fetch("thumb-coffee") is not None and example.fetch("../app.py") is None


def test_long_runs_are_examples_too() -> None:
    examples = load_examples()
    assert [*examples] == [LANDING, *(f"{LANDING}-{name}" for name in LONG_RUNS)]
    for name in LONG_RUNS:
        run, example = long_run(name), examples[f"{LANDING}-{name}"]
        rows = example.state["frames"]
        assert json.loads(json.dumps(rows)) == run.info["frames"]
        assert example.fetch("frames", 0, len(rows)) == (run.pack, "application/octet-stream")
        third = run.pack[run.ends[2] : run.ends[3]]
        assert example.fetch("frames", 2, 3) == (third, "application/octet-stream")
        assert "iterations" in example.state["caption"] and "{" not in example.state["caption"]
        for picture in ("before", "truth"):
            found = example.fetch(picture)
            assert found is not None and found[0] == (run.folder / f"{picture}.webp").read_bytes()
    versions = {example.state["version"] for example in examples.values()}
    assert len(versions) == len(examples)  # addresses that browsers cannot mix up
