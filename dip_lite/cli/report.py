"""The outcome of a restoration: the `Result`, and the JSON that --report writes."""

import json
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .. import __version__
from ..engine import device as hardware
from ..engine.loop import Run, Snapshot
from ..images.io import atomic_write
from ..images.metrics import psnr, ssim
from ..images.resample import upsample
from .request import RestoreRequest


@dataclass(frozen=True)
class Result:
    """The outcome of one restoration; `report` is what --report writes."""

    output: str
    stop_reason: str
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return self.stop_reason.startswith("interrupted")

    def _ending(self) -> str:
        """Why the run ended, for people."""
        kind = self.stop_reason.partition(":")[0]
        endings = {
            "steady": "stopped automatically",
            "seconds": "the time limit was reached",
            "steps": "all steps done",
        }
        return endings.get(kind, self.stop_reason)

    def sentence(self) -> str:
        """The last line that the user reads."""
        fields = self.report
        quality = "" if fields.get("psnr") is None else f", PSNR {fields['psnr']:.2f} dB"
        fused = ", fused with a classical picture" if fields.get("fused") else ""
        return (
            f"Wrote {self.output}: step {fields['step_returned']} of {fields['steps']}, "
            f"{fields['seconds']:.1f} s{fused}{quality}; {self._ending()}."
        )


def build_report(
    request: RestoreRequest,
    settings: dict[str, Any],
    run: Run,
    last: Snapshot,
    x_true: Tensor | None,
    x0: Tensor,
) -> dict[str, Any]:
    """The fields of a report; a number's unit is in its name where it has one.

    Args:
        request: what was asked for.
        settings: the task's own options, as `inputs.build_task` chose them.
        run, last: the run and its last snapshot.
        x_true: the reference, of the result's size, if there is one.
        x0: the degraded picture.
    """
    height, width = run.task.size
    return {
        "task": run.task.name,
        "preset": run.task.preset,
        "picture": request.picture,
        "output": request.output,
        "width": width,
        "height": height,
        "channels": last.best.shape[1],
        **settings,
        "seed": request.seed,
        "device": str(run.device),
        "threads": torch.get_num_threads(),
        "steps": last.step,
        "seconds": round(last.seconds, 3),
        "stop_reason": last.stop_reason,
        "step_returned": last.best_step,
        "peak_memory_mb": round(hardware.peak_memory() / 2**20, 1),
        "dip_lite": __version__,
        "torch": torch.__version__,
        "fused": last.best is not last.network,
        **({} if x_true is None else _quality(run.task.guess, last, x_true, x0)),
    }


def write_report(path: str, fields: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Writes strict JSON, whole or not at all."""
    atomic_write(path, (json.dumps(fields, indent=2, allow_nan=False) + "\n").encode())


def _quality(
    guess: Tensor | None, last: Snapshot, x_true: Tensor, x0: Tensor
) -> dict[str, float | None]:
    """PSNR in dB and SSIM of the result; PSNR of the input and of a classical method's guess.

    Of a result that is fused with that guess, also the PSNR of the network alone.

    An input of another size than the result is measured by its bicubic enlargement.
    """
    best = last.best.clamp(0, 1)
    same_size = x0.shape == x_true.shape
    if not same_size:
        x0 = upsample(x0, x_true.shape[2] // x0.shape[2])
    guess = x0 if guess is None else guess.cpu()
    fields = {
        "psnr": psnr(best, x_true),
        "ssim": ssim(best, x_true),
        "psnr_input": psnr(x0, x_true),
    }
    if not (same_size and torch.equal(guess, x0)):
        fields["psnr_guess"] = psnr(guess, x_true)
    if last.best is not last.network:
        fields["psnr_network"] = psnr(last.network.clamp(0, 1), x_true)
    # JSON has no infinity, the PSNR of a picture with itself
    return {name: round(v, 4) if math.isfinite(v) else None for name, v in fields.items()}
