"""How a run goes, as its process writes it down."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psutil

from fewshot_core.errors import RunError

START_TOLERANCE = 2.0
"""Seconds by which the start time of a process may differ between two readings."""


class State(StrEnum):
    """What a run is doing."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def active(self) -> bool:
        """Whether a process is, or will be, working on it."""
        return self in (State.QUEUED, State.RUNNING)


@dataclass(frozen=True)
class Status:
    """How a run goes.

    Attributes:
        state: What it is doing.
        message: What it is computing, or why it ended.
        done: Steps finished.
        total: Steps in all; 0 where this is not known yet.
        started: Seconds since the epoch when the process started, or None.
        step_started: Seconds since the epoch when the first step started, or None.
        updated: Seconds since the epoch of this status.
        pid: The process, or None.
        process_started: When the operating system says that process started, or None.
        first_step: Steps that an earlier process had finished.
    """

    state: State
    message: str = ""
    done: int = 0
    total: int = 0
    started: float | None = None
    step_started: float | None = None
    updated: float | None = None
    pid: int | None = None
    process_started: float | None = None
    first_step: int = 0

    @property
    def seconds_left(self) -> float | None:
        """The time left at the pace of the steps so far, or None before the first is done."""
        if self.step_started is None or self.updated is None or not self.total:
            return None
        steps = self.done - self.first_step
        if steps < 1:
            return None
        pace = (self.updated - self.step_started) / steps
        return max(0.0, pace * (self.total - self.done))

    @classmethod
    def from_dict(cls, document: Any) -> "Status":
        """Read what ``dataclasses.asdict`` makes of a status.

        Raises:
            RunError: If it is something else; the message says what.
        """
        try:
            status = cls(**{**document, "state": State(document["state"])})
        except (TypeError, KeyError, ValueError) as error:
            raise RunError(f"no status of a run: {error!r}") from error
        for name, kind in _KINDS.items():
            if not isinstance(getattr(status, name), kind):
                raise RunError(f"no status of a run: {name} is {getattr(status, name)!r}")
        return status

    def process_alive(self) -> bool:
        """Whether the process that was recorded still runs."""
        if self.pid is None or self.process_started is None:
            return False
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.process_started) < START_TOLERANCE
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except (psutil.Error, ValueError):  # no process can have a negative number
            return False


_KINDS = {
    "message": str,
    "done": int,
    "total": int,
    "started": int | float | None,
    "step_started": int | float | None,
    "first_step": int,
    "updated": int | float | None,
    "pid": int | None,
    "process_started": int | float | None,
}
