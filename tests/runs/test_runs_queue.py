"""Processes that take turns, and those that die while they wait or work."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fewshot_core.runs.worker import turn

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
