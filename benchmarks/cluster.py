"""The demo on a Dask cluster, as a table: `python -m benchmarks.cluster`, on two quiet cores.

    python -m benchmarks.cluster                        # everything, about fifteen minutes
    python -m benchmarks.cluster speed crowd            # some of it, see PARTS
    python -m benchmarks.cluster memory --sessions 50   # sooner over

Scheduler, two workers of one thread and the demo are processes of their own on this machine. Of
thirty visitors two have a real browser, the others use gradio_client. Needs requirements-dev.txt
and a Chromium; Linux only, as it reads /proc.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import random
import resource
import signal
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch.nn.functional as F
from PIL import Image

from benchmarks.app import Caller, a_browser, a_fit_going, picture, row
from dip_lite import sample
from dip_lite.app.cluster import needed_memory
from dip_lite.app.events import Files
from dip_lite.app.limits import Limits
from dip_lite.app.request import RunRequest
from dip_lite.app.restoration import Inputs
from dip_lite.app.uploads import Picture
from dip_lite.app.worker import fit_on_worker
from tests.app.server import Server
from tests.app.visit import Visit
from tests.cluster import Cluster

WORKERS = 2
QUEUE = ("--queue", "32", "--per-address", "32", "--metrics")


class Class:
    """A cluster and the demo on it."""

    def __init__(self, cluster: Cluster, server: Server) -> None:
        self.cluster, self.server = cluster, server
        self.workers = [cluster.worker() for _ in range(WORKERS)]
        self.await_workers()

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.server.address}/healthz", timeout=60).json()
        return found

    def busy(self) -> bool:
        """Whether a worker has a run: then it has a folder for it."""
        return bool(self.cluster.streams())

    def await_workers(self) -> None:
        deadline = time.monotonic() + 120
        while self.health()["workers"] < WORKERS:
            assert time.monotonic() < deadline, "the workers did not join"
            time.sleep(0.2)

    def kill(self, which: int) -> None:
        """Ends a worker as a lack of memory would, and starts another."""
        self.workers[which].send_signal(signal.SIGKILL)
        self.workers[which].wait()
        self.workers[which] = self.cluster.worker()


@contextmanager
def a_class(*options: str) -> Iterator[Class]:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Cluster(Path(folder))) as cluster,
        closing(Server("--scheduler", cluster.address, *QUEUE, *options)) as server,
    ):
        yield Class(cluster, server)


# --- visitors


@dataclass
class Outcome:
    """What one visitor got."""

    word: str = "lost"  # or "own", "wrong"
    notices: list[str] = field(default_factory=list)  # those of lost workers, each once

    def notice(self, text: str | None) -> None:
        if text and "worker was lost at step" in text and text not in self.notices:
            self.notices.append(text)


def own_picture(number: int) -> tuple[bytes, tuple[int, int]]:
    """A picture that no other visitor has: its own size and its own colour."""
    size = (64 + number, 64)
    noise = np.random.default_rng(number).normal(0, 12, (size[1], size[0], 3))
    values = np.array(colour(number)) + noise
    memory = io.BytesIO()
    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(memory, "PNG")
    return memory.getvalue(), size


def colour(number: int) -> tuple[int, int, int]:
    return 30 + 6 * number, 225 - 6 * number, 40 + 160 * (number % 2)


def verdict(result: Image.Image, number: int) -> str:
    """Whether a result is that visitor's: by its size and by its mean colour."""
    mean = np.asarray(result.convert("RGB"), np.float32).mean((0, 1))
    same = result.size == (64 + number, 64) and np.abs(mean - colour(number)).max() < 3
    return "own" if same else "wrong"


def call(server: Server, number: int, outcome: Outcome, steps: int) -> None:
    """A visitor with gradio_client."""
    from gradio_client import Client, handle_file

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "a.png"
        path.write_bytes(own_picture(number)[0])
        client = Client(server.address, verbose=False, download_files=folder)
        job = client.submit(
            picture=handle_file(str(path)), steps=steps, network="tiny", api_name="/restore"
        )
        for found, report in job:
            outcome.notice(report.get("notice"))
            if report["state"] == "done":
                with Image.open(found) as result:
                    outcome.word = verdict(result, number)
        client.close()
    show(number, outcome)


def show(number: int, outcome: Outcome) -> None:
    """Progress, for whoever waits for the table."""
    print(f"visitor {number}: {outcome.word}", *outcome.notices, file=sys.stderr, flush=True)


def browse(browser: Any, server: Server, number: int, steps: int) -> Callable[[Outcome], None]:
    """A visitor with a browser, who has pressed Run; the call waits for the result."""
    visit = Visit(browser, server)
    data, _ = own_picture(number)
    file = {"name": "a.png", "mimeType": "image/png", "buffer": data}
    visit.page.set_input_files("#file input[type=file]", file)
    visit.state("ready")
    visit.tiny(steps)
    visit.page.click("#run")

    def finish(outcome: Outcome) -> None:
        visit.page.wait_for_selector(".dip[data-state=done]", timeout=600_000)
        outcome.notice(visit.page.inner_text(".dip-status"))
        with Image.open(io.BytesIO(visit.download("result.png"))) as result:
            outcome.word = verdict(result, number)
        visit.close()

    return finish


def crowd(found: Class, count: int, steps: int) -> tuple[list[Outcome], float]:
    """So many visitors at once, two of them with browsers; and the seconds until all are served."""
    outcomes = [Outcome() for _ in range(count)]
    with a_browser() as browser:
        waiting = [browse(browser, found.server, number, steps) for number in range(2)]
        begun = time.perf_counter()
        threads = [
            threading.Thread(target=call, args=(found.server, number, outcomes[number], steps))
            for number in range(2, count)
        ]
        for thread in threads:
            thread.start()
        for number, finish in enumerate(waiting):
            finish(outcomes[number])
            show(number, outcomes[number])
        for thread in threads:
            thread.join()
        return outcomes, time.perf_counter() - begun


def count_words(outcomes: list[Outcome]) -> str:
    words = [outcome.word for outcome in outcomes]
    return ", ".join(f"{words.count(word)} {word}" for word in ("own", "wrong", "lost"))


# --- the rows


def served_in(server: Server, visitors: int, size: tuple[int, int], steps: int) -> float:
    """Seconds until all of as many visitors at once are served."""
    words = list[str]()

    def visit(number: int) -> None:
        caller = Caller(server)
        event = caller.begin(picture(size, number), 0, steps, "tiny")
        words.append("done" if "restored.png" in caller.hear(event) else "lost")

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(visitors)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert words == ["done"] * visitors, words
    return time.perf_counter() - begun


def measure_speed(asked: argparse.Namespace) -> None:
    """Eight visitors, embedded and on two workers, in turns."""
    size, steps = (256, 256), 150
    alone, cluster = [], []
    with a_class() as found, closing(Server(*QUEUE)) as server:
        for one in (server, found.server):
            served_in(one, 2, size, 5)  # what is imported at the first run is not counted
        for _ in range(asked.rounds):
            alone.append(served_in(server, 8, size, steps))
            cluster.append(served_in(found.server, 8, size, steps))
    shown = [", ".join(f"{seconds:.1f}" for seconds in times) for times in (alone, cluster)]
    ratio = statistics.median(alone) / statistics.median(cluster)
    what = f"8 visitors, tiny, {size[0]}², {steps} steps: embedded, 2 workers"
    row(what, f"{shown[0]} s; {shown[1]} s: {ratio:.2f} × faster", "1.3 ×")


def measure_crowd(asked: argparse.Namespace) -> None:
    with a_class() as found:
        outcomes, seconds = crowd(found, 30, asked.steps)
    row(
        f"30 visitors at once, {asked.steps} steps",
        f"{count_words(outcomes)}, in {seconds:.0f} s",
        "30 own",
    )


def measure_kills(asked: argparse.Namespace) -> None:
    """Ten workers are killed at random moments while thirty visitors are served."""
    chance, over = random.Random(asked.seed), threading.Event()
    with a_class() as found:

        def kill() -> None:
            for _ in range(asked.kills):
                found.await_workers()
                if over.wait(chance.uniform(0, 6)):
                    return
                found.kill(chance.randrange(WORKERS))
                print("killed a worker", file=sys.stderr, flush=True)
                kills.append(time.monotonic())

        kills = list[float]()
        thread = threading.Thread(target=kill)
        thread.start()
        try:
            outcomes, seconds = crowd(found, 30, asked.steps)
        finally:
            over.set()
            thread.join()
        lost = found.health()["lost_total"]
    said = [notice for outcome in outcomes for notice in outcome.notices]
    resumed = sum("goes on" in notice for notice in said)
    row(
        f"the same, {len(kills)} SIGKILLs of workers",
        f"{count_words(outcomes)}, in {seconds:.0f} s; {lost} interruptions, the pages show "
        f"{len(said)} ({resumed} resumed, {len(said) - resumed} restarted)",
        "30 own, all shown",
    )


def measure_leaving(asked: argparse.Namespace) -> None:
    """Seconds from a hang-up until the worker has ended the fit and deleted its folder."""
    with a_class() as found:
        times = []
        for number in range(asked.leavers):
            guest = Caller(found.server)
            event = guest.begin(picture(seed=number), 60, 0, "light")
            guest.hear(event, lambda line: '"running"' in line)
            assert found.busy()
            guest.wire.close()
            begun = time.perf_counter()
            while found.busy():
                time.sleep(0.01)
            times.append(time.perf_counter() - begun)
    shown = f"{statistics.median(times):.2f} s, {max(times):.2f} at most of {len(times)}"
    row("a visitor leaves mid-run (light, 256²): the worker is free", shown, "2 s")


def measure_answers(asked: argparse.Namespace) -> None:
    """`/` while both workers fit."""
    with a_class() as found, a_fit_going(found.server), a_fit_going(found.server):
        assert found.health()["running"] == WORKERS
        times = []
        for _ in range(40):
            begun = time.perf_counter()
            httpx.get(found.server.address, timeout=60).raise_for_status()
            times.append(1000 * (time.perf_counter() - begun))
            time.sleep(0.05)
    shown = f"{statistics.median(times):.0f} ms, {max(times):.0f} at most"
    row("/ answers while all workers are busy", shown, "300 ms")


def measure_memory(asked: argparse.Namespace) -> None:
    early = 0.0
    with a_class() as found:
        for number in range(asked.sessions):
            caller = Caller(found.server)
            assert "done" in caller.restore(picture((128, 128), number))
            caller.wire.close()
            if number == 9:
                early = found.server.memory()
        late = found.server.memory()
    shown = f"{early:.0f} → {late:.0f} MB, × {late / early:.2f}"
    row(f"memory of the server after 10 and {asked.sessions} sessions", shown, "× 1.2")


def measure_first_picture(asked: argparse.Namespace) -> None:
    """From the click on Run to a picture of the run on the page, in a browser."""
    times = []
    with a_class() as found, a_browser() as browser:
        for number in range(6):
            visit = Visit(browser, found.server)
            visit.page.click(f"#examples button >> nth={number}")
            visit.state("ready")
            found.await_workers()
            before = visit.shown()
            begun = time.perf_counter()
            visit.page.click("#run")
            visit.page.wait_for_function(
                "(before) => document.querySelector('.dip[data-state=running]') && "
                "document.querySelector('.dip-frame').dataset.shown !== before",
                arg=before,
                polling=20,
            )
            times.append(time.perf_counter() - begun)
            visit.close()
    shown = f"{statistics.median(times):.2f} s, {max(times):.2f} at most of {len(times)}"
    row("first live picture after Run (light, 256²), idle cluster", shown, "2 s")


NEEDS = (  # network, task, width, height
    ("tiny", "denoise", 64, 64), ("light", "denoise", 128, 128), ("light", "denoise", 670, 447),
    ("light", "jpeg", 670, 447), ("light", "super-resolve", 670, 447), ("light", "flash", 670, 447),
)  # fmt: skip


def peak_of_a_fit(network: str, task: str, width: int, height: int) -> tuple[float, float]:
    """MB that four steps on one thread take at most, imports included, and by the demo's rule."""
    x = F.interpolate(sample("coffee"), (height, width), mode="bilinear", antialias=True)
    request = RunRequest.parse(task=task, network=network, steps=4, noise=0.0, downscale=False)
    inputs, limits = Inputs(Picture(x)), Limits()
    with tempfile.TemporaryDirectory() as folder:
        for _ in fit_on_worker(request, inputs, limits, Files({}), 1, 0.0, Path(folder)):
            pass
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes * 1024 / 1e6, needed_memory(request, inputs, limits) / 1e6


def measure_needs(asked: argparse.Namespace) -> None:
    """The memory of a fit, in a process of its own each."""
    spawn = multiprocessing.get_context("spawn")
    for case in NEEDS:
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            peak, allowed = pool.submit(peak_of_a_fit, *case).result()
        network, task, width, height = case
        row(f"{network}, {task}, {width}×{height}", f"{peak:.0f} MB", f"{allowed:.0f} MB")


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "speed": measure_speed,
    "crowd": measure_crowd,
    "kills": measure_kills,
    "leaving": measure_leaving,
    "answers": measure_answers,
    "memory": measure_memory,
    "picture": measure_first_picture,
    "needs": measure_needs,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="of speed")
    parser.add_argument("--steps", type=int, default=200, help="of each of thirty visitors")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the kills")
    parser.add_argument("--leavers", type=int, default=10)
    parser.add_argument("--sessions", type=int, default=200)
    asked = parser.parse_args()
    for name in asked.parts or PARTS:
        PARTS[name](asked)


if __name__ == "__main__":
    main()
