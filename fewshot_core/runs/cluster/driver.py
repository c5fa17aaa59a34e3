"""The driver of a grid: it hands out tasks, and alone writes run folders."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewshot_core.data_folder import atomic_folder, locked
from fewshot_core.errors import FewshotError, RunError
from fewshot_core.runs.cluster.clusters import ATTEMPTS
from fewshot_core.runs.cluster.config import Grid
from fewshot_core.runs.cluster.tasks import GridTask, Outcome, Sent, do, read_inputs
from fewshot_core.runs.folder import RunFolder, State, Status, runs_dir
from fewshot_core.runs.jobs import find_finished, is_usable, make_manifest
from fewshot_core.runs.requests import Request, SearchRequest, SplitRequest

if TYPE_CHECKING:
    from distributed import Client, Future

Work = Callable[[GridTask, Sent | None], Outcome]


@dataclass
class GridReport:
    """How a grid goes, and how it went.

    Attributes:
        total: Tasks known so far; the searches in a split are known once it is made.
        done: The runs that were made now.
        skipped: The runs that were there before, or that a process of this machine works on.
        failed: Why a run could not be made, by its name.
        retried: How often a task was tried again.
        message: What happened last.
    """

    total: int = 0
    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    retried: int = 0
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "total": self.total,
            "done": self.done,
            "skipped": self.skipped,
            "failed": self.failed,
            "retried": self.retried,
        }


def run_grid(
    grid: Grid,
    data_dir: Path,
    client: Client,
    progress: Callable[[GridReport], None] = lambda report: None,
    work: Work = do,
) -> GridReport:
    """Do all tasks of a grid that are not done yet.

    A task whose worker dies is given to another. One that fails ``ATTEMPTS`` times, or that ends
    with an error that would only come again, is reported, and the rest goes on.

    Args:
        grid: What to do.
        data_dir: The data folder; its run folders are written here and nowhere else.
        client: The cluster.
        progress: Called after each task.
        work: What a worker does with a task.

    Raises:
        ImagesError, RunError: If what a task needs is missing, or the scheduler is lost.
    """
    driver = _Driver(grid, data_dir, client, progress, work)
    driver.add([*grid.splits, *grid.searches])
    driver.loop()
    return driver.report


def finished_before(grid: Grid, data_dir: Path) -> GridReport | None:
    """Return the report of a grid of which nothing is left to do; else None.

    Raises:
        ImagesError, RunError: As ``run_grid``.
    """
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
    """Return the searches in the sub-spaces of a split, once it is made."""
    if not isinstance(request, SplitRequest):
        return []
    tree = folder.tree() if folder.status().state is State.DONE else None
    return [] if tree is None else grid.searches_of(request.dataset, tree.leaves)


class _Driver:
    def __init__(
        self,
        grid: Grid,
        data_dir: Path,
        client: Client,
        progress: Callable[[GridReport], None],
        work: Work,
    ) -> None:
        from distributed import as_completed

        self.report = GridReport()
        self._grid = grid
        self._data_dir = data_dir
        self._client = client
        self._progress = progress
        self._work = work
        self._known: set[str] = set()
        self._attempts: dict[str, int] = {}
        self._running: dict[Any, tuple[GridTask, Request]] = {}
        self._sent: dict[tuple[str | None, ...], Any] = {}
        self._queue: Any = as_completed([], with_results=False, raise_errors=False)

    def add(self, requests: Iterable[Request]) -> None:
        """Give out what is not done yet."""
        for request in requests:
            fingerprints = request.fingerprints(self._data_dir)
            run_id = request.run_id(fingerprints)
            if run_id in self._known:
                continue
            self._known.add(run_id)
            self.report.total += 1
            folder = RunFolder(runs_dir(self._data_dir) / run_id)
            if is_usable(folder):
                self.report.skipped.append(run_id)
                self.add(_searches_in(self._grid, request, folder))
                continue
            canonical = request.to_dict()
            kind = request.kind
            task = GridTask(run_id, kind, canonical, fingerprints, str(self._data_dir))
            self._submit(task, request, None)
        self._progress(self.report)

    def loop(self) -> None:
        """Take in results until none are waited for."""
        for future in self._queue:
            if future.status in ("cancelled", "lost"):
                raise RunError(
                    "the scheduler is gone; start the grid again: what is done is kept, and skipped"
                )
            task, request = self._running.pop(future.key)
            if future.status == "finished":
                self._take(task, request, future.result())
            else:
                self._fail(task, request, future)
            future.release()
            self._progress(self.report)

    def _submit(self, task: GridTask, request: Request, sent: Any) -> None:
        attempt = self._attempts[task.run_id] = self._attempts.get(task.run_id, 0) + 1
        way = "sent" if sent is not None else "seen"
        future: Future[Outcome] = self._client.submit(
            self._work, task, sent, key=f"{task.run_id}-{attempt}-{way}", pure=False
        )
        self._running[future.key] = (task, request)
        self._queue.add(future)

    def _take(self, task: GridTask, request: Request, outcome: Outcome) -> None:
        if outcome.missing:
            self._attempts[task.run_id] -= 1  # nothing was tried
            self._submit(task, request, self._inputs(task, request))
            return
        folder = RunFolder(runs_dir(self._data_dir) / task.run_id)
        if not is_usable(folder):
            status = Status(State.DONE, outcome.message, outcome.steps, outcome.steps)
            attempt = self._attempts[task.run_id]
            note = f"done by a worker on {outcome.host}, attempt {attempt}\n".encode()
            log = {"log.txt": outcome.files.get("log.txt", b"") + note}
            self._keep(folder, task, request, status, {**outcome.files, **log})
            self.report.done.append(task.run_id)
        else:
            self.report.skipped.append(task.run_id)
        self.report.message = f"{task.run_id} done"
        self.add(_searches_in(self._grid, request, folder))

    def _fail(self, task: GridTask, request: Request, future: Any) -> None:
        """Try a task again, or report it."""
        error = future.exception()
        reason = f"{type(error).__name__}: {error}" if error is not None else future.status
        if isinstance(error, FewshotError):
            reason = str(error)
        killed = type(error).__name__ == "KilledWorker"
        final = isinstance(error, FewshotError) or killed
        if not final and self._attempts[task.run_id] < ATTEMPTS:
            self.report.retried += 1
            self._submit(task, request, None)
            return
        if killed:
            reason = f"{ATTEMPTS} workers died while doing it (out of memory?): {error}"
        self.report.failed[task.run_id] = reason
        self.report.message = f"{task.run_id} failed: {reason}"
        folder = RunFolder(runs_dir(self._data_dir) / task.run_id)
        if not is_usable(folder):
            self._keep(folder, task, request, Status(State.FAILED, reason), {})

    def _keep(
        self,
        folder: RunFolder,
        task: GridTask,
        request: Request,
        status: Status,
        files: Any,
    ) -> None:
        """Let a run's folder appear, complete."""
        with locked(folder.path.parent), atomic_folder(folder.path) as temporary:
            draft = RunFolder(temporary)
            draft.write_manifest(make_manifest(request, dict(task.fingerprints), self._data_dir))
            for name, content in files.items():
                (temporary / name).write_bytes(content)
            if not draft.log_path.exists():
                stamp = datetime.now(UTC).isoformat(timespec="seconds")
                draft.log_path.write_text(f"{stamp} {status.state}: {status.message}\n")
            draft.write_status(status)

    def _inputs(self, task: GridTask, request: Request) -> Any:
        """Return what workers need that do not see the driver's files; it is sent once."""
        key = tuple(sorted((task.fingerprints or {}).values(), key=str))
        if key not in self._sent:
            content = read_inputs(request, self._data_dir)
            size = sum(map(len, content.images.values())) / 1e6
            print(f"sending {size:.1f} MB of images to the workers", file=sys.stderr)
            client: Any = self._client
            self._sent[key] = client.scatter(content, broadcast=True)
        return self._sent[key]
