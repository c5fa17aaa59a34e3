"""The app with several sessions at once, among many runs, while a split is being made."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import psutil
import pytest

from fewshot_core.runs import RunFolder, SplitRequest, State, Status
from fewshot_core.runs.jobs import make_manifest

ROOT = Path(__file__).resolve().parents[2]
RUNS = 36
SESSIONS = 5


@pytest.fixture
def busy_data(split_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with many runs, one of which a process, this one, works on."""
    [folder] = (split_data / "runs").glob("split-params-*")
    tree = RunFolder(folder).tree()
    assert tree is not None
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import_module("generated_runs").make_runs(split_data, RUNS, tree)
    request = SplitRequest("cifar10", "snip", images="synthetic", seed=99)
    run = RunFolder(split_data / "runs" / request.run_id({}))
    run.path.mkdir()
    run.write_manifest(make_manifest(request, {}, split_data))
    me = psutil.Process()
    run.write_status(
        Status(
            State.RUNNING,
            "scoring",
            3,
            35,
            started=time.time(),
            pid=me.pid,
            process_started=me.create_time(),
        )
    )
    return split_data


def test_sessions_that_open_all_pages_at_once_get_them_without_an_error(
    busy_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    bench_load = import_module("bench_load")
    port = bench_load._free_port()
    command = [sys.executable, "-m", "fewshot_core", "app", "--port", str(port)]
    app = subprocess.Popen(
        [*command, "--data-dir", str(busy_data)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        bench_load._wait_until_served(f"http://127.0.0.1:{port}")
        seen = asyncio.run(bench_load._browse(port, SESSIONS, 0.0))
    finally:
        os.killpg(app.pid, signal.SIGTERM)
        app.wait(timeout=20)
    assert seen.errors == []
    drawn = {page or "Home": SESSIONS for page in bench_load.PAGES}
    assert {page: len(times) for page, times in seen.pages.items()} == drawn
