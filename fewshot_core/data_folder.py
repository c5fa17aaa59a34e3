"""The data folder: where it is, and how files get into it without ever being half written."""

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

PROJECT_ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT_NAME = "FEWSHOT_DATA_DIR"
DEMO_NAME = "FEWSHOT_DEMO_DIR"

_BESIDE = re.compile(r"\.(.+)\.[0-9a-f]{16}(\.old)?")
"""What ``_beside`` and ``atomic_folder`` call what is on its way in or out."""


def data_dir(override: Path | str | None = None) -> Path:
    """Return the data folder, as an absolute path.

    Args:
        override: A folder named by the caller (``--data-dir``). Without it, the environment
            variable ``FEWSHOT_DATA_DIR`` counts, and without that ``data/`` beside ``app.py``.
    """
    chosen = override or os.environ.get(ENVIRONMENT_NAME) or PROJECT_ROOT / "data"
    return Path(chosen).expanduser().resolve()


def demo_dir() -> Path | None:
    """Return the folder of the results that come with the project, or None where there are none.

    It is ``data/demo/`` beside ``app.py``, whichever data folder is used; the environment variable
    ``FEWSHOT_DEMO_DIR`` names another one or, where it is empty, none.
    """
    named = os.environ.get(DEMO_NAME)
    if named == "":
        return None
    folder = Path(named).expanduser().resolve() if named else PROJECT_ROOT / "data" / "demo"
    return folder if folder.is_dir() else None


def canonical_json(value: Any) -> str:
    """Return JSON that is the same text for equal values: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def text_fingerprint(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_limited(
    path: Path, limit: int, opener: Callable[[Path], IO[bytes]] | None = None
) -> bytes:
    """Return the content of a file.

    Args:
        path: The file.
        limit: How many bytes it may hold, after unpacking.
        opener: ``gzip.open`` or ``bz2.open`` for a compressed file.

    Raises:
        OSError: If the system refuses.
        ValueError: If it holds more than so many bytes.
    """
    with opener(path) if opener is not None else path.open("rb") as file:
        content = file.read(limit + 1)
    _check(len(content), path, limit)
    return content


def check_size(path: Path, limit: int) -> None:
    """Check the size of a file that is for a reader of its own.

    Raises:
        OSError, ValueError: As ``read_limited``.
    """
    _check(path.stat().st_size, path, limit)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is synced and takes its place.

    A reader sees the old file or the new one, never a part; on an error the old one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document atomically, indented for people."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; on success it replaces ``path`` as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    temporary.mkdir()
    replaced = temporary.with_name(temporary.name + ".old")
    try:
        yield temporary
        for file in temporary.iterdir():
            _sync(file)
        if path.exists():
            path.rename(replaced)
        temporary.rename(path)
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if replaced.exists() and not path.exists():
            replaced.rename(path)
        shutil.rmtree(replaced, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Delete a folder: out of sight in one step, then from the disk."""
    hidden = _beside(path)
    path.rename(hidden)
    shutil.rmtree(hidden)


def sweep(place: Path) -> None:
    """Delete the folders in a place that processes were making or deleting when they were killed.

    The caller holds the lock of the place, as whoever makes or deletes a folder there does, so that
    nobody is working on them. A folder that was to be replaced and is missing gets its name back.
    """
    for path in place.glob(".*"):
        match = _BESIDE.fullmatch(path.name)
        if match is None or path.is_symlink() or not path.is_dir():
            continue
        meant = path.with_name(match[1])
        if match[2] and not meant.exists():
            path.rename(meant)
        else:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes and threads that ask for the same from changing a folder meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed, or the process ends
        yield


def _check(size: int, path: Path, limit: int) -> None:
    if size > limit:
        raise ValueError(
            f"{path.name} holds more than {limit / 1e6:,.0f} MB, which is the most that is read"
        )


def _beside(path: Path) -> Path:
    """Return a hidden path in the same folder that nothing has yet."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _sync(path: Path) -> None:
    """Ask the operating system to put a file's or a folder's content on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
