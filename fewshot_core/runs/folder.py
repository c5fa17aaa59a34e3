"""A run's folder: the truth about what was asked, how it goes, and what came out."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from fewshot_core.datafolder import write_json, write_text
from fewshot_core.errors import FewshotError, RunError, UnknownNameError
from fewshot_core.runs.kinds import KINDS, Kind, Request, read_request
from fewshot_core.runs.request import SplitRequest
from fewshot_core.search import read_records
from fewshot_core.search.layout import RECORDS
from fewshot_core.splitting import SplitTree

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


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run.

    Attributes:
        path: Where it is; its name is the run's.
    """

    path: Path

    @property
    def run_id(self) -> str:
        """The run's name."""
        return self.path.name

    @property
    def log_path(self) -> Path:
        """Where the process writes what it has to say."""
        return self.path / "log.txt"

    @property
    def tree_path(self) -> Path:
        """Where the tree is, growing or complete."""
        return self.path / "tree.json"

    def manifest(self) -> dict[str, Any]:
        """Return what was asked, with the versions and fingerprints of what it is made from.

        Raises:
            RunError: If it is missing or damaged.
        """
        document = self._read_json("manifest.json")
        if not isinstance(document, dict) or not isinstance(document.get("request"), dict):
            raise RunError(f"{self.run_id}: manifest.json holds no request")
        return document

    def kind(self) -> Kind:
        """Return what kind of run it is; raises as ``manifest``."""
        name = self.manifest().get("kind", "split")
        try:
            return KINDS.get(name)
        except UnknownNameError as error:
            raise RunError(f"{self.run_id}: manifest.json: {error}") from error

    def request(self) -> Request:
        """Return what was asked; raises as ``manifest``."""
        manifest = self.manifest()
        try:
            return read_request(manifest.get("kind", "split"), manifest["request"])
        except RunError as error:
            raise RunError(f"{self.run_id}: manifest.json: {error}") from error

    def split_request(self) -> SplitRequest:
        """Return what was asked of a split.

        Raises:
            RunError: As ``manifest``, or if the run is no split.
        """
        request = self.request()
        if not isinstance(request, SplitRequest):
            raise RunError(f"{self.run_id} is no split")
        return request

    def is_complete(self) -> bool:
        """Whether the result of a finished run of its kind is there.

        Raises:
            RunError: If what was asked, or the result, is damaged.
        """
        request = self.request()
        if isinstance(request, SplitRequest):
            return self.tree() is not None
        records = self.records()
        return bool(records) and records[-1]["epoch"] == request.options.epochs

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write what was asked."""
        write_json(self.path / "manifest.json", dict(manifest))

    def status(self) -> Status:
        """Return how the run goes; one whose process is gone is lost.

        Raises:
            RunError: If the status is missing or damaged.
        """
        document = self._read_json("status.json")
        try:
            status = Status.from_dict(document)
        except RunError as error:
            raise RunError(f"{self.run_id}: status.json is damaged: {error}") from error
        if status.state.active and not status.process_alive():
            # The process may have written its last word between the two looks.
            latest = self._read_json("status.json")
            if latest == document:
                message = "its process ended without a word; start it again"
                return replace(status, state=State.LOST, message=message)
            return self.status()
        return status

    def write_status(self, status: Status) -> None:
        """Write how the run goes."""
        stamped = replace(status, updated=datetime.now(UTC).timestamp())
        write_json(self.path / "status.json", asdict(stamped))

    def tree(self) -> SplitTree | None:
        """Return the tree as far as it has grown, or None before its first node.

        Raises:
            RunError: If it is damaged.
        """
        if not self.tree_path.exists():
            return None
        try:
            return SplitTree.from_json(self.tree_path.read_text(encoding="utf-8"))
        except (FewshotError, OSError, ValueError) as error:
            raise RunError(f"{self.run_id}: tree.json cannot be read: {error}") from error

    def write_tree(self, tree: SplitTree) -> None:
        """Write the tree, growing or complete."""
        write_text(self.tree_path, tree.to_json() + "\n")

    def records(self) -> list[dict[str, Any]]:
        """Return the epochs that a search or a training has done, in their order.

        Each is what ``to_dict`` of an ``EpochRecord`` or a ``TrainingRecord`` returns.

        Raises:
            RunError: If they cannot be read.
        """
        try:
            return read_records(self.path / RECORDS)
        except OSError as error:
            raise RunError(f"{self.run_id}: {RECORDS} cannot be read: {error}") from error

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of the log."""
        if not self.log_path.exists():
            return ""
        text = self.log_path.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _read_json(self, name: str) -> Any:
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{self.run_id}: {name} cannot be read: {error}") from error


def runs_dir(data_dir: Path) -> Path:
    """Return where the run folders of a data folder are."""
    return data_dir / "runs"


def run_folder(run_id: str, data_dir: Path) -> RunFolder:
    """Return the folder of a run.

    Raises:
        RunError: If there is no such run.
    """
    folder = RunFolder(runs_dir(data_dir) / run_id)
    is_name = Path(run_id).name == run_id and run_id[:1] not in ("", ".")
    if not is_name or not folder.path.is_dir():
        raise RunError(f"there is no run {run_id!r} in {runs_dir(data_dir)}")
    return folder


def list_runs(data_dir: Path) -> list[RunFolder]:
    """Return all run folders that have a manifest, the latest first."""
    folders = [
        RunFolder(path)
        for path in runs_dir(data_dir).glob("*")
        if not path.name.startswith(".") and (path / "manifest.json").is_file()
    ]
    newest = {folder: (folder.path / "manifest.json").stat().st_mtime for folder in folders}
    return sorted(folders, key=lambda folder: newest[folder], reverse=True)
