"""The errors that the workbench raises on purpose, and those of the system in plain words."""

import errno
from collections.abc import Collection, Iterator

FULL = (errno.ENOSPC, errno.EDQUOT)
"""The errors of a disk that is full."""

_REFUSALS = {
    **dict.fromkeys(FULL, "the disk is full: free some space, then try again"),
    errno.EROFS: "the disk is read-only: make it writable, then try again",
    errno.EACCES: "permission is denied: change the permissions, then try again",
}


def describe(error: BaseException) -> str:
    """Say what went wrong, in plain words where the system refused, and what to do."""
    text = str(error)
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.errno in _REFUSALS:
            return f"{_REFUSALS[cause.errno]} ({text})"
    return text


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what caused it, and what was being handled when it was raised."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


class FewshotError(Exception):
    """Root of all errors a user can do something about.

    A message states what was expected, what was given, and what to do next.
    """


class SpaceError(FewshotError):
    """A string, row, index or operation that does not describe the search space."""


class UnknownNameError(FewshotError):
    """A name that is not in a registry or table."""


def check_name(
    what: str,
    name: str,
    known: Collection[str],
    error: type[FewshotError] = UnknownNameError,
) -> None:
    """Raise an error that lists the known names unless a name is one of them."""
    if name not in known:
        expected = ", ".join(known) or "none"
        raise error(f"unknown {what} {name!r}: expected one of {expected}")


class TableError(FewshotError):
    """An accuracy table that is missing or cannot be trusted."""


class ImagesError(FewshotError):
    """Images that are missing, damaged or of another data set."""


class CheckpointError(FewshotError):
    """A checkpoint that cannot be read or does not fit the supernet."""


class MetricError(FewshotError):
    """A metric that cannot be computed with these options."""


class SplittingError(FewshotError):
    """A split that cannot be made with these options, or a tree that cannot be read."""


class SelectionError(FewshotError):
    """Curves that cannot be selected among: damaged, incomplete or too short."""


class RunError(FewshotError):
    """A run that cannot be started, read or cancelled."""


class StoreError(FewshotError):
    """A cache that cannot be opened."""
