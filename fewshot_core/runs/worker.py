"""The process of a run: ``python -m fewshot_core.runs.worker RUN_FOLDER``.

Each waiting process holds a lock on its own ticket, a file with a number. The system releases the
lock when a process ends, however it ends, so no ticket of a dead process blocks the queue.
"""

import gc
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from fewshot_core.data_folder import data_dir, locked
from fewshot_core.errors import RunError
from fewshot_core.runs.folder import RunFolder, State
from fewshot_core.runs.jobs import failure_message
from fewshot_core.runs.requests import KINDS

POLL_SECONDS = 0.2
"""Seconds between two checks of the first process in the queue; later ones check less often."""


@contextmanager
def turn(folder: Path, waiting: Callable[[int], None]) -> Iterator[None]:
    """Wait until no earlier process is in a queue, then hold the place until the end.

    ``waiting`` is called whenever the number of processes before this one, if any, has changed.
    """
    with locked(folder):
        ticket = (
            folder / f"{max([int(path.name) for path in _tickets(folder)], default=0) + 1:012d}"
        )
        lock = FileLock(ticket)
        lock.acquire()
    try:
        reported = 0
        while ahead := sum(_is_held(path) for path in _tickets(folder) if path.name < ticket.name):
            if ahead != reported:
                waiting(ahead)
                reported = ahead
            time.sleep(POLL_SECONDS * ahead)
        yield
    finally:
        lock.release()
        ticket.unlink(missing_ok=True)


def _tickets(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.isdigit())


def _is_held(ticket: Path) -> bool:
    """Whether a living process holds a ticket; that of a dead one is deleted."""
    try:
        with FileLock(ticket, blocking=False):
            pass
    except Timeout:
        return True
    ticket.unlink(missing_ok=True)
    return False


RESERVE_BYTES = 65_536
"""Disk space reserved for a run's last status."""

NICENESS = 5
"""Niceness of a run: pages stay quick while all cores compute."""

_DEVICE = re.compile(r"[a-z]+(:[0-9]+)?")


class Cancelled(BaseException):
    """The process received SIGTERM."""


def main(path: Path) -> int:
    """Do the run of a folder; return the exit status of the process."""
    sys.stdin.read()  # closes once the starter has recorded this process
    signal.signal(signal.SIGTERM, _on_termination)
    folder = RunFolder(path)
    if folder.status().pid != os.getpid():
        print("this process is not recorded, so nobody could cancel it: ending", file=sys.stderr)
        return 1
    with suppress(OSError):
        _reserve(folder).write_bytes(b"\1" * RESERVE_BYTES)
    try:
        with turn(_queue(folder), lambda ahead: _wait_for(folder, ahead)):
            folder.write_status(replace(folder.status(), message="loading PyTorch"))
            gc.disable()
            run = KINDS.get(folder.request().kind).load()
            gc.freeze()  # what is loaded stays, so that collections need not go through it
            gc.enable()
            run(folder, data_dir())
        _reserve(folder).unlink(missing_ok=True)
        return 0
    except Cancelled:
        _finish(folder, State.CANCELLED, "cancelled")
    except BaseException as error:
        with suppress(OSError):  # a full disk has no room for it
            traceback.print_exc()
        _finish(folder, State.FAILED, failure_message(error))
    return 1


def _queue(folder: RunFolder) -> Path:
    device = folder.request().device
    if not _DEVICE.fullmatch(device):
        raise RunError(f"expected a device such as 'cpu' or 'cuda', got {device!r}")
    return folder.path.parent / ".queue" / device


def _wait_for(folder: RunFolder, ahead: int) -> None:
    others = "another run" if ahead == 1 else f"{ahead} other runs"
    message = f"waiting for {others} on the same device"
    folder.write_status(replace(folder.status(), message=message))


def _finish(folder: RunFolder, state: State, message: str) -> None:
    _reserve(folder).unlink(missing_ok=True)
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    with suppress(OSError):
        print(f"{stamp} {state}: {message}", file=sys.stderr, flush=True)
    folder.write_status(replace(folder.status(), state=state, message=message))


def _reserve(folder: RunFolder) -> Path:
    """Return a file to delete before the last status is written: it then fits on a full disk."""
    return folder.path / ".reserve"


def _on_termination(number: int, frame: FrameType | None) -> None:
    raise Cancelled


if __name__ == "__main__":
    if hasattr(os, "nice"):  # not on Windows
        os.nice(NICENESS)
    sys.exit(main(Path(sys.argv[1])))
