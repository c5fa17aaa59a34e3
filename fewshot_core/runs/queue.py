"""One run at a time on each device; the others wait in the order in which they came.

Each waiting process holds a lock on a ticket of its own, a file with a number. The system lets go
of the lock when a process ends, however it ends, so no ticket of a dead process blocks the queue,
and none needs a process that watches over it.
"""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fewshot_core.datafolder import locked

POLL_SECONDS = 0.2
"""Seconds between two looks of the next one in the queue; those behind it look less often."""

_DIGITS = 12


@contextmanager
def turn(folder: Path, waiting: Callable[[int], None]) -> Iterator[None]:
    """Wait until no earlier process is in the queue, then hold the place until the end.

    Args:
        folder: The folder of the queue.
        waiting: Called whenever another number of processes comes before this one; not called
            where there is none.
    """
    with locked(folder):
        taken = [_number(path) for path in _tickets(folder)]
        ticket = folder / f"{max(taken, default=0) + 1:0{_DIGITS}d}"
        file = ticket.open("x")
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        _wait(folder, ticket, waiting)
        yield
    finally:
        ticket.unlink(missing_ok=True)
        file.close()


def _wait(folder: Path, ticket: Path, waiting: Callable[[int], None]) -> None:
    told = 0
    while ahead := sum(_is_held(path) for path in _tickets(folder) if path.name < ticket.name):
        if ahead != told:
            waiting(ahead)
            told = ahead
        time.sleep(POLL_SECONDS * ahead)


def _tickets(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.isdigit())


def _number(ticket: Path) -> int:
    return int(ticket.name)


def _is_held(ticket: Path) -> bool:
    """Whether a living process holds a ticket; that of a dead one is thrown away."""
    try:
        with ticket.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ticket.unlink(missing_ok=True)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
