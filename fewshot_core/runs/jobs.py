"""Starting and cancelling runs, and their devices; for their processes see ``worker``."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from fewshot_core.data_folder import ENVIRONMENT_NAME, atomic_folder, locked, remove_folder, sweep
from fewshot_core.errors import FULL, FewshotError, RunError, causes
from fewshot_core.images import find_source
from fewshot_core.runs.folder import (
    RunFolder,
    State,
    Status,
    find_older,
    process_identity,
    runs_dir,
)
from fewshot_core.runs.requests import Fingerprints, Request

COMPUTING_ENVIRONMENT = {"GOMP_SPINCOUNT": "3000", "MALLOC_ARENA_MAX": "1"}
"""Environment variables of processes that compute with PyTorch.

Threads that wait for each other spin for some microseconds, then sleep. Sleeping at once costs a
third of the speed on an idle machine; spinning for long, the default, occupies cores that other
processes need. All threads allocate memory from one arena: with one for each, memory that a thread
has freed is of no use to the others, and must be obtained from the system again.
"""


def computing_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Add ``COMPUTING_ENVIRONMENT`` to an environment, without changing what it has set."""
    settings = dict(COMPUTING_ENVIRONMENT)
    if "OMP_WAIT_POLICY" in environment:
        del settings["GOMP_SPINCOUNT"]
    return settings | dict(environment)


_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
_LIST_DEVICES = (
    "import json, torch; "
    "print(json.dumps(['cuda'] * torch.cuda.is_available()"
    " + ['mps'] * torch.backends.mps.is_available()))"
)


@lru_cache(maxsize=1)
def available_devices() -> tuple[str, ...]:
    """List the available devices, the fastest first; ``"cpu"`` is always the last.

    PyTorch is loaded in another process, and only on a machine with a driver, so that pages do not
    wait for it. If that fails there is only the CPU.
    """
    if not _may_have_accelerator():
        return ("cpu",)
    try:
        listed = subprocess.run(
            [sys.executable, "-c", _LIST_DEVICES],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return (*json.loads(listed.stdout), "cpu")
    except (subprocess.SubprocessError, OSError, ValueError):
        return ("cpu",)


def choose_device(name: str) -> str:
    """Resolve a device name; ``"auto"`` is the fastest device."""
    return available_devices()[0] if name == "auto" else name


def _may_have_accelerator() -> bool:
    return platform.system() == "Darwin" or any(Path(path).exists() for path in _DRIVERS)


def failure_message(error: BaseException) -> str:
    """Describe the cause of a failure, and what to do where that is known."""
    if any(isinstance(each, OSError) and each.errno in FULL for each in causes(error)):
        return "the disk is full: free some space, then start it again; finished work is reused"
    if isinstance(error, FewshotError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out of memory: choose a smaller batch or network"
    if isinstance(error, OSError):
        return f"the system refused: {error}; see the log"
    return f"unexpected {type(error).__name__}: {error}; see the log"


def advice(state: State) -> str | None:
    """Advice for a run that failed, was lost or cancelled; None for others."""
    return {
        State.FAILED: "Fix the cause, then start it again: finished epochs and scores are reused.",
        State.LOST: "Start it again: finished epochs and scores are reused. If it is lost again, "
        "the system may have run out of memory: choose a smaller batch or network.",
        State.CANCELLED: "Start it again to resume: finished epochs and scores are reused.",
    }.get(state)


TERMINATION_SECONDS = 3.0
"""How long a process may take to end after SIGTERM."""

_PACKAGES = ("torch", "numpy", "pandas", "fewshot-workbench")


def find_finished(request: Request, data_dir: Path) -> RunFolder | None:
    """Find the finished or active run of a request, or None; raises as ``start``."""
    folder = planned_folder(request, request.fingerprints(data_dir), data_dir)
    return folder if is_usable(folder) else None


def start(request: Request, data_dir: Path) -> RunFolder:
    """Start a run in its own process, or return the finished or active run of the request.

    A run that failed, was cancelled or was lost is started again.

    Raises:
        ImagesError, CheckpointError: If its images or its checkpoint are missing.
        RunError: If its process cannot be started.
    """
    fingerprints = request.fingerprints(data_dir)
    folder = planned_folder(request, fingerprints, data_dir)
    if is_usable(folder):
        return folder
    with locked(runs_dir(data_dir)):
        sweep(runs_dir(data_dir))
        if is_usable(folder):  # another process was first
            return folder
        _prepare(folder, make_manifest(request, fingerprints, data_dir))
        _launch(folder, data_dir)
    return folder


def cancel(folder: RunFolder) -> None:
    """Cancel a run: SIGTERM to its process group, SIGKILL after ``TERMINATION_SECONDS``.

    A run that has ended is left as it is. Raises RunError if the process cannot be ended.
    """
    status = folder.status()
    if not status.state.active or status.pid is None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):  # the second also ends what it has started
        with suppress(ProcessLookupError, PermissionError):  # it has ended; macOS says the latter
            os.killpg(status.pid, number)
        deadline = time.monotonic() + TERMINATION_SECONDS
        while status.process_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
    latest = folder.status()
    if latest.state.active:
        raise RunError(
            f"{folder.run_id} cannot be cancelled: its process {status.pid} is still running"
        )
    if latest.state is State.LOST:
        folder.write_status(replace(latest, state=State.CANCELLED, message="cancelled"))


def delete(folder: RunFolder) -> None:
    """Delete a run's folder, damaged or not; raises RunError if a process is working on it."""
    place = folder.path.parent
    with locked(place):
        if is_active(folder):
            raise RunError(f"{folder.run_id} is running: cancel it before you delete it")
        remove_folder(folder.path)
        sweep(place)


def is_active(folder: RunFolder) -> bool:
    """Whether a process is working on a run; one with a damaged status counts as ended."""
    try:
        return folder.status().state.active
    except RunError:
        return False


def is_usable(folder: RunFolder) -> bool:
    """Whether a run is done or active, and so needs no new process."""
    try:
        state = folder.status().state
        if state is not State.DONE:
            return state.active
        return folder.is_complete()
    except RunError:
        return False


def planned_folder(request: Request, fingerprints: Fingerprints, data_dir: Path) -> RunFolder:
    """Return the folder of a request: where its run is or would be."""
    folder = RunFolder(runs_dir(data_dir) / request.run_id(fingerprints))
    older = None if folder.path.is_dir() else find_older(folder.run_id, data_dir)
    return older if older is not None and is_usable(older) else folder


def _prepare(folder: RunFolder, manifest: dict[str, Any]) -> None:
    """Create the folder with manifest and first status, or prepare it to be used again."""
    if folder.path.exists():
        earlier = 0.0
        with suppress(RunError):  # a damaged status
            earlier = folder.status().seconds or 0.0
        folder.write_status(Status(State.LOST, "starting again", earlier=earlier))
        folder.write_manifest(manifest)
        folder.tree_path.unlink(missing_ok=True)
        for leftover in folder.path.glob(".*"):  # half-written files of a process that was killed
            leftover.unlink()
        return
    with atomic_folder(folder.path) as temporary:
        draft = RunFolder(temporary)
        draft.write_manifest(manifest)
        draft.write_status(Status(State.QUEUED, "starting"))


def make_manifest(request: Request, fingerprints: Fingerprints, data_dir: Path) -> dict[str, Any]:
    """Build the manifest of a run: request, fingerprints, versions."""
    plugin = [request.plugin] if request.plugin else []
    return {
        "kind": request.kind,
        "request": request.to_dict(),
        "fingerprints": dict(fingerprints),
        "synthetic": request.needs_images
        and find_source(request.dataset, request.images, data_dir).synthetic,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "packages": {name: version(name) for name in _PACKAGES} | dict(plugin),
    }


def _launch(folder: RunFolder, data_dir: Path) -> None:
    """Start the worker.

    It waits until its standard input closes, and ends if its pid is not recorded by then, since
    nobody could cancel it.
    """
    with folder.log_path.open("ab") as log:
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "fewshot_core.runs.worker", str(folder.path)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=computing_environment(os.environ) | {ENVIRONMENT_NAME: str(data_dir)},
            )
        except OSError as error:
            raise RunError(f"the process of {folder.run_id} cannot be started: {error}") from error
    try:
        folder.write_status(
            Status(
                State.QUEUED,
                "starting",
                started=datetime.now(UTC).timestamp(),
                pid=process.pid,
                process_started=psutil.Process(process.pid).create_time(),
                process=process_identity(process.pid),
                earlier=folder.status().earlier,
            )
        )
    finally:
        if process.stdin is not None:
            process.stdin.close()
        # Those that have ended are reaped.
        _CHILDREN[:] = [child for child in (*_CHILDREN, process) if child.poll() is None]


_CHILDREN: list[subprocess.Popen[bytes]] = []


def cancel_all(folders: Sequence[RunFolder]) -> None:
    """Cancel all active runs, the last in the queue first; raises as ``cancel``."""
    active = [folder for folder in folders if is_active(folder)]
    for folder in sorted(active, key=lambda run: run.status().started or 0.0, reverse=True):
        cancel(folder)
