"""The command line, run as a new process or, where that is too slow, in this process."""

import errno
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fewshot_core.bench import import_table, list_tables
from fewshot_core.cli import app as cli

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


@dataclass(frozen=True)
class CommandResult:
    """The exit status and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document that is all of standard output."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line on standard error of a command that did not work."""
        assert self.code == 1 and self.out == ""
        assert self.err.startswith("fewshot: ") and self.err.count("\n") == 1, self.err
        return self.err


Run = Callable[..., CommandResult]


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"FEWSHOT_DATA_DIR": str(folder), "OMP_NUM_THREADS": "1", "TERM": "xterm"}


def _shared(name: str) -> Path:
    path = SHARED / "data" / name
    if not path.exists():
        pytest.skip(f"needs {path.name} in the folder `shared` beside the project")
    return path


@pytest.fixture(scope="session")
def nats_csv() -> Path:
    return _shared("nats_bench/nats_bench.csv")


@pytest.fixture(scope="session")
def nats_folder() -> Path:
    return _shared("nats_bench/NATS-tss-v1_0-3ffb9-simple")


@pytest.fixture(scope="session")
def published() -> Path:
    return _shared("published_splits.json")


@pytest.fixture(scope="session")
def packaged_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the packaged table, for copying."""
    folder = tmp_path_factory.mktemp("packaged")
    list_tables(folder)
    return folder


@pytest.fixture
def data_folder(packaged_dir: Path, tmp_path: Path) -> Path:
    """The data folder of the commands, with the packaged table."""
    return shutil.copytree(packaged_dir, tmp_path / "data")


@pytest.fixture
def nats_data(nats_csv: Path, data_folder: Path) -> Path:
    """The data folder with the table of test accuracies imported under the name `nats`."""
    import_table(nats_csv, name="nats", data_dir=data_folder)
    return data_folder


@pytest.fixture(scope="session")
def run_here() -> Callable[..., CommandResult]:
    """Run a command in this process, on a data folder."""

    def run(folder: Path, *arguments: object) -> CommandResult:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setenv("FEWSHOT_DATA_DIR", str(folder))
            patch.setattr("sys.argv", ["fewshot", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        return CommandResult(int(ended.value.code or 0), out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def fewshot(data_folder: Path, run_here: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process, on the data folder of the test."""
    monkeypatch.setenv("FEWSHOT_DATA_DIR", str(data_folder))
    return partial(run_here, data_folder)


@pytest.fixture(scope="session")
def new_process() -> Callable[..., CommandResult]:
    """Run a command in its own process, on a data folder."""

    def run(
        folder: Path,
        *arguments: object,
        prefix: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
    ) -> CommandResult:
        command = [*prefix, sys.executable, "-m", "fewshot_core", *map(str, arguments)]
        environment = _environment(folder) | (env or {})
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        return CommandResult(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def open_process() -> Callable[..., subprocess.Popen[str]]:
    """Start a command in its own process, and do not wait for it."""

    def start(
        folder: Path, *arguments: object, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "fewshot_core", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=_environment(folder),
            # A shell lets its background processes ignore interruptions, and they inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return start


@pytest.fixture(scope="session")
def at_terminal(open_process: Callable[..., subprocess.Popen[str]]) -> Run:
    """Run a command in its own process whose standard error is a terminal."""

    def run(folder: Path, *arguments: object) -> CommandResult:
        ours, theirs = pty.openpty()
        process = open_process(folder, *arguments, stderr=theirs)
        os.close(theirs)
        with ThreadPoolExecutor(1) as pool:
            shown = pool.submit(_read_all, ours)
            out, _ = process.communicate()
        os.close(ours)
        return CommandResult(process.returncode, out, shown.result())

    return run


def _read_all(terminal: int) -> str:
    """Read what is shown on a terminal until the last process that can write to it ends."""
    shown = b""
    with suppress(OSError):
        while part := os.read(terminal, 4096):
            shown += part
    return shown.decode()


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[object, str], None]:
    """Have a function refuse, as the system does where a disk is full."""

    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda owner, name: monkeypatch.setattr(owner, name, refuse)
