"""What the machine has: device, precision, memory.

device = pick_device("auto")             # CUDA, else MPS, else the CPU
with autocast(device, "auto"): ...       # bfloat16 only where the processor has it
peak_memory()                            # bytes this process has held at most
"""

import contextlib
import ctypes
import functools
import platform
import sys
from pathlib import Path

import torch

PRECISIONS = ("auto", "float32", "bfloat16")


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name, or the best there is.

    Raises:
        ValueError: a name PyTorch does not know, or a device this machine lacks.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # "meta" makes tensors but holds no values
    except Exception as error:  # each back end has an exception of its own
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise ValueError(
            f"device {name!r} cannot be used here ({reason}): use auto, cpu, cuda or mps."
        ) from error
    return device


@functools.lru_cache(maxsize=1)
def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself (AVX512-BF16 or AMX).

    Elsewhere it is emulated: on an AVX2 machine the light network is then slower, see RESULTS.md.
    """
    try:
        known = Path("/proc/cpuinfo").read_text()
        return "avx512_bf16" in known or "amx_bf16" in known
    except OSError:  # not Linux
        return False


def autocast(device: torch.device, precision: str = "auto") -> contextlib.AbstractContextManager:
    """The context in which a network runs; "auto" leaves float32 wherever it is not slower.

    Raises:
        ValueError: precision is none of auto, float32, bfloat16.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    native = device.type == "cpu" and has_bfloat16()
    if precision == "bfloat16" or (precision == "auto" and native):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


@functools.lru_cache(maxsize=1)
def keep_memory() -> bool:
    """Asks the C library to keep freed memory for the next step; tells whether it will.

    A step frees and asks for the same few hundred megabytes. By default glibc hands large blocks
    back to Linux each time, and clearing the fresh pages costs a tenth of the step. The thresholds
    are the process's own: set once, at the first fit, never on import.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    trim, mmap, arenas = -1, -3, -8  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX of malloc.h
    wishes = {mmap: 32 << 20, trim: (2 << 30) - (1 << 20), arenas: 1}
    return all([mallopt(which, value) == 1 for which, value in wishes.items()])


def peak_memory() -> int:
    """The most memory this process has held, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)  # kilobytes but on macOS
