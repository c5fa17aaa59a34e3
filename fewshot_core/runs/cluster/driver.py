"""Tasks of the workers of a cluster, and the driver that submits them and writes run folders.

A task is one run, with its images and weights. The driver alone writes run folders.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from fewshot_core import limits
from fewshot_core.data_folder import atomic_folder, file_fingerprint, locked
from fewshot_core.documents import read_limited, refusing
from fewshot_core.errors import FewshotError, ImagesError, RunError
from fewshot_core.images import find_source, source_fingerprint
from fewshot_core.networks import check_checkpoint
from fewshot_core.runs.cluster.clusters import ATTEMPTS
from fewshot_core.runs.cluster.config import Grid
from fewshot_core.runs.folder import RunFolder, State, Status, runs_dir
from fewshot_core.runs.jobs import find_finished, is_usable, make_manifest
from fewshot_core.runs.requests import (
    KINDS,
    Fingerprints,
    MetricRequest,
    ProxyRequest,
    Request,
    SearchRequest,
    SplitRequest,
)
from fewshot_core.search.records import CHECKPOINT, RECORDS, TABLE

if TYPE_CHECKING:
    from distributed import Client, Future


@dataclass(frozen=True)
class Sent:
    """Content of the files for workers that do not see the driver's: images by relative path.

    ``root`` says where among these the images are.
    """

    images: Mapping[str, bytes]
    root: str = ""
    checkpoint: bytes | None = None


def read_inputs(request: Request, data_dir: Path) -> Sent:
    """Read the files of a request, to send them; raises as ``Request.fingerprints``."""
    images: dict[str, bytes] = {}
    root = ""
    if request.needs_images:
        source = find_source(request.dataset, request.images, data_dir)
        if not source.synthetic:
            above, root = source.path.parent, source.path.name
            for path in source.training_files():
                with refusing(ImagesError, str(path), "get it again"):
                    content = read_limited(path, limits.IMAGES_BYTES)
                images[str(path.relative_to(above))] = content
    checkpoint = request.checkpoint_path
    if checkpoint is None:
        return Sent(images, root)
    check_checkpoint(Path(checkpoint))
    return Sent(images, root, Path(checkpoint).read_bytes())


def place_inputs(
    request: Request, fingerprints: Fingerprints, data_dir: Path, sent: Sent | None
) -> tuple[Request, Path | None] | None:
    """Return a request that names what this machine has, and the data folder to use.

    The fingerprints are those of the images and weights that are meant. Returned are the request
    and the driver's data folder where this machine sees the same files there; the request with
    paths of the files that were sent and no data folder; or None where this machine has neither.
    """
    if _sees(request, fingerprints, data_dir):
        return request, data_dir if data_dir.is_dir() else None
    if sent is None:
        return None
    name = f"fewshot-inputs-{fingerprints.get('images')}-{fingerprints.get('checkpoint')}"
    folder = Path(tempfile.gettempdir()) / name
    if not folder.is_dir():
        with atomic_folder(folder) as temporary:
            for path, content in sent.images.items():
                (temporary / "images" / path).parent.mkdir(parents=True, exist_ok=True)
                (temporary / "images" / path).write_bytes(content)
            if sent.checkpoint is not None:
                (temporary / "checkpoint.pt").write_bytes(sent.checkpoint)
    placed = request
    if sent.images and not isinstance(placed, ProxyRequest):
        placed = replace(placed, images=str(folder / "images" / sent.root))
    if sent.checkpoint is not None:
        placed = _with_checkpoint(placed, str(folder / "checkpoint.pt"))
    return placed, None


def _with_checkpoint(request: Request, path: str) -> Request:
    if isinstance(request, MetricRequest):
        return replace(request, network=replace(request.network, checkpoint=path))
    return replace(request, checkpoint=path) if isinstance(request, SearchRequest) else request


def _sees(request: Request, fingerprints: Fingerprints, data_dir: Path) -> bool:
    """Whether this machine has the very files that are meant, under the same names."""
    checkpoint = request.checkpoint_path
    try:
        if checkpoint and file_fingerprint(Path(checkpoint)) != fingerprints.get("checkpoint"):
            return False
        if not request.needs_images:
            return True
        found = source_fingerprint(request.dataset, request.images, data_dir)
    except (FewshotError, OSError):
        return False
    return found == fingerprints.get("images")


_RESULTS = {
    "split": ("tree.json",),
    "search": (RECORDS, TABLE),
    "train": (RECORDS, TABLE, CHECKPOINT),
}


@dataclass(frozen=True)
class GridTask:
    """A run for a worker, which uses the driver's data folder where it sees it too."""

    run_id: str
    request: Request
    fingerprints: Fingerprints
    data_dir: str


@dataclass(frozen=True)
class Outcome:
    """Outcome of a task: the files of its folder, the last message, steps done, and the machine.

    ``seconds`` is its working time, without waiting and loading.
    """

    files: Mapping[str, bytes]
    message: str
    steps: int
    host: str
    seconds: float


def do(task: GridTask, sent: Sent | None = None) -> Outcome | None:
    """Do a task, with what was sent if the worker does not see the driver's files."""
    placed = place_inputs(task.request, task.fingerprints, Path(task.data_dir), sent)
    if placed is None:
        return None
    request, data_dir = placed
    with tempfile.TemporaryDirectory(prefix="fewshot-task-") as scratch:
        folder = RunFolder(Path(scratch) / task.run_id)
        folder.write_manifest({"kind": request.kind, "request": request.to_dict()})
        own = psutil.Process()
        status = Status(State.RUNNING, pid=os.getpid(), process_started=own.create_time())
        folder.write_status(status)
        with folder.log_path.open("w") as log, redirect_stdout(log):
            KINDS.get(request.kind).load()(folder, data_dir or Path(scratch))
        ended = folder.status()
        names = (*_RESULTS[request.kind], "log.txt")
        files = {name: (folder.path / name).read_bytes() for name in names}
    return Outcome(files, ended.message, ended.total, socket.gethostname(), ended.seconds or 0.0)


Work = Callable[[GridTask, Sent | None], Outcome | None]


@dataclass
class GridReport:
    """Progress and outcome of a grid.

    ``total`` grows when a split is done and its searches are known; ``skipped`` are runs done
    before, or active on this machine; ``failed`` has reasons by run.
    """

    total: int = 0
    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    retried: int = 0
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values, without the last message."""
        return {name: value for name, value in vars(self).items() if name != "message"}


def run_grid(
    grid: Grid,
    data_dir: Path,
    client: Client,
    progress: Callable[[GridReport], None] = lambda report: None,
    work: Work = do,
) -> GridReport:
    """Do all tasks of a grid that are not done yet; run folders are written by this process alone.

    A task whose worker dies is retried on another. One that fails ``ATTEMPTS`` times, or with an
    error that would recur, is reported, and the others continue. ``progress`` is called after each,
    and ``work`` is what a worker does with a task.

    Raises:
        ImagesError, RunError: If what a task needs is missing, or the scheduler is lost.
    """
    driver = _Driver(grid, data_dir, client, progress, work)
    driver.add([*grid.splits, *grid.searches])
    driver.loop()
    return driver.report


def finished_before(grid: Grid, data_dir: Path) -> GridReport | None:
    """Report of a grid that is completely done, or None; raises as ``run_grid``."""
    report = GridReport()
    requests: list[Request] = [*grid.splits, *grid.searches]
    for request in requests:  # which grows by the searches in splits
        folder = find_finished(request, data_dir)
        if folder is None:
            return None
        if folder.run_id not in report.skipped:
            report.skipped.append(folder.run_id)
            requests += _searches_in(grid, request, folder)
    report.total = len(report.skipped)
    return report


def _searches_in(grid: Grid, request: Request, folder: RunFolder) -> list[SearchRequest]:
    """The searches in the sub-spaces of a split, once it is done."""
    if not isinstance(request, SplitRequest):
        return []
    tree = folder.tree() if folder.status().state is State.DONE else None
    return [] if tree is None else grid.searches_of(request.dataset, tree.leaves)


@dataclass
class _Driver:
    grid: Grid
    data_dir: Path
    client: Client
    progress: Callable[[GridReport], None]
    work: Work
    report: GridReport = field(default_factory=GridReport)
    known: set[str] = field(default_factory=set)
    attempts: Counter[str] = field(default_factory=Counter)
    running: dict[Any, GridTask] = field(default_factory=dict)
    sent: dict[tuple[str | None, ...], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from distributed import as_completed

        self.queue: Any = as_completed([], with_results=False, raise_errors=False)

    def add(self, requests: Iterable[Request]) -> None:
        """Submit what is not done yet."""
        for request in requests:
            fingerprints = request.fingerprints(self.data_dir)
            run_id = request.run_id(fingerprints)
            if run_id in self.known:
                continue
            self.known.add(run_id)
            self.report.total += 1
            folder = RunFolder(runs_dir(self.data_dir) / run_id)
            if is_usable(folder):
                self.report.skipped.append(run_id)
                self.add(_searches_in(self.grid, request, folder))
                continue
            self._submit(GridTask(run_id, request, fingerprints, str(self.data_dir)), None)
        self.progress(self.report)

    def loop(self) -> None:
        """Process results until no task is left."""
        for future in self.queue:
            task = self.running.pop(future.key)
            try:
                # Waits once more if the worker died that held the result.
                outcome = future.result()
            except CancelledError:
                raise RunError(
                    "the scheduler is lost; start the grid again: finished runs are skipped"
                ) from None
            except Exception as error:  # whatever the task raised on its worker
                self._fail(task, error)
            else:
                self._take(task, outcome)
            future.release()
            self.progress(self.report)

    def _submit(self, task: GridTask, sent: Any) -> None:
        self.attempts[task.run_id] += 1
        way = "sent" if sent is not None else "seen"
        future: Future[Outcome | None] = self.client.submit(
            self.work,
            task,
            sent,
            key=f"{task.run_id}-{self.attempts[task.run_id]}-{way}",
            pure=False,
        )
        self.running[future.key] = task
        self.queue.add(future)

    def _take(self, task: GridTask, outcome: Outcome | None) -> None:
        if outcome is None:  # nothing was tried, for the worker does not see the inputs
            self.attempts[task.run_id] -= 1
            self._submit(task, self._inputs(task))
            return
        folder = RunFolder(runs_dir(self.data_dir) / task.run_id)
        if not is_usable(folder):
            steps, seconds = outcome.steps, outcome.seconds
            status = Status(State.DONE, outcome.message, steps, steps, earlier=seconds)
            attempt = self.attempts[task.run_id]
            note = f"done by a worker on {outcome.host}, attempt {attempt}\n".encode()
            log = {"log.txt": outcome.files.get("log.txt", b"") + note}
            self._write(folder, task, status, {**outcome.files, **log})
            self.report.done.append(task.run_id)
        else:
            self.report.skipped.append(task.run_id)
        self.report.message = f"{task.run_id} done"
        self.add(_searches_in(self.grid, task.request, folder))

    def _fail(self, task: GridTask, error: Exception) -> None:
        reason = (
            str(error) if isinstance(error, FewshotError) else f"{type(error).__name__}: {error}"
        )
        killed = type(error).__name__ == "KilledWorker"
        final = isinstance(error, FewshotError) or killed
        if not final and self.attempts[task.run_id] < ATTEMPTS:
            self.report.retried += 1
            self._submit(task, None)
            return
        if killed:
            why = "out of memory, or at the time limit of a job?"
            reason = f"{ATTEMPTS} workers died while doing it ({why}): {error}"
        self.report.failed[task.run_id] = reason
        self.report.message = f"{task.run_id} failed: {reason}"
        folder = RunFolder(runs_dir(self.data_dir) / task.run_id)
        if not is_usable(folder):
            self._write(folder, task, Status(State.FAILED, reason), {})

    def _write(
        self, folder: RunFolder, task: GridTask, status: Status, files: Mapping[str, bytes]
    ) -> None:
        with locked(folder.path.parent), atomic_folder(folder.path) as temporary:
            draft = RunFolder(temporary)
            draft.write_manifest(make_manifest(task.request, task.fingerprints, self.data_dir))
            for name, content in files.items():
                (temporary / name).write_bytes(content)
            if not draft.log_path.exists():
                stamp = datetime.now(UTC).isoformat(timespec="seconds")
                draft.log_path.write_text(f"{stamp} {status.state}: {status.message}\n")
            draft.write_status(status)

    def _inputs(self, task: GridTask) -> Any:
        """Files for workers that do not see the driver's; sent once."""
        key = tuple(sorted(task.fingerprints.values(), key=str))
        if key not in self.sent:
            content = read_inputs(task.request, self.data_dir)
            size = sum(map(len, content.images.values())) / 1e6
            print(f"sending {size:.1f} MB of images to the workers", file=sys.stderr)
            self.sent[key] = self.client.scatter(content, broadcast=True)
        return self.sent[key]
