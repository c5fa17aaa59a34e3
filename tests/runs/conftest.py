"""Requests that are small, workers that only wait, and ways to wait for what a process does."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from fewshot_core.runs import (
    Network,
    RunFolder,
    SplitRequest,
    State,
    Status,
    cancel,
    list_runs,
)
from fewshot_core.splitting import SplitTree

WAIT_SECONDS = 120

Wait = Callable[[Callable[[], object], str], None]

_IDLE = """#!/bin/sh
cat > /dev/null
echo "$$" >> "$FEWSHOT_DATA_DIR/started"
sleep 600 &
echo "$!" >> "$FEWSHOT_DATA_DIR/children"
wait
"""


def _wait_until(happened: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def wait_until() -> Wait:
    """Wait for something to happen; waiting in vain fails the test."""
    return _wait_until


@pytest.fixture(scope="session")
def is_gone() -> Callable[[int], bool]:
    """Whether a process has ended, also where nobody has waited for it."""

    def ask(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return ask


@pytest.fixture(scope="session")
def params() -> SplitRequest:
    """A request that takes no time and no images."""
    return SplitRequest("cifar10", "params", network=Network(2, 1))


@pytest.fixture(scope="session")
def gradnorm() -> SplitRequest:
    """A request that takes little time and synthetic images."""
    return SplitRequest(
        "cifar10", "gradnorm", images="synthetic", batch_size=8, network=Network(4, 1)
    )


@pytest.fixture
def idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder whose workers do nothing but wait, with a child that waits too.

    Workers write their number to ``started``, and that of the child to ``children``.
    """
    folder = tmp_path / "data"
    folder.mkdir()
    _use_worker(tmp_path / "worker", _IDLE, monkeypatch)
    yield folder
    for run in list_runs(folder):
        cancel(run)


@pytest.fixture
def use_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have runs worked on by a shell script instead."""
    return lambda text: _use_worker(tmp_path / "other-worker", text, monkeypatch)


def _use_worker(path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(text)
    path.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(path))


@pytest.fixture
def numbers() -> Callable[[Path], list[int]]:
    """Read the numbers of processes that a worker has written, one a line."""

    def read(path: Path) -> list[int]:
        text = path.read_text() if path.exists() else ""
        return [int(line) for line in text.splitlines()]

    return read


@pytest.fixture
def done_split(tmp_path: Path, params: SplitRequest) -> RunFolder:
    """The folder of a finished split, with an empty tree."""
    run = RunFolder(tmp_path / "runs" / params.run_id({}))
    run.path.mkdir(parents=True)
    run.write_manifest({"kind": "split", "request": params.to_dict()})
    run.write_tree(SplitTree("params", ()))
    run.write_status(Status(State.DONE))
    return run


@pytest.fixture
def own_folder(tmp_path: Path, params: SplitRequest) -> RunFolder:
    """The folder of a run that this process itself works on."""
    folder = RunFolder(tmp_path / "runs" / "split-params-cifar10-0123456789ab")
    folder.path.mkdir(parents=True)
    folder.write_manifest({"request": params.to_dict()})
    own = psutil.Process(os.getpid())
    document = {"state": "running", "pid": own.pid, "process_started": own.create_time()}
    (folder.path / "status.json").write_text(json.dumps(document))
    return folder
