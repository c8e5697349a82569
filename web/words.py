"""What the page says, and what stands for what."""

from __future__ import annotations

from .choices import BUDGETS as SECONDS

TITLE = "Deep Image Prior, in your browser"
HEAD = """<h1>A network that has seen nothing cleans your picture</h1>
<p>Random weights, fitted to one picture. It learns structure first and noise last: stop it in
between, and the noise stays behind. Drag the slider to see for yourself.</p>"""
PICTURE = """<h2>A picture</h2><p class="why">Yours, dropped, pasted or chosen; or one of these. It
is read here, used for your run, and deleted when you leave.</p>"""
TASKS = {
    "Remove noise": "denoise",
    "JPEG blocks": "jpeg",
    "Fill in": "inpaint",
    "Enlarge": "super-resolve",
    "Flash / no flash": "flash",
    "AlexNet's view": "invert",
}
WHY = {
    "denoise": "Grain from a dim room or a fast shutter. It is the last thing the network learns.",
    "jpeg": "Blocks and ripples of a picture saved too small.",
    "inpaint": "Text, scratches, a hole: only the known pixels count, the network makes the rest.",
    "super-resolve": "The output, made small again, must be your picture.",
    "flash": "The light of one picture, the detail of another taken with flash.",
    "invert": "What a layer of a recognition network keeps of a picture, and what it forgets.",
}
BUDGETS = {"Quick · 20 s": "quick", "Standard · 1 min": "standard", "Best · 3 min": "best"}
MASKS = {
    "text": "text", "scratches": "scratches", "a hole": "hole", "random pixels": "random",
    "I draw it": "draw", "I upload it": "upload",
}  # fmt: skip


def budgets(most: float) -> list[tuple[str, str]]:
    """The times of which the operator allows at least a part, and their names.

    >>> budgets(60)
    [('Quick · 20 s', 'quick'), ('Standard · 1 min', 'standard')]
    """
    allowed = {name for name, seconds in SECONDS.items() if seconds <= most} | {"quick"}
    return [(label, name) for label, name in BUDGETS.items() if name in allowed]
