"""What must be set before Gradio and PyTorch are imported: import this module first."""

import os

from . import gpu  # noqa: F401  it imports `spaces`, which must come before PyTorch
from .temp_files import temp_folder

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
if "GRADIO_TEMP_DIR" not in os.environ:
    os.environ["GRADIO_TEMP_DIR"] = str(temp_folder("dip_lite-uploads-"))
