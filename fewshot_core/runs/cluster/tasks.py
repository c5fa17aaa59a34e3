"""Tasks of the workers of a cluster: one run each, with its images and weights."""

import os
import socket
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from fewshot_core.data_folder import atomic_folder, file_fingerprint
from fewshot_core.errors import FewshotError
from fewshot_core.images import find_source, source_fingerprint
from fewshot_core.images.pickles import read_image_file
from fewshot_core.networks import check_checkpoint
from fewshot_core.runs.folder import RunFolder, State, Status
from fewshot_core.runs.requests import KINDS, Request, SearchRequest, SplitRequest, read_request
from fewshot_core.search.records import CHECKPOINT, RECORDS, TABLE


@dataclass(frozen=True)
class Sent:
    """Files for workers that do not see those of the driver.

    Attributes:
        images: The content of the images' files by their relative paths.
        root: Where among these the images are.
        checkpoint: The content of the checkpoint, or None.
    """

    images: Mapping[str, bytes]
    root: str = ""
    checkpoint: bytes | None = None


def read_inputs(request: Request, data_dir: Path) -> Sent:
    """Read the files of a request, to send them to workers.

    Raises:
        ImagesError: If its images are missing.
        CheckpointError: If its checkpoint is missing.
    """
    images: dict[str, bytes] = {}
    root = ""
    if request.needs_images:
        source = find_source(request.dataset, request.images, data_dir)
        if not source.synthetic:
            above, root = source.path.parent, source.path.name
            for path in source.training_files():
                images[str(path.relative_to(above))] = read_image_file(path)
    checkpoint = request.checkpoint_path
    if checkpoint is None:
        return Sent(images, root)
    check_checkpoint(Path(checkpoint))
    return Sent(images, root, Path(checkpoint).read_bytes())


def place_inputs(
    request: Request,
    fingerprints: Mapping[str, str | None],
    data_dir: Path,
    sent: Sent | None,
) -> tuple[Request, Path | None] | None:
    """Return a request that names what this machine has, and the data folder to use.

    Args:
        request: The request.
        fingerprints: Of the images and weights that are meant.
        data_dir: The driver's data folder.
        sent: What the driver has sent, if anything.

    Returns:
        The request and the driver's data folder where this machine sees the same files there; the
        request with paths of the files that were sent and no data folder; or None where this
        machine has neither.
    """
    if _sees(request, fingerprints, data_dir):
        return request, data_dir if data_dir.is_dir() else None
    if sent is None:
        return None
    name = f"fewshot-inputs-{fingerprints.get('images')}-{fingerprints.get('checkpoint')}"
    folder = Path(tempfile.gettempdir()) / name
    if not folder.is_dir():
        _unpack(sent, folder)
    placed = request
    if sent.images:
        placed = replace(placed, images=str(folder / "images" / sent.root))
    if sent.checkpoint is not None:
        placed = _with_checkpoint(placed, str(folder / "checkpoint.pt"))
    return placed, None


def _with_checkpoint(request: Request, path: str) -> Request:
    if isinstance(request, SplitRequest):
        return replace(request, network=replace(request.network, checkpoint=path))
    return replace(request, checkpoint=path) if isinstance(request, SearchRequest) else request


def _sees(request: Request, fingerprints: Mapping[str, str | None], data_dir: Path) -> bool:
    """Whether this machine has the very files that are meant, under the same names."""
    checkpoint = request.checkpoint_path
    try:
        if checkpoint is not None:
            meant = fingerprints.get("checkpoint")
            if file_fingerprint(Path(checkpoint)) != meant:
                return False
        if not request.needs_images:
            return True
        found = source_fingerprint(request.dataset, request.images, data_dir)
    except (FewshotError, OSError):
        return False
    return found == fingerprints.get("images")


def _unpack(sent: Sent, folder: Path) -> None:
    with atomic_folder(folder) as temporary:
        for name, content in sent.images.items():
            path = temporary / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if sent.checkpoint is not None:
            (temporary / "checkpoint.pt").write_bytes(sent.checkpoint)


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
        request: Its request, as ``to_dict`` returns it.
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
    """Outcome of a task on a worker.

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
        folder.write_manifest({"kind": task.kind, "request": local.to_dict()})
        own = psutil.Process()
        status = Status(State.RUNNING, pid=os.getpid(), process_started=own.create_time())
        folder.write_status(status)
        with folder.log_path.open("w") as log, redirect_stdout(log):
            KINDS.get(task.kind).load()(folder, data_dir or Path(scratch))
        ended = folder.status()
        files = {
            name: (folder.path / name).read_bytes() for name in (*_RESULTS[task.kind], "log.txt")
        }
    return Outcome(files, ended.message, ended.total, socket.gethostname())
