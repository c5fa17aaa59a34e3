"""Tasks of the workers of a cluster: one run each, with its images and weights."""

import os
import socket
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from fewshot_core import limits
from fewshot_core.data_folder import atomic_folder, file_fingerprint
from fewshot_core.documents import read_limited, refusing
from fewshot_core.errors import FewshotError, ImagesError
from fewshot_core.images import find_source, source_fingerprint
from fewshot_core.networks import check_checkpoint
from fewshot_core.runs.folder import RunFolder, State, Status
from fewshot_core.runs.requests import (
    KINDS,
    Fingerprints,
    MetricRequest,
    ProxyRequest,
    Request,
    SearchRequest,
)
from fewshot_core.search.records import CHECKPOINT, RECORDS, TABLE


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
    """Outcome of a task: the files of its folder, the last message, steps done, and the machine."""

    files: Mapping[str, bytes]
    message: str
    steps: int
    host: str


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
    return Outcome(files, ended.message, ended.total, socket.gethostname())
