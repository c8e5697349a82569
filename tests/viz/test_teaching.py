"""Verdicts: a tick or a cross for readers, an error for tests."""

from __future__ import annotations

import pytest

from dip_lite.viz.teaching import verdict


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DIP_LITE_STRICT", "DIP_LITE_FAST"):
        monkeypatch.delenv(name, raising=False)


def test_a_claim_and_its_margin(capsys: pytest.CaptureFixture[str]) -> None:
    verdict("the peak is high", True, "8.5 dB, needs 5")
    verdict("the peak is high", False, "3.2 dB, needs 5")
    verdict("it stops", True)
    assert capsys.readouterr().out.splitlines() == [
        "✓ the peak is high (8.5 dB, needs 5)",
        "✗ the peak is high (3.2 dB, needs 5)",
        "✓ it stops",
    ]


@pytest.mark.parametrize(
    "strict, fast, raises",
    [
        (None, None, False), (None, "0", False), (None, "1", True), ("1", None, True),
        ("1", "0", True), ("0", "1", False), ("0", None, False), ("", "1", True),
    ],
)  # fmt: skip
def test_only_the_tests_are_strict(
    monkeypatch: pytest.MonkeyPatch, strict: str | None, fast: str | None, raises: bool
) -> None:
    for name, value in {"DIP_LITE_STRICT": strict, "DIP_LITE_FAST": fast}.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    verdict("this holds", True)
    if raises:
        with pytest.raises(AssertionError, match=r"✗ this fails \(0\.1 dB\)"):
            verdict("this fails", False, "0.1 dB")
    else:
        verdict("this fails", False, "0.1 dB")
