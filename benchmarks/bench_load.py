"""How the app bears many readers: browser sessions that browse while a split runs.

A new data folder with 1,000 generated runs, the app started with its own command, and sessions that
speak to it as a browser does: over a websocket, a page at a time, with the refreshes that each page
asks for. Server time is from asking for a page until the server says that it is drawn. Run it with
``python benchmarks/bench_load.py [--sessions 20] [--runs 1000] [--seconds 40] [--json FILE]``.

``--loads 2000 --runs 10000`` measures a long life instead: a first start, which fills the cache, a
second one, and so many pages of random data sets and splits one after another, with the memory.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from generated_runs import make_runs
from rich.console import Console
from rich.table import Table
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from fewshot_core import data_folder as datafolder
from fewshot_core.bench import list_tables
from fewshot_core.datasets import DATASETS
from fewshot_core.runs import Network, SplitRequest, State, cancel, start

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("", *sorted(path.stem.split("_", 1)[1] for path in (ROOT / "pages").glob("*.py")))
READING = (4.0, 12.0)
"""Seconds for which a reader looks at a page."""
PATIENCE = 60.0


@dataclass
class Seen:
    """What all sessions have met.

    Attributes:
        pages: Seconds of each page, by its name.
        refreshes: Seconds of each refresh that a page asked for.
        errors: What went wrong.
    """

    pages: dict[str, list[float]] = field(default_factory=dict)
    refreshes: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Session:
    """A browser's session."""

    def __init__(self, socket: ClientConnection, seen: Seen) -> None:
        self._socket = socket
        self._seen = seen
        self._refreshes: dict[str, float] = {}

    async def open(self, page: str, query: str = "") -> None:
        """Ask for a page and wait until it is drawn."""
        self._refreshes = {}
        message = BackMsg()
        message.rerun_script.query_string = query
        message.rerun_script.page_name = page
        self._seen.pages.setdefault(page or "Home", []).append(await self._ask(message))

    async def read(self, seconds: float) -> None:
        """Look at the page for a while; it asks for refreshes meanwhile."""
        end = time.monotonic() + seconds
        due = {name: time.monotonic() + every for name, every in self._refreshes.items()}
        while due and min(due.values()) < end:
            name = min(due, key=due.__getitem__)
            await asyncio.sleep(max(0.0, due[name] - time.monotonic()))
            message = BackMsg()
            message.rerun_script.fragment_id = name
            message.rerun_script.is_auto_rerun = True
            self._seen.refreshes.append(await self._ask(message))
            due[name] = time.monotonic() + self._refreshes.get(name, PATIENCE)
        await asyncio.sleep(max(0.0, end - time.monotonic()))

    async def _ask(self, message: BackMsg) -> float:
        begin = time.perf_counter()
        await self._socket.send(message.SerializeToString())
        while True:
            data = await asyncio.wait_for(self._socket.recv(), PATIENCE)
            answer = ForwardMsg()
            answer.ParseFromString(bytes(data))
            kind = answer.WhichOneof("type")
            if kind == "auto_rerun":
                self._refreshes[answer.auto_rerun.fragment_id] = answer.auto_rerun.interval
            elif kind == "delta" and answer.delta.new_element.HasField("exception"):
                self._seen.errors.append(answer.delta.new_element.exception.message)
            elif kind == "script_finished":
                return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--loads", type=int, help="pages of a long life")
    parser.add_argument("--folder", type=Path, help="a data folder with runs to measure with")
    parser.add_argument("--json", type=Path, help="a file to write the figures to")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        if options.loads is not None:
            live(options.folder or folder, options.runs, options.loads)
            return
        figures = measure(folder, options.sessions, options.runs, options.seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _print(figures, options.sessions, options.runs)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2))


def measure(folder: Path, sessions: int, runs: int, seconds: float) -> dict[str, object]:
    """Return what was measured, after a warm-up in which each page is drawn once."""
    list_tables(folder)
    make_runs(folder, runs, _tree(folder))
    app, port = _start(folder)
    slow = start(SplitRequest("cifar10", "grasp", images="synthetic"), folder)
    try:
        _wait_until_served(f"http://127.0.0.1:{port}")
        first = asyncio.run(_browse(port, 1, 0.0))
        seen = asyncio.run(_browse(port, sessions, seconds))
        memory = sum(process.memory_info().rss for process in _family(app.pid))
        state = slow.status().state
    finally:
        _stop(app)
        cancel(slow)
    return {
        "pages": seen.pages,
        "refreshes": seen.refreshes,
        "first": {name: times[0] for name, times in first.pages.items()},
        "errors": [*first.errors, *seen.errors],
        "memory": memory,
        "split_was_running": state is State.RUNNING,
    }


def live(folder: Path, runs: int, loads: int) -> None:
    """Print the first pages of two starts, then times and memory over many pages."""
    if not (folder / "runs").exists():
        make_runs(folder, runs, _tree(folder))
    for number in (1, 2):
        begin = time.perf_counter()
        app, port = _start(folder)
        try:
            _wait_until_served(f"http://127.0.0.1:{port}")
            ready = time.perf_counter() - begin
            seen = asyncio.run(_load_pages(port, app.pid, [("", "")], 0))
            print(f"start {number}: served after {ready:.1f} s, first page {_last(seen):.2f} s")
            if number == 2:
                asyncio.run(_load_pages(port, app.pid, _random_pages(folder, loads), loads // 10))
        finally:
            _stop(app)


def _random_pages(folder: Path, count: int) -> list[tuple[str, str]]:
    """Draw pages with queries: each page twice first, then of random data sets and splits."""
    draw = random.Random(0)
    splits = sorted(path.name for path in (folder / "runs").glob("split-*"))
    pages = [(page, "") for page in PAGES for _ in range(2)]
    while len(pages) < count:
        split = draw.choice(splits)
        dataset = next(name for name in DATASETS.names() if f"-{name}-" in split)
        pages.append((draw.choice(PAGES), f"dataset={dataset}&split={split}"))
    return pages


async def _load_pages(port: int, pid: int, pages: list[tuple[str, str]], every: int) -> Seen:
    """Load pages one after another, and print times and memory after ``every`` of them."""
    seen = Seen()
    address, origin = f"ws://127.0.0.1:{port}/_stcore/stream", f"http://127.0.0.1:{port}"
    for number, (page, query) in enumerate(pages, start=1):
        async with connect(
            address, origin=origin, subprotocols=["streamlit"], max_size=None
        ) as opened:
            await Session(opened, seen).open(page, query)
        if every and number % every == 0:
            memory = sum(process.memory_info().rss for process in _family(pid)) / 1e6
            warm = [f"{name} {statistics.median(times):.2f}" for name, times in seen.pages.items()]
            print(f"{number} pages: {memory:.0f} MB; median s: {', '.join(warm)}", flush=True)
            seen.pages.clear()
    print("errors:", len(seen.errors), *seen.errors[:5])
    return seen


def _last(seen: Seen) -> float:
    return [times[-1] for times in seen.pages.values()][-1]


def _start(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    port = _free_port()
    command = [sys.executable, "-m", "fewshot_core", "app", "--port", str(port)]
    app = subprocess.Popen(
        [*command, "--data-dir", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return app, port


def _stop(app: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(app.pid, signal.SIGTERM)
    app.wait(timeout=20)


async def _browse(port: int, sessions: int, seconds: float) -> Seen:
    """Have sessions browse for a while, or each page once where no time is given."""
    seen = Seen()
    jobs = [_session(port, number, seconds, seen) for number in range(sessions)]
    await asyncio.gather(*jobs)
    return seen


async def _session(port: int, number: int, seconds: float, seen: Seen) -> None:
    draw = random.Random(number)
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    origin = f"http://127.0.0.1:{port}"
    try:
        async with connect(
            address, origin=origin, subprotocols=["streamlit"], max_size=None
        ) as opened:
            session = Session(opened, seen)
            if not seconds:
                for page in PAGES:
                    await session.open(page)
                return
            end = time.monotonic() + seconds
            await asyncio.sleep(draw.uniform(0, READING[1]))
            while time.monotonic() < end:
                await session.open(draw.choice(PAGES))
                await session.read(draw.uniform(*READING))
    except Exception as error:  # whatever goes wrong is a result
        seen.errors.append(f"session {number}: {error!r}")


def _tree(folder: Path):
    run = start(SplitRequest("cifar10", "params", network=Network(2, 1)), folder)
    while run.status().state.active:
        time.sleep(0.1)
    tree = run.tree()
    assert tree is not None, run.log_tail()
    return tree


def _family(pid: int) -> list[psutil.Process]:
    """Return the process of the app and its children, but not the runs it has started."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_served(address: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(address, timeout=2):
            return
        time.sleep(0.2)
    raise SystemExit(f"the app did not serve a page within {PATIENCE} s")


def _print(figures: dict, sessions: int, runs: int) -> None:
    console = Console()
    title = f"{sessions} sessions, {runs:,} runs, a split running"
    table = Table("page", "drawn", "median s", "90% s", "slowest s", "first s", title=title)
    every = [seconds for times in figures["pages"].values() for seconds in times]
    for name, times in sorted(figures["pages"].items()):
        table.add_row(name, *_row(times), f"{figures['first'].get(name, 0):.2f}")
    table.add_row("all pages", *_row(every), "")
    if figures["refreshes"]:
        table.add_row("refreshes", *_row(figures["refreshes"]), "")
    console.print(table)
    console.print(f"memory of the app: {figures['memory'] / 1e6:.0f} MB")
    console.print(f"errors: {len(figures['errors'])}", *figures["errors"][:5])
    if not figures["split_was_running"]:
        console.print("the split had ended before the measurement did")


def _row(times: list[float]) -> list[str]:
    ordered = sorted(times)
    numbers = (statistics.median(ordered), ordered[int(0.9 * (len(ordered) - 1))], ordered[-1])
    return [str(len(times)), *(f"{number:.2f}" for number in numbers)]


if __name__ == "__main__":
    datafolder._sync = lambda path: None  # generated runs need not survive a power cut
    main()
