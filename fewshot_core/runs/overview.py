"""What there is to say of every run at a glance, damaged and foreign folders included."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fewshot_core.errors import FewshotError
from fewshot_core.runs.aside import reading_problem
from fewshot_core.runs.folder import RunFolder, foreign_folders, list_runs
from fewshot_core.runs.kinds import Request, kind_of
from fewshot_core.runs.memo import FileMemo
from fewshot_core.runs.status import State, Status

DAMAGED = "damaged"
_STOPPED = (State.FAILED, State.CANCELLED, State.LOST)


@dataclass(frozen=True)
class RunSummary:
    """A run at a glance.

    Attributes:
        folder: Where it is.
        size: Bytes of its files.
        request: What was asked, or None where that cannot be read.
        status: How it goes, or None where that cannot be read.
        problem: What is damaged, or None.
    """

    folder: RunFolder
    size: int
    request: Request | None = None
    status: Status | None = None
    problem: str | None = None

    @property
    def run_id(self) -> str:
        """The run's name."""
        return self.folder.run_id

    @property
    def state(self) -> str:
        """Its state, or "damaged"."""
        if self.problem is not None or self.status is None:
            return DAMAGED
        return self.status.state.value

    @property
    def kind(self) -> str | None:
        """The name of its kind, where that is known."""
        return kind_of(self.request).name if self.request is not None else None

    @property
    def message(self) -> str:
        """What it is doing, why it ended, or what is damaged."""
        return self.problem or (self.status.message if self.status is not None else "")

    @property
    def seconds(self) -> float | None:
        """How long its last process has worked or waited, or None where that is not known."""
        status = self.status
        if status is None or status.started is None or status.updated is None:
            return None
        return max(0.0, status.updated - status.started)

    @property
    def active(self) -> bool:
        """Whether a process is, or will be, working on it."""
        return self.status is not None and self.status.state.active

    @property
    def restartable(self) -> bool:
        """Whether starting it again would change anything."""
        if self.request is None or self.active:
            return False
        return self.status is None or self.problem is not None or self.status.state in _STOPPED


def summarise(data_dir: Path, problems: Mapping[str, str]) -> list[RunSummary]:
    """Return a summary of every folder among the runs: foreign ones, then the latest first.

    Args:
        data_dir: The data folder.
        problems: What is known to be wrong with runs that can be read, by name.
    """
    folders = [*foreign_folders(data_dir), *list_runs(data_dir)]
    return [_summary(folder, problems.get(folder.run_id)) for folder in folders]


def folder_size(path: Path) -> int:
    """Return the bytes of all files right in a folder."""
    size = 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    size += entry.stat(follow_symlinks=False).st_size
    except OSError:  # it was deleted meanwhile
        return size
    return size


_SIZES = FileMemo(lambda status: folder_size(status.parent))
"""Sizes by the status: a run whose status stays the same does not grow."""


def _summary(folder: RunFolder, problem: str | None) -> RunSummary:
    size = _SIZES.read(folder.status_path)
    try:
        return RunSummary(folder, size, folder.request(), folder.status(), problem)
    except FewshotError:
        return _damaged(folder, size)


def _damaged(folder: RunFolder, size: int) -> RunSummary:
    request, status = None, None
    problem = reading_problem(folder)
    try:
        request = folder.request()
        status = folder.status()
    except FewshotError as error:
        problem = problem or str(error)
    return RunSummary(folder, size, request, status, problem or "it has just changed")
