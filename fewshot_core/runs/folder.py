"""A run's folder: the truth about what was asked, how it goes, and what came out."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from operator import itemgetter
from pathlib import Path
from stat import S_ISREG
from typing import Any

from fewshot_core.datafolder import demo_dir, read_limited, write_json, write_text
from fewshot_core.errors import FewshotError, RunError
from fewshot_core.runs.kinds import Kind, Request, kind_of, read_request
from fewshot_core.runs.memo import FileMemo
from fewshot_core.runs.request import SplitRequest
from fewshot_core.runs.status import State, Status
from fewshot_core.search import read_records
from fewshot_core.search.layout import RECORDS
from fewshot_core.splitting import SplitTree

LOG_BYTES = 100_000
"""How much of the end of a log is looked at."""

READABLE_BYTES = 100_000_000
"""The largest JSON file of a run that is read."""


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

    @cached_property
    def manifest_path(self) -> Path:
        """Where it says what was asked."""
        return self.path / "manifest.json"

    @cached_property
    def status_path(self) -> Path:
        """Where it says how the run goes."""
        return self.path / "status.json"

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
        document = _read_json(self.manifest_path)
        if not isinstance(document, dict) or not isinstance(document.get("request"), dict):
            raise RunError(f"{self.run_id}: manifest.json holds no request")
        return document

    def kind(self) -> Kind:
        """Return what kind of run it is; raises as ``manifest``."""
        return kind_of(self.request())

    def request(self) -> Request:
        """Return what was asked; raises as ``manifest``."""
        return _REQUESTS.read(self.manifest_path)

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
        write_json(self.manifest_path, dict(manifest))

    def status(self) -> Status:
        """Return how the run goes; one whose process is gone is lost.

        Raises:
            RunError: If the status is missing or damaged.
        """
        path = self.status_path
        status = _STATUSES.read(path)
        if status.state.active and not status.process_alive():
            # The process may have written its last word between the two looks.
            if _STATUSES.read(path) == status:
                message = "its process ended without a word; start it again"
                return replace(status, state=State.LOST, message=message)
            return self.status()
        return status

    def write_status(self, status: Status) -> None:
        """Write how the run goes; a turn of events also shows in the time of the folder of runs."""
        stamped = replace(status, updated=datetime.now(UTC).timestamp())
        write_json(self.status_path, asdict(stamped))
        if status.state is not State.RUNNING:
            os.utime(self.path.parent)

    def tree(self) -> SplitTree | None:
        """Return the tree as far as it has grown, or None before its first node.

        Raises:
            RunError: If it is damaged.
        """
        if not self.tree_path.exists():
            return None
        try:
            return SplitTree.from_json(read_limited(self.tree_path, READABLE_BYTES).decode())
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
        with self.log_path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_BYTES))
            text = file.read().decode("utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])


def _read_json(path: Path) -> Any:
    try:
        return json.loads(read_limited(path, READABLE_BYTES))
    except (OSError, ValueError) as error:
        raise RunError(f"{path.parent.name}: {path.name} cannot be read: {error}") from error


def _read_status(path: Path) -> Status:
    document = _read_json(path)
    try:
        return Status.from_dict(document)
    except RunError as error:
        raise RunError(f"{path.parent.name}: status.json is damaged: {error}") from error


def _read_request(path: Path) -> Request:
    manifest = RunFolder(path.parent).manifest()
    try:
        return read_request(manifest.get("kind", "split"), manifest["request"])
    except RunError as error:
        raise RunError(f"{path.parent.name}: manifest.json: {error}") from error


_STATUSES = FileMemo(_read_status)
_REQUESTS = FileMemo(_read_request)


def runs_dir(data_dir: Path) -> Path:
    """Return where the run folders of a data folder are."""
    return data_dir / "runs"


def turned(data_dir: Path) -> int:
    """Return a number that changes when a run begins, ends or is deleted, in any process.

    The progress of a run does not show in it, nor that its process is lost.
    """
    try:
        return runs_dir(data_dir).stat().st_mtime_ns
    except OSError:
        return 0


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


def find_run(run_id: str, data_dir: Path) -> RunFolder:
    """Return the folder of a run, one's own or one that came with the project.

    Raises:
        RunError: If there is no such run.
    """
    try:
        return run_folder(run_id, data_dir)
    except RunError:
        demo = demo_dir()
        if demo is None:
            raise
        try:
            return run_folder(run_id, demo)
        except RunError:
            pass
        raise


def list_runs(data_dir: Path) -> list[RunFolder]:
    """Return all run folders that have a manifest, the latest first."""
    base = runs_dir(data_dir)
    found = []
    for name in _names(base):
        with suppress(OSError):
            written = os.stat(f"{base}/{name}/manifest.json")  # noqa: PTH116, as in memo.py
            if S_ISREG(written.st_mode):
                found.append((written.st_mtime, name))
    found.sort(key=itemgetter(0), reverse=True)
    return [_folder(base, name) for _, name in found]


def foreign_folders(data_dir: Path) -> list[RunFolder]:
    """Return the folders among the runs that no run has made: they have no manifest."""
    base = runs_dir(data_dir)
    return [
        _folder(base, name)
        for name in _names(base)
        if not os.path.isfile(f"{base}/{name}/manifest.json")  # noqa: PTH113, as in memo.py
    ]


@lru_cache(maxsize=20_000)
def _folder(base: Path, name: str) -> RunFolder:
    return RunFolder(base / name)


def _names(base: Path) -> list[str]:
    """Return the names of all folders among the runs, but for hidden ones."""
    try:
        with os.scandir(base) as entries:
            folders = [entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return []
    return sorted(name for name in folders if name[0] != ".")
