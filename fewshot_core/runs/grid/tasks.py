"""What a worker of a cluster does: one run, in a folder of its own that it gives away."""

import os
import socket
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from fewshot_core.resolve import resolve
from fewshot_core.runs.folder import RunFolder
from fewshot_core.runs.grid.inputs import Sent, place_inputs
from fewshot_core.runs.kinds import KINDS, read_request
from fewshot_core.runs.status import State, Status
from fewshot_core.search.layout import CHECKPOINT, RECORDS, TABLE

_RESULTS = {
    "split": ("tree.json",),
    "search": (RECORDS, TABLE),
    "train": (RECORDS, TABLE, CHECKPOINT),
}


@dataclass(frozen=True)
class GridTask:
    """A run for a worker, as plain values.

    Attributes:
        run_id: Its name.
        kind: Its kind, a name in ``KINDS``.
        request: What is asked, as its ``canonical`` returns it.
        fingerprints: Of images and weights.
        data_dir: The driver's data folder, which a worker uses where it sees it too.
    """

    run_id: str
    kind: str
    request: Mapping[str, Any]
    fingerprints: Mapping[str, str | None]
    data_dir: str


@dataclass(frozen=True)
class Outcome:
    """What became of a task on a worker.

    Attributes:
        files: The content of the files of its folder by their names.
        message: How its status ended.
        steps: Steps that were done.
        host: The machine that did it.
        missing: Whether nothing was done because the worker sees no images or weights.
    """

    files: Mapping[str, bytes]
    message: str = ""
    steps: int = 0
    host: str = ""
    missing: bool = False


def do(task: GridTask, sent: Sent | None = None) -> Outcome:
    """Do a task.

    Args:
        task: What to do.
        sent: The images and weights, for workers that do not see those of the driver.

    Raises:
        FewshotError: As the job of its kind.
    """
    request = read_request(task.kind, task.request)
    with tempfile.TemporaryDirectory(prefix="fewshot-task-") as scratch:
        placed = place_inputs(request, task.fingerprints, Path(task.data_dir), sent)
        if placed is None:
            return Outcome({}, missing=True)
        local, data_dir = placed
        folder = RunFolder(Path(scratch) / task.run_id)
        folder.write_manifest({"kind": task.kind, "request": local.canonical()})
        own = psutil.Process()
        status = Status(State.RUNNING, pid=os.getpid(), process_started=own.create_time())
        folder.write_status(status)
        with folder.log_path.open("w") as log, redirect_stdout(log):
            resolve(KINDS.get(task.kind).job)(folder, data_dir or Path(scratch))
        ended = folder.status()
        files = {
            name: (folder.path / name).read_bytes() for name in (*_RESULTS[task.kind], "log.txt")
        }
    return Outcome(files, ended.message, ended.total, socket.gethostname())
