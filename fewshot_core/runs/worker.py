"""The process of a run: ``python -m fewshot_core.runs.worker RUN_FOLDER``."""

import os
import signal
import sys
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from fewshot_core.datafolder import data_dir
from fewshot_core.errors import FewshotError
from fewshot_core.resolve import resolve
from fewshot_core.runs.folder import RunFolder
from fewshot_core.runs.queue import turn
from fewshot_core.runs.status import State


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
    try:
        with turn(_queue(folder), lambda ahead: _wait_for(folder, ahead)):
            _say(folder, "loading PyTorch")
            resolve(folder.kind().job)(folder, data_dir())
        return 0
    except Cancelled:
        _finish(folder, State.CANCELLED, "cancelled")
    except FewshotError as error:
        _finish(folder, State.FAILED, str(error))
        traceback.print_exc()
    except MemoryError:
        _finish(folder, State.FAILED, "out of memory: choose a smaller batch or network")
        traceback.print_exc()
    except BaseException as error:
        _finish(folder, State.FAILED, f"unexpected {type(error).__name__}: {error}; see the log")
        traceback.print_exc()
    return 1


def _queue(folder: RunFolder) -> Path:
    """Return the queue of the device that a run computes on."""
    return folder.path.parent / ".queue" / folder.request().device


def _wait_for(folder: RunFolder, ahead: int) -> None:
    others = "another run" if ahead == 1 else f"{ahead} other runs"
    _say(folder, f"waiting for {others} on the same device")


def _say(folder: RunFolder, message: str) -> None:
    folder.write_status(replace(folder.status(), message=message))


def _finish(folder: RunFolder, state: State, message: str) -> None:
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    print(f"{stamp} {state}: {message}", file=sys.stderr)
    folder.write_status(replace(folder.status(), state=state, message=message))


def _on_termination(number: int, frame: FrameType | None) -> None:
    raise Cancelled


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
