"""What lessons say of their own claims.

    verdict("the peak beats the noisy picture", gain > 5, f"{gain:.1f} dB, needs 5")

A reader may turn any knob: a claim that then fails is a finding, and the lesson goes on. In the
tests it is an error.
"""

import os


def verdict(claim: str, holds: bool, margin: str = "") -> None:
    """Prints ✓ or ✗, the claim, and by how much it holds or fails.

    Args:
        claim: what the lesson says, as a sentence without a full stop.
        holds: whether the run bears it out.
        margin: what was measured and what the claim needs.

    Raises:
        AssertionError: the claim fails and DIP_LITE_STRICT is 1; if that is not set, DIP_LITE_FAST
            is asked, the mode in which the tests run notebooks.

    >>> verdict("twice the best step costs", True, "1.5 dB, needs 0.5")
    ✓ twice the best step costs (1.5 dB, needs 0.5)
    """
    line = f"{'✓' if holds else '✗'} {claim}" + (f" ({margin})" if margin else "")
    strict = os.environ.get("DIP_LITE_STRICT") or os.environ.get("DIP_LITE_FAST")
    if not holds and strict == "1":
        raise AssertionError(line)
    print(line)
