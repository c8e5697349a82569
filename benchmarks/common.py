"""Pictures, classical rivals and tables that the benchmarks share."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import dip_lite as dip
from dip_lite.images.io import atomic_write

PAPER = Path(os.environ.get("DIP_LITE_PAPER", "../shared/data/paper"))  # the paper's own pictures
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea")


def noisy_pair(name: str, sigma: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(clean, noisy) of a named picture; F16 at σ = 25 is the authors' own noisy file."""
    if name == "F16":
        x_true = dip.load(PAPER / "F16.png")
        if round(sigma * 255) == 25 and seed == 0:
            return x_true, dip.load(PAPER / "F16_noisy25.png")
    else:
        x_true = dip.sample(name)
    return x_true, dip.add_noise(x_true, sigma, seed=seed)


def _array(x: Tensor) -> np.ndarray:
    return x[0].permute(1, 2, 0).numpy().astype(np.float64)


def _best(
    x_true: Tensor, tries: Iterable[tuple[str, Callable[[], np.ndarray]]]
) -> tuple[float, str]:
    """PSNR and setting of the try nearest to the clean picture: an oracle's choice."""
    clean = _array(x_true)
    scores = [
        (10 * np.log10(1 / np.mean((np.clip(run(), 0, 1) - clean) ** 2)), how) for how, run in tries
    ]
    return max(scores)


def best_tv(x_true: Tensor, x0: Tensor) -> tuple[float, str]:
    """PSNR of total variation (scikit-image) at the best weight for this very picture."""
    from skimage.restoration import denoise_tv_chambolle

    noisy = _array(x0)

    def tv(weight: float) -> Callable[[], np.ndarray]:
        return lambda: denoise_tv_chambolle(noisy, weight=weight, channel_axis=-1)

    weights = (0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3)
    return _best(x_true, [(f"weight {w}", tv(w)) for w in weights])


def best_nlm(x_true: Tensor, x0: Tensor, sigma: float) -> tuple[float, str]:
    """PSNR of non-local means (scikit-image) at the best setting for this very picture."""
    from skimage.restoration import denoise_nl_means

    noisy = _array(x0)

    def nlm(size: int, distance: int, h: float) -> Callable[[], np.ndarray]:
        return lambda: denoise_nl_means(
            noisy, patch_size=size, patch_distance=distance, h=h * sigma, sigma=sigma,
            fast_mode=True, channel_axis=-1,
        )  # fmt: skip

    shapes, strengths = ((3, 6), (5, 6), (5, 11)), (0.3, 0.4, 0.5, 0.6)
    tries = [
        (f"patch {p}, distance {d}, h {h}σ", nlm(p, d, h)) for p, d in shapes for h in strengths
    ]
    return _best(x_true, tries)


def classical(x_true: Tensor, x0: Tensor, sigma: float) -> dict[str, tuple[float, str]]:
    """PSNR of scikit-image's denoisers, each at its best setting for this very picture."""
    from skimage.restoration import denoise_wavelet

    noisy = _array(x0)

    def wavelet(method: str, ycbcr: bool) -> Callable[[], np.ndarray]:
        return lambda: denoise_wavelet(
            noisy, sigma=sigma, method=method, convert2ycbcr=ycbcr, rescale_sigma=True,
            channel_axis=-1,
        )  # fmt: skip

    tries = [
        (f"{method}, {'YCbCr' if ycbcr else 'RGB'}", wavelet(method, ycbcr))
        for method in ("BayesShrink", "VisuShrink")
        for ycbcr in (True, False)
    ]
    return {
        "TV": best_tv(x_true, x0),
        "NLM": best_nlm(x_true, x0, sigma),
        "wavelet": _best(x_true, tries),
    }


def machine() -> str:
    """One line: processor, cores, versions."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        text = info.read_text()
        names = [line.split(":")[1].strip() for line in text.splitlines() if "model name" in line]
        processor = names[0] if names else processor
        known = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")
        processor += ", " + next((flag for flag in known if flag in text), "no AVX2")
    return (
        f"{processor}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"{platform.system()}, Python {platform.python_version()}, PyTorch {torch.__version__}, "
        f"dip_lite {dip.__version__}"
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def markers(section: str, write: str | None) -> tuple[str, str]:
    """The two lines between which a section stands; ends the script if the file lacks them."""
    begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
    if write is not None:
        page = Path(write).read_text("utf-8")
        if begin not in page or end not in page:
            sys.exit(f"{write} has no markers {begin} and {end}.")
    return begin, end


def publish(section: str, text: str, write: str | None) -> None:
    """Prints a section; with `write`, also puts it between its markers in that file."""
    print(text, flush=True)
    if write is None:
        return
    begin, end = markers(section, write)
    page = Path(write).read_text("utf-8")
    before, after = page.split(begin)[0], page.split(end)[1]
    atomic_write(write, f"{before}{begin}\n{text}\n{end}{after}".encode())
