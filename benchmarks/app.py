"""The demo's speeds, as a table: `python -m benchmarks.app`, about ten minutes on two quiet cores.

Needs requirements-dev.txt and a Chromium. `--sessions 20` is over sooner, `--scrubbing` soonest.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch.nn.functional as F
from PIL import Image

from benchmarks.common import best_nlm
from dip_lite import add_noise, fit, load, sample
from dip_lite.app.events import Finished, Progress
from dip_lite.app.fitting import stream_fit
from dip_lite.app.limits import Limits
from dip_lite.app.request import RunRequest
from dip_lite.app.restoration import Inputs, build_restoration
from dip_lite.app.uploads import Picture
from dip_lite.viz.scrubber.page import Clip
from tests.app.server import FLAGS, Server, chromium
from tests.viz.jupyter import Lab

# from an input event on the slider to the frame painted: drawn, and the browser past its next paint
SCRUB = """async (moves) => {
  const part = (name) => document.querySelector('.dip-' + name);
  const slider = part('slider'), frame = part('frame'), count = +slider.max + 1, times = [];
  let wrong = 0, seed = 1;
  for (let move = 0; move < moves; move++) {
    seed = (seed * 48271) % 2147483647;
    const index = move % 2 ? seed % count : Math.min(count - 1, +slider.value + 1);
    const begun = performance.now();
    slider.value = index;
    slider.dispatchEvent(new Event('input'));
    if (+slider.value !== index) wrong++;
    const step = part('now').textContent.match(/step (\\d+)/)[1];
    while (frame.dataset.step !== step) await new Promise((done) => setTimeout(done, 0));
    await new Promise((done) => requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = done;
      channel.port2.postMessage(0);
    }));
    times.push(performance.now() - begun);
  }
  return { times, wrong };
}"""


def picture(size: tuple[int, int] = (256, 256), seed: int = 0) -> bytes:
    """A noisy gradient, as PNG."""
    x = np.linspace(0, 200, size[0])[None, :, None]
    noise = np.random.default_rng(seed).normal(0, 25, (size[1], size[0], 3))
    memory = io.BytesIO()
    Image.fromarray((x + noise).clip(0, 255).astype(np.uint8)).save(memory, "PNG")
    return memory.getvalue()


class Caller:
    """A program that uses /restore."""

    def __init__(self, server: Server) -> None:
        self.wire = httpx.Client(base_url=server.address, timeout=180)

    def begin(self, data: bytes, seconds: float, steps: int, network: str) -> str:
        path = self.wire.post("/gradio_api/upload", files={"files": ("a.png", data)}).json()[0]
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        body = {"data": [file, "denoise", None, 4, seconds, steps, 0, network]}
        return str(self.wire.post("/gradio_api/call/restore", json=body).json()["event_id"])

    def hear(self, event: str, until: Callable[[str], bool] = lambda line: False) -> str:
        """The last line of a call, or the first for which `until` holds."""
        last = ""
        with self.wire.stream("GET", f"/gradio_api/call/restore/{event}") as stream:
            for line in stream.iter_lines():
                last = line if line.startswith("data: ") and "null" != line[6:] else last
                if until(line):
                    break
        return last

    def restore(self, data: bytes, steps: int = 20) -> str:
        return self.hear(self.begin(data, 30, steps, "tiny"))


@contextmanager
def a_fit_going(server: Server) -> Iterator[None]:
    """Somebody else's run of 256², light network, while the body runs."""
    caller = Caller(server)
    event = caller.begin(picture(), 170, 0, "light")
    begun, stop = threading.Event(), threading.Event()

    def until(line: str) -> bool:
        if '"running"' in line:
            begun.set()
        return stop.is_set()

    thread = threading.Thread(target=caller.hear, args=(event, until))
    thread.start()
    begun.wait(60)
    try:
        yield
    finally:
        stop.set()
        thread.join()


def answering(server: Server, count: int = 40) -> float:
    """Median milliseconds until `/` has been answered whole."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        httpx.get(server.address, timeout=60).raise_for_status()
        times.append(1000 * (time.perf_counter() - begun))
        time.sleep(0.05)
    return statistics.median(times)


@contextmanager
def a_browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


def scrubbing(page: Any, moves: int = 200) -> tuple[float, float, int]:
    """Median and 95th percentile in milliseconds on a page, and requests made meanwhile.

    JupyterLab's own, which ask for news every few seconds, are not counted.
    """
    page.wait_for_selector(".dip-frame[data-step]", timeout=120_000)
    page.wait_for_timeout(2000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    found = page.evaluate(SCRUB, moves)
    assert not found["wrong"]
    times = sorted(found["times"])
    ours = [url for url in asked if "/api/" not in url]
    return statistics.median(times), times[int(0.95 * len(times))], len(ours)


def scrubbing_demo(server: Server) -> tuple[float, float, int]:
    """The same on the landing of the demo."""
    with a_browser() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(server.address)
        return scrubbing(page)


def scrubbing_elsewhere() -> dict[str, tuple[float, float, int]]:
    """The same on a page from a file, with the network off, and in JupyterLab."""
    clip, x = Clip(None, None), sample("chelsea")
    for i in range(60):
        clip.add(i * i, [i / 10, 1 / (1 + i)], F.interpolate(x, (256, 256)) * (i / 60))
    with a_browser() as browser, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.html"
        path.write_text(clip.to_html(), "utf-8")
        page = browser.new_context(offline=True).new_page()
        page.goto(path.as_uri())
        times = {"a page without a server": scrubbing(page)}
        lab = Lab(browser, Path(folder))
        times["JupyterLab"] = scrubbing(lab.page)
        lab.close()
    return times


def leaving(server: Server, count: int) -> tuple[list[float], float]:
    """Seconds from a hang-up mid-run until the next caller's tiny run is done, sorted.

    And the median of the same call with nobody before it, which is to be taken off.
    """
    waits, alone = [], []
    for _ in range(5):
        begun = time.perf_counter()
        Caller(server).restore(picture((48, 48)), steps=1)
        alone.append(time.perf_counter() - begun)
    for number in range(count):
        guest = Caller(server)
        event = guest.begin(picture(seed=number), 60, 0, "light")
        guest.hear(event, lambda line: '"running"' in line)
        guest.wire.close()
        begun = time.perf_counter()
        last = Caller(server).restore(picture((48, 48)), steps=1)
        assert "done" in last, last
        waits.append(time.perf_counter() - begun)
    return sorted(waits), statistics.median(alone)


def crowd(server: Server, count: int = 20) -> dict[str, int]:
    """How many of as many at once get their own result, a clear "full", or anything else."""
    counts: dict[str, int] = {"own": 0, "full": 0, "other": 0}

    def visit(number: int) -> None:
        caller, size = Caller(server), (40 + number, 48)
        last = caller.restore(picture(size, number))
        word = "other"
        if "queue is full" in last:
            word = "full"
        elif "restored.png" in last:
            path = json.loads(last.removeprefix("data: "))[0]["path"]
            reply = caller.wire.get(f"/gradio_api/file={path}").content
            word = "own" if Image.open(io.BytesIO(reply)).size == size else "other"
        counts[word] += 1

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts


def remembering(server: Server, sessions: int) -> tuple[float, float]:
    """Megabytes resident after five sessions and after all."""
    after = 0.0
    for number in range(sessions):
        caller = Caller(server)
        assert "done" in caller.restore(picture((128, 128), number))
        caller.wire.close()
        if number == 4:
            after = server.memory()
    return after, server.memory()


def steps_in(seconds: float = 20, rounds: int = 2) -> tuple[list[int], list[int]]:
    """Steps that the demo's fit makes in that time, and the command line's, in turns.

    A photograph of 670×447 is denoised; both count from the first step and do not stop early.
    """
    photo = F.interpolate(sample("coffee"), (447, 670), mode="bilinear", antialias=True)
    request, inputs = RunRequest(seconds=seconds, ignore_stop=True), Inputs(Picture(photo))
    demo, command_line = [], []
    for _ in range(rounds):
        task = build_restoration(request, inputs, Limits()).task
        command_line.append([snap.step for snap in fit(task, seconds=seconds, stop=False)][-1])
        with tempfile.TemporaryDirectory() as folder:
            events = list(stream_fit(request, inputs, Limits(), Path(folder)))
        assert isinstance(events[-1], Finished)
        shown = [event.numbers["step"] for event in events if isinstance(event, Progress)]
        demo.append(int(shown[-1] or 0))
    return demo, command_line


def quick_against_nlm(folder: str, sigma: int = 25) -> Iterator[tuple[str, float, float]]:
    """PSNR of the demo's "Quick", and of NLM at its best setting, by picture.

    Photographs are scaled to the demo's 300,000 pixels; those of a folder are added to two.
    """
    photos = {name: sample(name) for name in ("coffee", "rocket")}
    photos |= {path.stem: load(path) for path in sorted(Path(folder).glob("*"))} if folder else {}
    for name, photo in photos.items():
        scale = (300_000 / photo[0, 0].numel()) ** 0.5
        size = [int(scale * side) for side in photo.shape[2:]]
        x_true = F.interpolate(photo, size, mode="bicubic", antialias=True).clamp(0, 1)
        request = RunRequest.parse(noise=float(sigma), budget="quick")
        with tempfile.TemporaryDirectory() as run:
            *_, last = stream_fit(request, Inputs(Picture(x_true)), Limits(), Path(run))
        assert isinstance(last, Finished)
        x0 = add_noise(x_true, sigma / 255, seed=request.seed)
        yield name, last.numbers["psnr"] or 0.0, best_nlm(x_true, x0, sigma / 255)[0]


def quick_rows(folder: str) -> None:
    gains = []
    for name, ours, rival in quick_against_nlm(folder):
        row(f'"Quick", {name}, 300,000 pixels, σ = 25; NLM', f"{ours:.2f}; {rival:.2f} dB", "")
        gains.append(ours - rival)
    shown = f"{statistics.mean(gains):+.2f} dB, {min(gains):+.2f} at least of {len(gains)}"
    row('"Quick" above NLM at its best setting', shown, "+0.3 dB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--leavers", type=int, default=30)
    parser.add_argument("--scrubbing", action="store_true", help="measure nothing else")
    parser.add_argument("--fits", action="store_true", help="measure steps and quality alone")
    parser.add_argument("--folder", default="", help="clean photographs for the quality of Quick")
    asked = parser.parse_args()
    if asked.scrubbing:
        server = Server()
        scrub_rows({"the demo, idle": scrubbing_demo(server)} | scrubbing_elsewhere())
        server.close()
        return
    demo, command_line = steps_in()
    shown = f"{demo} : {command_line}, {sum(demo) / sum(command_line):.2f}"
    row("steps in 20 s against the command line's", shown, "0.90")
    quick_rows(asked.folder)
    if asked.fits:
        return
    server = Server("--queue", "12", "--per-address", "12")
    row("boot to first byte", f"{server.boot:.1f} s", "10 s")
    row("resident before the first run", f"{server.memory():.0f} MB", "600 MB")
    row("/ answers, idle", f"{answering(server):.0f} ms", "")
    scrub_rows({"the demo, idle": scrubbing_demo(server)} | scrubbing_elsewhere())
    with a_fit_going(server):
        row("/ answers during a fit", f"{answering(server):.0f} ms", "500 ms")
        scrub_rows({"the demo, during a fit": scrubbing_demo(server)})
    row("20 at once", str(crowd(server)), "own or full")
    waits, alone = leaving(server, asked.leavers)
    middle = statistics.median(waits)
    shown = f"{middle:.1f} s, {waits[-1]:.1f} at most; {alone:.1f} if nobody was before"
    row(f"{asked.leavers} who leave: the next is served in", shown, "1 s more")
    early, late = remembering(server, asked.sessions)
    shown = f"{early:.0f} → {late:.0f} MB, × {late / early:.2f}"
    row(f"memory after 5 and {asked.sessions} sessions", shown, "× 1.2")
    server.close()


def scrub_rows(times: dict[str, tuple[float, float, int]]) -> None:
    for where, (middle, slow, requests) in times.items():
        shown = f"{middle:.0f} ({slow:.0f}) ms, {requests} requests"
        row(f"scrubbing in {where}: median (95 %) of 200 moves", shown, "20 ms, 0 requests")


def row(what: str, value: str, wanted: str) -> None:
    print(f"| {what} | {value} | {wanted} |", flush=True)


if __name__ == "__main__":
    main()
