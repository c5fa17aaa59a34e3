"""The folder of a run: its request, status and results.

A page reads all runs, most of which ended long ago, so what was read of a file is cached until its
inode, size or time changes. A file that was written a moment ago is read every time: clocks of file
systems are coarse, so it may change again without a trace.
"""

import math
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from operator import itemgetter
from pathlib import Path
from stat import S_ISREG
from typing import Any, Generic, TypeVar

import psutil

from fewshot_core import limits
from fewshot_core.data_folder import demo_dir, write_json, write_text
from fewshot_core.documents import (
    DAMAGE,
    open_regular,
    read_dataclass,
    read_document,
    read_limited,
    refusing,
    shown,
)
from fewshot_core.errors import FewshotError, RunError
from fewshot_core.metrics import METRICS
from fewshot_core.runs.requests import (
    FORMAT_1,
    EstimateRequest,
    ProxyRequest,
    Request,
    SplitRequest,
    read_request,
)
from fewshot_core.search import read_records
from fewshot_core.search.records import RECORDS, SCORES, SHARED
from fewshot_core.space import get_space
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


def process_identity(pid: int) -> str | None:
    """Identity of a process that stays the same when the clock is set: boot and ticks since then.

    None where the operating system does not tell, or there is no such process.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return f"{boot} {int(fields[19])}"
    except (OSError, LookupError, ValueError):
        return None


_TIMES = ("started", "step_started", "updated", "process_started", "earlier")


@dataclass(frozen=True)
class Status:
    """Status of a run; times are seconds since the epoch.

    ``total`` is 0 where it is not known yet, ``step_started`` is the start of the first step,
    ``process_started`` what the operating system says of the process, ``process`` its identity
    where that is known, and ``first_step`` the number of steps that earlier processes had finished,
    after ``earlier`` seconds of work.
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
    earlier: float = 0.0
    process: str | None = None

    def __post_init__(self) -> None:
        for name in _TIMES:
            value = getattr(self, name)
            if value is not None and not 0 <= value < limits.YEAR_10000:
                raise RunError(f"expected {name} to be a time in seconds, got {value!r}")
        for name in ("done", "total", "first_step", "pid"):
            value = getattr(self, name)
            if value is not None and not -limits.INTEGER <= value < limits.INTEGER:
                raise RunError(f"expected {name} to be a number of 64 bits")

    @property
    def seconds(self) -> float | None:
        """Working time of all its processes, without waiting and loading, or None before it."""
        if self.step_started is None or self.updated is None:
            return self.earlier or None
        return self.earlier + max(0.0, self.updated - self.step_started)

    @property
    def seconds_per_step(self) -> float | None:
        """Mean time of the steps of its last process, or None before the first is done."""
        steps = self.done - self.first_step
        if self.seconds is None or self.step_started is None or not self.total or steps < 1:
            return None
        return (self.seconds - self.earlier) / steps

    @property
    def seconds_left(self) -> float | None:
        """Time left at the pace of the steps so far, or None before the first is done."""
        pace = self.seconds_per_step
        return None if pace is None else max(0.0, pace * (self.total - self.done))

    def process_alive(self) -> bool:
        """Whether the process that was recorded still runs."""
        if self.pid is None or self.process_started is None:
            return False
        try:
            process = psutil.Process(self.pid)
            if self.process is not None:
                same = process_identity(self.pid) == self.process
            else:
                same = abs(process.create_time() - self.process_started) < START_TOLERANCE
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except (psutil.Error, ValueError):  # no process can have a negative number
            return False


SETTLED_SECONDS = 1.0
"""How long after a change a file is not cached."""

KEPT = 20_000
"""How many files are cached at most by default."""

T = TypeVar("T")
Signature = tuple[int, int, int]


class FileCache(Generic[T]):
    """Cache of what ``read`` returned for at most ``kept`` files; do not change what it returns."""

    def __init__(self, read: Callable[[Path], T], kept: int = KEPT) -> None:
        self._read = read
        self._most = kept
        self._kept: dict[str, tuple[Signature, T]] = {}

    def read(self, path: Path) -> T:
        """Read a file, from the cache where it has not changed."""
        name = os.fspath(path)
        try:
            found = os.stat(name)  # noqa: PTH116, half the time of a path's own for thousands
        except OSError:
            return self._read(path)
        signature = (found.st_ino, found.st_size, found.st_mtime_ns)
        known = self._kept.get(name)
        if known is not None and known[0] == signature:
            return known[1]
        value = self._read(path)
        if time.time() - found.st_mtime > SETTLED_SECONDS:
            if len(self._kept) >= self._most:
                self._kept.clear()
            self._kept[name] = (signature, value)
        return value


LOG_BYTES = 100_000
"""How much of the end of a log is read."""

_MANIFEST = {
    "kind": str,
    "request": dict,
    "fingerprints": dict,
    "packages": dict,
}
"""The types of the parts of a manifest, all but the request optional."""

RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run; its name is the run's."""

    path: Path

    @cached_property
    def run_id(self) -> str:
        """The run's name, in characters that can be shown."""
        return self.path.name.encode("utf-8", "backslashreplace").decode()

    @cached_property
    def manifest_path(self) -> Path:
        """The file of the request, and of the fingerprints and versions of its inputs."""
        return self.path / "manifest.json"

    @cached_property
    def status_path(self) -> Path:
        """The file of the status."""
        return self.path / "status.json"

    @property
    def log_path(self) -> Path:
        """The file of what the process prints."""
        return self.path / "log.txt"

    @property
    def tree_path(self) -> Path:
        """The file of the tree, growing or complete."""
        return self.path / "tree.json"

    def files_signature(self) -> str:
        """Sizes and times of the files of status and result; they change when these do."""
        found, place = [], os.fspath(self.path)
        for name in ("manifest.json", "status.json", "tree.json", RECORDS, SHARED):
            with suppress(OSError):
                stat = os.stat(f"{place}/{name}")  # noqa: PTH116, as above
                found.append(f"{name} {stat.st_size} {stat.st_mtime_ns}")
        return ", ".join(found)

    def manifest(self) -> dict[str, Any]:
        """Read the request and all it was made from; it must not be changed.

        Raises RunError if it is missing or damaged.
        """
        return _MANIFESTS.read(self.manifest_path)

    def request(self) -> Request:
        """Read the request; raises as ``manifest``."""
        return _REQUESTS.read(self.manifest_path)

    def split_request(self) -> SplitRequest:
        """Read the request of a split; raises as ``manifest``, or RunError for another kind."""
        request = self.request()
        if not isinstance(request, SplitRequest):
            raise RunError(f"{self.run_id} is no split")
        return request

    def is_complete(self) -> bool:
        """Whether the result is complete; raises RunError where request or result is damaged."""
        return self.result(self.request()) is not None

    def result(self, request: Request) -> SplitTree | list[Any] | Path | None:
        """Read the result: the tree, the records, the scores, or the path of shared accuracies.

        None where it is not complete; raises RunError where it is damaged.
        """
        if isinstance(request, SplitRequest):
            return self.tree()
        if isinstance(request, ProxyRequest):
            path = self.path / SHARED
            return path if path.exists() else None
        if isinstance(request, EstimateRequest):
            space, scores = get_space(request.space, self.path.parents[1]), self.scores()
            return scores if len(scores) == len(request.architectures(space)) else None
        records = self.records()
        complete = records and records[-1]["epoch"] == request.options.epochs
        return records if complete else None

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest."""
        write_json(self.manifest_path, dict(manifest))

    def status(self) -> Status:
        """Read the status, RunError if damaged; a run whose process is gone is lost."""
        path = self.status_path
        status = _STATUSES.read(path)
        if status.state.active and not status.process_alive():
            # The process may have written its last status between the two readings.
            if _STATUSES.read(path) == status:
                message = "its process ended without a message; start it again"
                return replace(status, state=State.LOST, message=message)
            return self.status()
        return status

    def write_status(self, status: Status) -> None:
        """Write the status; a change of state also changes the time of the folder of runs."""
        stamped = replace(status, updated=datetime.now(UTC).timestamp())
        write_json(self.status_path, asdict(stamped))
        if status.state is not State.RUNNING:
            os.utime(self.path.parent)

    def tree(self) -> SplitTree | None:
        """Read the tree as it has grown, or None before its first node; may raise RunError."""
        if not self.tree_path.exists():
            return None
        document = _read_json(self.tree_path)
        try:
            return SplitTree.from_dict(document, self.path.parents[1])
        except FewshotError as error:
            raise RunError(f"{self.run_id}: tree.json cannot be read: {error}") from error

    def write_tree(self, tree: SplitTree) -> None:
        """Write the tree, growing or complete."""
        write_text(self.tree_path, tree.to_json() + "\n")

    def records(self) -> list[dict[str, Any]]:
        """Read the epochs of a search or training, as ``EpochRecord.to_dict`` returns them."""
        try:
            return read_records(self.path / RECORDS)
        except FewshotError as error:
            raise RunError(f"{self.run_id}: {error}") from error

    def scores(self) -> list[float | None]:
        """Read the scores of architectures as far as they are known, None where not finite.

        They are in the order of ``EstimateRequest.architectures``; raises RunError.
        """
        found: list[float | None] = []
        try:
            for record in read_records(self.path / SCORES, "first"):
                if record["first"] == len(found):
                    found += record["values"]
        except (OSError, LookupError, TypeError) as error:
            raise RunError(f"{self.run_id}: {SCORES} cannot be read: {error}") from error
        return found

    def store_estimate(self, data_dir: Path) -> str:
        """Store what a finished run estimates as a table, unless there is one; return its name.

        Raises RunError for a run of another kind, SearchError, TableError.
        """
        from fewshot_core.bench import TableColumn, store_estimate  # local: it loads pandas
        from fewshot_core.search.proxy import read_shared

        request = self.request()
        space = get_space(request.space, data_dir)
        if isinstance(request, EstimateRequest):
            direction = METRICS.get(request.metric).direction
            pairs = zip(request.architectures(space), self.scores(), strict=True)
            values = {index: direction * score for index, score in pairs if score is not None}
            about = request.dataset if request.needs_images else ""
            column, source = TableColumn(request.column, "estimate", about), "scores"
        elif isinstance(request, ProxyRequest):
            shared = read_shared(self.path)
            values = dict(zip(shared.architectures, shared.accuracies, strict=True))
            column = TableColumn("supernet_accuracy", "estimate", request.dataset, "%")
            source = f"weights of {request.run}"
        else:
            raise RunError(f"{self.run_id} estimates no architectures")
        source = f"run {self.run_id}, {source}"
        return store_estimate(self.run_id, values, column, source, space, data_dir).name

    def log_tail(self, lines: int = 40) -> str:
        """Read the last lines of the log."""
        if not self.log_path.exists():
            return ""
        with refusing(RunError, f"{self.run_id}: log.txt"), open_regular(self.log_path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_BYTES))
            text = file.read().decode("utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])


def _read_json(path: Path) -> Any:
    with refusing(RunError, f"{RunFolder(path.parent).run_id}: {path.name}"):
        return read_document(path)


def _read_manifest(path: Path) -> dict[str, Any]:
    document, run_id = _read_json(path), RunFolder(path.parent).run_id
    if not isinstance(document, dict) or "request" not in document:
        raise RunError(f"{run_id}: manifest.json holds no request")
    for name, kind in _MANIFEST.items():
        if name in document and not isinstance(document[name], kind):
            raise RunError(
                f"{run_id}: manifest.json: expected {name} of type {kind.__name__}, got "
                f"{shown(document[name])}"
            )
    for name in ("fingerprints", "packages"):
        for key, value in document.get(name, {}).items():
            if not isinstance(value, str | None):
                raise RunError(
                    f"{run_id}: manifest.json: expected a text for {shown(key)} of {name}, got "
                    f"{shown(value)}"
                )
    return document


def _read_status(path: Path) -> Status:
    document = _read_json(path)
    try:
        return read_dataclass(Status, document, "status.json", RunError)
    except RunError as error:
        raise RunError(f"{path.parent.name}: {error}") from error


def _read_request(path: Path) -> Request:
    folder = RunFolder(path.parent)
    manifest = folder.manifest()
    with refusing(RunError, f"{folder.run_id}: manifest.json"):
        try:
            return read_request(manifest.get("kind", "split"), manifest["request"])
        except RunError as error:
            raise RunError(f"{folder.run_id}: manifest.json: {error}") from error


_MANIFESTS = FileCache(_read_manifest, kept=512)
_STATUSES = FileCache(_read_status)
_REQUESTS = FileCache(_read_request, kept=2048)


def runs_dir(data_dir: Path) -> Path:
    """The folder of all runs."""
    return data_dir / "runs"


def last_change(data_dir: Path) -> int:
    """Read a number that changes when a run begins, ends or is deleted."""
    try:
        return runs_dir(data_dir).stat().st_mtime_ns
    except OSError:
        return 0


def run_folder(run_id: str, data_dir: Path, *others: Path) -> RunFolder:
    """Find the folder of a run in the first data folder that has it, or raise RunError."""
    if Path(run_id).name == run_id and run_id[:1] not in ("", "."):
        for place in (data_dir, *others):
            folder = RunFolder(runs_dir(place) / run_id)
            if folder.path.is_dir():
                return folder
    raise RunError(f"there is no run {run_id!r} in {runs_dir(data_dir)}")


def find_run(run_id: str, data_dir: Path) -> RunFolder:
    """Find the folder of a run, the user's or a demonstration's; raises as ``run_folder``."""
    return run_folder(run_id, data_dir, *filter(None, [demo_dir()]))


def list_runs(data_dir: Path) -> list[RunFolder]:
    """List all run folders that have a manifest, the latest first."""
    return [folder for folder, written in _written(data_dir) if written < math.inf]


def list_folders(data_dir: Path) -> list[RunFolder]:
    """List all folders among the runs: first those that are none, then as ``list_runs``."""
    return [folder for folder, _ in _written(data_dir)]


def find_older(run_id: str, data_dir: Path) -> RunFolder | None:
    """Find the run of version 0.1 whose request would have a name now; its own name is another."""
    parts = run_id.rpartition("-")[0]  # of kind, method and data set: the same in both names
    return _older_names(data_dir, f"{parts}-", last_change(data_dir)).get(run_id)


@lru_cache(maxsize=64)
def _older_names(data_dir: Path, start: str, change: int) -> dict[str, RunFolder]:
    del change  # only to look again after a change
    base = runs_dir(data_dir)
    folders = os.listdir(base) if base.is_dir() else []  # noqa: PTH208, names only
    runs = (known_folder(base, name) for name in sorted(folders) if name.startswith(start))
    names = ((_NEW_NAMES.read(run.manifest_path), run) for run in runs)
    return {name: run for name, run in names if name is not None}


def _new_name(path: Path) -> str | None:
    """Return the name that a run of version 0.1 would have now, or None for a later run."""
    with suppress(FewshotError, *DAMAGE):
        if _FORMAT_1 in read_limited(path, limits.RUN_BYTES):  # few of thousands are parsed
            folder = RunFolder(path.parent)
            manifest = folder.manifest()
            if manifest["request"].get("format") in FORMAT_1:
                return folder.request().run_id(manifest.get("fingerprints", {}))
    return None


_FORMAT_1 = b"-request/1"
_NEW_NAMES = FileCache(_new_name)


@lru_cache(maxsize=20_000)
def known_folder(base: Path, name: str) -> RunFolder:
    """The folder of a run in the folder of all runs; the same object for the same place."""
    return RunFolder(base / name)


def _written(data_dir: Path) -> list[tuple[RunFolder, float]]:
    """List the folders among the runs, without hidden ones, by the time of their manifests.

    That of a folder without a manifest, or without the name of a run, is infinite.
    """
    base, found = runs_dir(data_dir), []
    try:
        with os.scandir(base) as entries:
            folders = [entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return []
    for name in sorted(folder for folder in folders if folder[0] != "."):
        written = math.inf
        with suppress(OSError):
            stat = os.stat(f"{base}/{name}/manifest.json")  # noqa: PTH116, as above
            if S_ISREG(stat.st_mode) and RUN_NAME.fullmatch(name):
                written = stat.st_mtime
        found.append((known_folder(base, name), written))
    return sorted(found, key=itemgetter(1), reverse=True)
