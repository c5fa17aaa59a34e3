"""The process of a run, and the queue of processes on a device."""

import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fewshot_core import data_folder as datafolder
from fewshot_core.errors import MetricError
from fewshot_core.runs import State, split_job, worker
from fewshot_core.runs.worker import turn


@pytest.fixture
def work(own_folder, monkeypatch, tmp_path):
    """Have this process be the worker of its own folder, doing some job; return its exit status."""
    monkeypatch.setenv("FEWSHOT_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    before = signal.getsignal(signal.SIGTERM)

    def do(job):
        monkeypatch.setattr(split_job, "run", job)
        return worker.main(own_folder.path)

    yield do
    signal.signal(signal.SIGTERM, before)


def test_a_job_is_done_in_the_data_folder_that_was_named(work, own_folder, tmp_path):
    done = []
    assert work(lambda *arguments: done.append(arguments)) == 0
    assert done == [(own_folder, tmp_path)]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MetricError("expected a batch"), "expected a batch"),
        (MemoryError(), "out of memory: choose a smaller batch or network"),
        (ZeroDivisionError("by 0"), "unexpected ZeroDivisionError: by 0; see the log"),
        (SystemExit(3), "unexpected SystemExit: 3; see the log"),
    ],
)
def test_a_failed_job_says_why_in_its_status_and_its_log(work, own_folder, capsys, error, message):
    def fail(folder, data_dir):
        folder.write_status(replace(folder.status(), done=3, total=35))
        raise error

    assert work(fail) == 1
    status = own_folder.status()
    assert (status.state, status.message) == (State.FAILED, message)
    assert (status.done, status.total) == (3, 35)
    log = capsys.readouterr().err
    assert f"failed: {message}" in log and "Traceback" in log


def test_a_job_that_receives_sigterm_is_cancelled(work, own_folder, capsys):
    def receive_sigterm(folder, data_dir):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("continued")

    assert work(receive_sigterm) == 1
    assert (own_folder.status().state, own_folder.status().message) == (
        State.CANCELLED,
        "cancelled",
    )
    assert "Traceback" not in capsys.readouterr().err


def test_a_process_that_is_not_recorded_does_nothing(work, own_folder, capsys):
    own_folder.write_status(replace(own_folder.status(), pid=os.getpid() + 1))
    before = (own_folder.path / "status.json").read_text()
    done = []
    assert work(lambda *arguments: done.append(arguments)) == 1
    assert done == []
    assert (own_folder.path / "status.json").read_text() == before
    assert "not recorded" in capsys.readouterr().err


def test_the_last_words_have_room_on_a_full_disk(work, own_folder, monkeypatch):
    reserve = own_folder.path / ".reserve"

    def sync_while_there_is_room(path):
        if reserve.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill(folder, data_dir):
        assert reserve.stat().st_size == worker.RESERVE_BYTES
        monkeypatch.setattr(datafolder, "_sync", sync_while_there_is_room)
        folder.write_status(folder.status())

    assert work(fill) == 1
    assert own_folder.status().state is State.FAILED
    assert own_folder.status().message.startswith("the disk is full: free some space")


def test_a_run_that_is_done_needs_no_reserve(work, own_folder):
    assert work(lambda folder, data_dir: None) == 0
    assert list(own_folder.path.glob(".*")) == []


@pytest.mark.parametrize("device", ["../../../elsewhere", "cpu/..", "", "cuda:x"])
def test_a_device_that_is_no_name_does_not_reach_a_path(work, own_folder, params, tmp_path, device):
    own_folder.write_manifest({"request": replace(params, device=device).to_dict()})
    before = sorted(tmp_path.rglob("*"))
    assert work(lambda folder, data_dir: None) == 1
    assert "expected a device" in own_folder.status().message
    assert sorted(tmp_path.rglob("*")) == before


Wait = Callable[[Callable[[], object], str], None]

_MEMBER = """
import sys
from pathlib import Path
from fewshot_core.runs.worker import turn
folder, name = Path(sys.argv[1]), sys.argv[2]
def say(word):
    with (folder.parent / "said").open("a") as file:
        file.write(f"{name} {word}\\n")
with turn(folder, lambda ahead: say(f"waits for {ahead}")):
    say("works")
    sys.stdin.read()
say("is done")
"""


class Queue:
    """A queue of real processes."""

    def __init__(self, folder: Path, wait_until: Wait) -> None:
        self.folder = folder / "queue"
        self.wait_until = wait_until
        self.members: dict[str, subprocess.Popen[bytes]] = {}

    def join(self, name: str, word: str) -> None:
        """Let a process join the queue, and wait until it has said a word."""
        command = [sys.executable, "-c", _MEMBER, str(self.folder), name]
        self.members[name] = subprocess.Popen(command, stdin=subprocess.PIPE)
        self.hear(f"{name} {word}")

    def hear(self, sentence: str) -> None:
        self.wait_until(lambda: sentence in self.said(), sentence)

    def said(self) -> list[str]:
        path = self.folder.parent / "said"
        return path.read_text().splitlines() if path.exists() else []

    def release(self, name: str) -> None:
        stream = self.members[name].stdin
        assert stream is not None
        stream.close()
        self.members[name].wait()

    def kill(self, name: str) -> None:
        self.members[name].kill()
        self.members[name].wait()


@pytest.fixture
def queue(tmp_path: Path, wait_until: Wait):
    queue = Queue(tmp_path, wait_until)
    yield queue
    for member in queue.members.values():
        member.kill()
        member.wait()


def test_processes_work_one_after_the_other_in_the_order_in_which_they_came(queue: Queue):
    queue.join("a", "works")
    queue.join("b", "waits for 1")
    queue.join("c", "waits for 2")
    queue.release("a")
    queue.hear("b works")
    queue.hear("c waits for 1")
    assert "c works" not in queue.said()
    queue.release("b")
    queue.hear("c works")
    queue.release("c")
    assert queue.said().index("a is done") < queue.said().index("c works")
    assert not [path for path in queue.folder.iterdir() if path.name.isdigit()]


def test_a_process_that_is_killed_at_work_lets_the_next_one_in(queue: Queue):
    queue.join("a", "works")
    queue.join("b", "waits for 1")
    queue.kill("a")
    queue.hear("b works")


def test_a_process_that_is_killed_while_it_waits_is_passed_over(queue: Queue):
    queue.join("a", "works")
    queue.join("b", "waits for 1")
    queue.join("c", "waits for 2")
    queue.kill("b")
    queue.hear("c waits for 1")
    queue.release("a")
    queue.hear("c works")


def test_who_comes_first_does_not_wait(tmp_path: Path):
    told: list[int] = []
    with turn(tmp_path / "queue", told.append):
        pass
    with turn(tmp_path / "queue", told.append):
        pass
    assert told == []


def test_an_error_at_work_gives_the_place_away(tmp_path: Path):
    with pytest.raises(KeyError), turn(tmp_path / "queue", print):
        raise KeyError
    with turn(tmp_path / "queue", lambda ahead: pytest.fail(f"{ahead} are still in the queue")):
        pass
