"""Reading files that are replaced as a whole, and only when they have changed.

A page looks at every run, and most runs have ended long ago. What was read of a file is kept for as
long as the file is the same by its inode, size and time. A file that was written a moment ago is
read every time: clocks of file systems are coarse, so it may change again without a trace.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

SETTLED_SECONDS = 1.0
"""How long after a change a file is not yet trusted to be the same."""

KEPT = 20_000
"""How many files are remembered at most, where nothing else is said."""

T = TypeVar("T")
Signature = tuple[int, int, int]


class FileMemo(Generic[T]):
    """What was read of files.

    Args:
        read: Reads a file; what it raises is not remembered. What it returns is shared and must
            not be changed.
        kept: How many files are remembered at most.
    """

    def __init__(self, read: Callable[[Path], T], kept: int = KEPT) -> None:
        self._read = read
        self._most = kept
        self._kept: dict[str, tuple[Signature, T]] = {}

    def read(self, path: Path) -> T:
        """Return what is in a file, from memory where the file has not changed."""
        name = os.fspath(path)
        try:
            found = os.stat(name)  # noqa: PTH116, half the time of a path's own for thousands
        except OSError:
            return self._read(path)
        signature = (found.st_ino, found.st_size, found.st_mtime_ns)
        known = self._kept.get(name)
        if known is not None and known[0] == signature:
            return known[1]
        value = self._read(path)
        if time.time() - found.st_mtime > SETTLED_SECONDS:
            if len(self._kept) >= self._most:
                self._kept.clear()
            self._kept[name] = (signature, value)
        return value
