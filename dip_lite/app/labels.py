"""Every text of the page. The keys are the values that requests and the API use."""

TITLE = "Deep Image Prior, in your browser"
HEADER = """<h1>An untrained network restores your picture</h1>
<p>The network starts from random weights and sees only one picture. It learns structure first and
noise last, so stopping early leaves the noise out. Drag the slider to see for yourself.</p>"""
PICTURE = """<h2>Picture</h2><p class="hint">Drop, paste or
<button type="button" id="choose">choose</button> your own, or pick an example. It stays on this
demo's machines, is used for your runs only, and is deleted when you leave.</p>"""
LONG_RUNS_HINT = "Or watch a long run of the paper's own networks. Press again to come back."

TASKS = {
    "denoise": "Denoise",
    "jpeg": "Remove JPEG artifacts",
    "inpaint": "Inpaint",
    "super-resolve": "Super-resolution",
    "flash": "Flash / no-flash",
    "invert": "Invert AlexNet",
}
TASK_HINTS = {
    "denoise": "Remove grain from dim light or a fast shutter.",
    "jpeg": "Remove the blocks and ripples of strong compression.",
    "inpaint": "Fill in text, scratches or holes. Only known pixels are fitted.",
    "super-resolve": "Downscaled, the result must match your picture.",
    "flash": "Combine the light of one picture with the detail of another taken with flash. "
    "Without one, a dim, noisy copy of your picture is made and restored.",
    "invert": "See what a layer of a recognition network keeps of a picture.",
}
MASKS = {
    "text": "Text",
    "scratches": "Scratches",
    "hole": "Hole",
    "random": "Random pixels",
    "draw": "Draw a mask",
    "upload": "Upload a mask",
}
BUDGETS = {"quick": ("Quick", 20.0), "standard": ("Standard", 60.0), "best": ("Best", 180.0)}
NETWORKS = {"light": "Light (default)", "tiny": "Tiny", "paper": "As in the paper"}
FACTORS = (2, 3, 4, 8)
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
SAMPLES = ("chelsea", "astronaut", "coffee", "rocket", "camera", "coins")

FIELDS = {  # of a `RunRequest`: its label and its hint
    "task": ("Task", TASK_HINTS["denoise"]),
    "noise": ("Noise level", "Standard deviation in grey levels, out of 255."),
    "quality": ("JPEG quality", "Lower is worse."),
    "mask": ("Mask", "With a generated mask, the result can be scored against the original."),
    "fraction": ("Share of missing pixels", ""),
    "factor": ("Scale factor", "Per side."),
    "downscale": ("Downscale first", ""),
    "layer": ("Layer", "Deeper layers keep less about position."),
    "budget": ("Time limit", "Most runs stop automatically before this."),
    "seconds": ("Time limit in seconds", ""),
    "network": ("Network", "Tiny: faster, lower quality."),
    "plain_prior": ("Plain prior", "Feed random numbers only, as in the paper. Slower."),
    "ignore_stop": ("Continue past the automatic stop", "Watch the noise come back."),
    "keep_raw": ("Keep raw outputs", "To compare with the moving average."),
    "lr": ("Learning rate", "0 = default."),
    "reg_noise_std": ("Input noise", "-1 = default."),
    "steps": ("Steps", "0 = until the time limit."),
    "seed": ("Seed", "Random seed."),
    "snapshots": ("Snapshots", "Frames on the slider."),
}


def budgets(max_seconds: float) -> list[tuple[str, str]]:
    """The time limits that the operator allows, each with its name; always at least one.

    >>> budgets(60)
    [('Quick · 20 s', 'quick'), ('Standard · 1 min', 'standard')]
    """
    return [
        (f"{label} · {f'{seconds / 60:g} min' if seconds >= 60 else f'{seconds:g} s'}", name)
        for name, (label, seconds) in BUDGETS.items()
        if name == "quick" or seconds <= max_seconds
    ]
