"""A JupyterLab on a free port of this machine, with one notebook in it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import nbformat

from tests.app.server import ROOT, free_port

# two scrubbers over frames whose average is of grey 4·i and whose raw output of 4·i + 2
CELLS = (
    "from tests.viz.greys import snapshots\nfrom dip_lite.viz.scrubber import Scrubber",
    "first = Scrubber(snapshots())\nfirst",
    "Scrubber(snapshots(), which='x')",
    "print('the last step asked for:', first.step)",
)


class Lab:
    """The server, and a page with the notebook run.

    Args:
        browser: Playwright's.
        folder: for the notebook and all that Jupyter writes.
    """

    def __init__(self, browser: Any, folder: Path) -> None:
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, folder / "two.ipynb")
        self.log = open(folder / "log", "w")
        self.process = self._start(folder, port := free_port())
        try:
            self.page = browser.new_page(viewport={"width": 1100, "height": 1500})
            self.page.set_default_timeout(40_000)
            self._open(f"http://127.0.0.1:{port}/lab/tree/two.ipynb")
        except BaseException:
            self.close()
            raise

    def _start(self, folder: Path, port: int) -> subprocess.Popen[bytes]:
        names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
        own = {name: str(folder / name.lower()) for name in names}
        options = ["--no-browser", f"--port={port}", "--ServerApp.port_retries=0", "--allow-root"]
        options += ["--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
        options += ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url="]
        return subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=os.environ | own | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def _open(self, address: str) -> None:
        for _ in range(300):
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                assert self.process.poll() is None, "JupyterLab did not start"
                time.sleep(0.1)
        self.page.goto(address)
        self.page.wait_for_selector("text=| Idle")  # the kernel is there
        self.run("notebook:run-all-cells")

    def run(self, command: str) -> None:
        """Does a command of JupyterLab's."""
        self.page.evaluate("name => { window.jupyterapp.commands.execute(name); }", command)

    def close(self) -> None:
        """Ends the server, and with it the kernel."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.log.close()
