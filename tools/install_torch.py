"""Installs PyTorch before anything else does, so that it is the build this machine can use.

    python tools/install_torch.py auto|cpu|gpu|default [REQUIREMENTS]

On Linux pip's own choice is the build for CUDA, several gigabytes. `auto` takes PyTorch's CPU build
where there is no GPU, if its index answers; `cpu` takes it in any case; `gpu` and `default` leave
the choice to pip. A build that is there already is kept. Everywhere but on Linux pip's choice is
right. Needs nothing but pip; `make` runs it first.
"""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from importlib import metadata
from pathlib import Path

INDEX = "https://download.pytorch.org/whl/cpu"
TIMEOUT = 4.0  # seconds that the index has to answer
CHOICES = ("auto", "cpu", "gpu", "default")
PACKAGES = ("torch", "torchvision")
LARGE = (
    "There is no GPU and {index} does not answer, so pip fetches PyTorch's CUDA build, about 3 GB, "
    "6 GB on disk: to avoid that, press Ctrl-C and first install any CPU build of torch and "
    "torchvision with {pip} install."
)


def wanted(requirements: str) -> list[str]:
    """The lines of a requirements file that ask for PyTorch.

    >>> wanted("# torch is large\\ntorch>=2.4\\ntorchvision>=0.19\\nnumpy>=1.26\\ntorchmetrics")
    ['torch>=2.4', 'torchvision>=0.19']
    """
    lines = (line.partition("#")[0].strip() for line in requirements.splitlines())
    return [line for line in lines if line.split("=")[0].rstrip("<>~! ") in PACKAGES]


def is_installed() -> bool:
    """Whether some PyTorch is there; pip checks later that it is new enough."""
    try:
        return all(metadata.version(name) for name in PACKAGES)
    except metadata.PackageNotFoundError:
        return False


def has_gpu() -> bool:
    """Whether NVIDIA's driver lists a GPU."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and "GPU" in done.stdout


def answers(index: str = INDEX, timeout: float = TIMEOUT) -> bool:
    """Whether a package index can be reached now."""
    try:
        with urllib.request.urlopen(f"{index}/torch/", timeout=timeout) as reply:
            return bool(reply.status == 200)
    except (OSError, ValueError):
        return False


def from_cpu_index(choice: str, system: str = sys.platform) -> bool:
    """Whether to install from PyTorch's CPU index; prints a line where it should and cannot."""
    if choice != "auto":
        return choice == "cpu" and system == "linux"
    if system != "linux" or has_gpu():
        return False
    if answers():
        return True
    print(LARGE.format(index=INDEX, pip=f"{sys.executable} -m pip"), flush=True)
    return False


def main(choice: str = "auto", requirements: str = "requirements.txt") -> int:
    """Installs PyTorch as `choice` says; returns pip's exit status, 0 where there is no need.

    Raises:
        SystemExit: an unknown choice.
    """
    if choice not in CHOICES:
        sys.exit(f"TORCH={choice} is not known: use TORCH=cpu, gpu, default or auto.")
    asked = wanted(Path(requirements).read_text("utf-8"))
    if is_installed() or not from_cpu_index(choice):
        return 0  # pip installs the rest, and PyTorch if need be
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--index-url", INDEX, *asked]
    if (status := subprocess.call(command)) == 0 or choice == "auto":
        return 0  # where this failed, pip tries its own index next
    print(f"The CPU build cannot be installed from {INDEX}: check the network or drop TORCH=cpu.")
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
