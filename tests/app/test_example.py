"""The example that visitors see first."""

from __future__ import annotations

from pathlib import Path

from dip_lite.app.example import Example


def test_the_landing_shows_what_it_should() -> None:
    folder = Path(__file__).parents[2] / "dip_lite/app/assets/examples"
    example = Example(folder)
    rows = sorted(example.state["frames"])
    average = [row[3] for row in rows]
    best, end = max(average), average[-1]
    assert average[0] < 15 and best > 29 and end < best - 3  # blur, clean, noise again
    auto = [row[3] for row in rows if row[0] == example.state["numbers"]["auto_step"]]
    assert len(auto) == 1 and auto[0] > best - 0.5
    assert 40 <= len(rows) <= 100
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1.5e6
    pack = example.fetch("frames", 0, len(rows))
    assert pack is not None and len(pack[0]) == sum(sum(row[5:]) for row in rows)
    assert example.fetch("thumb-coffee") is not None and example.fetch("../app.py") is None
