"""What a job reports: to the status of its run, and to its log."""

import resource
import sys
import time
from dataclasses import replace

from fewshot_core.runs.folder import RunFolder
from fewshot_core.runs.status import State

STATUS_INTERVAL = 0.2
"""Seconds between two writings of the status."""


class Reporter:
    """Writes a run's status as its work goes on.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.status = replace(folder.status(), state=State.RUNNING)
        self._written = 0.0
        self._start = 0.0
        self._first = 0

    def say(self, message: str) -> None:
        """Report what is being done before the first step."""
        self._write(message=message)

    def step(self, done: int, total: int, message: str, now: bool = False) -> None:
        """Report the step that is about to be done.

        Args:
            done: Steps finished.
            total: Steps in all.
            message: What is being done.
            now: Write it even if the status was written a moment ago.
        """
        if self.status.step_started is None:
            self._start = time.perf_counter()
            self._first = done
            self.status = replace(self.status, step_started=time.time(), first_step=done)
        due = not self._written or time.monotonic() - self._written > STATUS_INTERVAL
        if now or due:
            self._write(done=done, total=total, message=message)
        else:
            self.status = replace(self.status, done=done, total=total, message=message)

    @property
    def seconds(self) -> float:
        """The time since the first step."""
        return time.perf_counter() - self._start if self._start else 0.0

    def log(self, sentence: str) -> None:
        """Write a sentence to the log only."""
        print(sentence, flush=True)

    def finish(self, total: int) -> None:
        """Report the end, after so many steps in all."""
        message = f"done in {self.seconds:.1f} s with {peak_memory() / 1e9:.1f} GB of memory"
        self._write(state=State.DONE, done=total, total=total, message=message)

    def _write(self, **changes: object) -> None:
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        self.folder.write_status(self.status)
        self._written = time.monotonic()
        print(f"{self.status.done}/{self.status.total} {self.status.message}", flush=True)


def peak_memory() -> int:
    """Return the most memory that this process has had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # bytes there, kilobytes elsewhere
