"""The process of a run: ``python -m fewshot_core.runs.worker RUN_FOLDER``."""

import os
import re
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from fewshot_core.datafolder import data_dir
from fewshot_core.errors import RunError
from fewshot_core.resolve import resolve
from fewshot_core.runs.failures import failure_message
from fewshot_core.runs.folder import RunFolder
from fewshot_core.runs.queue import turn
from fewshot_core.runs.status import State

RESERVE_BYTES = 65_536
"""Room kept on the disk for a run's last words."""

NICENESS = 5
"""By how much a run gives way to the app: pages stay quick while all cores compute."""

_DEVICE = re.compile(r"[a-z]+(:[0-9]+)?")


class Cancelled(BaseException):
    """The process was asked to end."""


def main(path: Path) -> int:
    """Do the run of a folder; return the exit status of the process."""
    sys.stdin.read()  # closes once the starter has recorded this process
    signal.signal(signal.SIGTERM, _on_termination)
    folder = RunFolder(path)
    if folder.status().pid != os.getpid():
        print("this process is not recorded, so nobody could cancel it: ending", file=sys.stderr)
        return 1
    _make_reserve(folder)
    try:
        with turn(_queue(folder), lambda ahead: _wait_for(folder, ahead)):
            _say(folder, "loading PyTorch")
            resolve(folder.kind().job)(folder, data_dir())
        _reserve(folder).unlink(missing_ok=True)
        return 0
    except Cancelled:
        _finish(folder, State.CANCELLED, "cancelled")
    except BaseException as error:
        with suppress(OSError):  # a full disk has no room for it
            traceback.print_exc()
        _finish(folder, State.FAILED, failure_message(error))
    return 1


def _queue(folder: RunFolder) -> Path:
    """Return the queue of the device that a run computes on."""
    device = folder.request().device
    if not _DEVICE.fullmatch(device):
        raise RunError(f"expected a device such as 'cpu' or 'cuda', got {device!r}")
    return folder.path.parent / ".queue" / device


def _wait_for(folder: RunFolder, ahead: int) -> None:
    others = "another run" if ahead == 1 else f"{ahead} other runs"
    _say(folder, f"waiting for {others} on the same device")


def _say(folder: RunFolder, message: str) -> None:
    folder.write_status(replace(folder.status(), message=message))


def _finish(folder: RunFolder, state: State, message: str) -> None:
    _reserve(folder).unlink(missing_ok=True)
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    with suppress(OSError):
        print(f"{stamp} {state}: {message}", file=sys.stderr, flush=True)
    folder.write_status(replace(folder.status(), state=state, message=message))


def _reserve(folder: RunFolder) -> Path:
    """Return a file that is there to be deleted: the last status then fits on a full disk."""
    return folder.path / ".reserve"


def _make_reserve(folder: RunFolder) -> None:
    with suppress(OSError):
        _reserve(folder).write_bytes(b"\1" * RESERVE_BYTES)


def _on_termination(number: int, frame: FrameType | None) -> None:
    raise Cancelled


if __name__ == "__main__":
    os.nice(NICENESS)
    sys.exit(main(Path(sys.argv[1])))
