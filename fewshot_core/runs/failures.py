"""Why a run failed, and what to do about it, in a sentence."""

import errno
from collections.abc import Iterator

from fewshot_core.errors import FewshotError
from fewshot_core.runs.status import State

_FULL = (errno.ENOSPC, errno.EDQUOT)


def failure_message(error: BaseException) -> str:
    """Return the cause of a failure, and what to do where that is known."""
    if any(isinstance(each, OSError) and each.errno in _FULL for each in _chain(error)):
        return "the disk is full: make room, then start it again; what is finished is kept"
    if isinstance(error, FewshotError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out of memory: choose a smaller batch or network"
    if isinstance(error, OSError):
        return f"the system refused: {error}; see the log"
    return f"unexpected {type(error).__name__}: {error}; see the log"


def advice(state: State) -> str | None:
    """Return what to do about a run that did not end well, or None where there is nothing to do."""
    return {
        State.FAILED: "Mend the cause, then start it again: finished epochs and scores are kept.",
        State.LOST: "Start it again: finished epochs and scores are kept. If it is lost again, the "
        "system may have ended it for want of memory: ask for a smaller batch or network.",
        State.CANCELLED: "Start it again to go on: finished epochs and scores are kept.",
    }.get(state)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what caused it, and what was being handled when it was raised."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
