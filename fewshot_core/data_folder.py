"""The data folder: where it is, and how files are written into it atomically."""

import hashlib
import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_data_path

from fewshot_core.documents import open_regular

ENVIRONMENT_NAME = "FEWSHOT_DATA_DIR"
DEMO_NAME = "FEWSHOT_DEMO_DIR"

_PACKAGED = Path(__file__).resolve().parent / "workbench"
"""Where an installed wheel has the app; ``pyproject.toml`` puts it there."""

_FULL_BYTES = 1_000_000
"""Less free space than this is none: a run writes some files before it begins."""

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{16}(\.old)?")
"""The names that ``_beside`` and ``atomic_folder`` give to temporary folders."""


def app_folder() -> Path:
    """Folder of ``app.py``, ``pages/``, ``.streamlit/``, ``data/demo/`` and ``docs/``."""
    return _PACKAGED if _PACKAGED.is_dir() else _PACKAGED.parents[1]


def data_dir(override: Path | str | None = None) -> Path:
    """Absolute path of the data folder.

    The first of these that is given: ``override`` (the option ``--data-dir``), the environment
    variable ``FEWSHOT_DATA_DIR``, ``data/`` of a checkout, the user's data directory.
    """
    installed = app_folder() == _PACKAGED
    default = user_data_path("fewshot-workbench", appauthor=False) if installed else "data"
    chosen = override or os.environ.get(ENVIRONMENT_NAME) or app_folder() / default
    return Path(chosen).expanduser().resolve()


def folder_problem(folder: Path) -> str | None:
    """Say what keeps a data folder from being used, and what to do; None where nothing does."""
    if not folder.is_dir():
        return f"the data folder {folder} has disappeared: bring it back, or restart the app"
    if not os.access(folder, os.W_OK):
        return (
            f"the data folder {folder} is read-only: results are shown, and nothing can be "
            "started, imported or deleted until it is writable again"
        )
    if shutil.disk_usage(folder).free < _FULL_BYTES:
        return (
            f"the disk of the data folder {folder} is full: runs fail, and nothing can be started "
            "or imported until some space is free"
        )
    return None


def demo_dir() -> Path | None:
    """Folder of the demonstration results, or None where there are none.

    The environment variable ``FEWSHOT_DEMO_DIR`` names another folder or, if empty, none.
    """
    named = os.environ.get(DEMO_NAME)
    if named == "":
        return None
    folder = Path(named).expanduser().resolve() if named else app_folder() / "data" / "demo"
    return folder if folder.is_dir() else None


def typed_path(text: Path | str) -> Path:
    """Path that a user has typed, with ``~`` expanded; never raises, wherever it leads."""
    typed = os.fspath(text).replace("\0", "?")
    return Path(os.path.expanduser(typed))  # noqa: PTH111, which raises for unknown users


def safe_name(text: str, default: str, length: int = 90) -> str:
    """Make a name of a file or folder from a text; ``default`` where nothing of it is left."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-")[:length] or default


def natural_order(name: str) -> list[tuple[int, str]]:
    """Sort key that compares numbers inside names as numbers: S2 before S10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part) if part.isdecimal() and len(part) < 100 else -1, part) for part in parts]


def canonical_json(value: Any) -> str:
    """JSON text that is the same for equal values: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def json_number(value: float | None) -> float | str | None:
    """Write "nan", "inf" and "-inf", which JSON lacks, as text, which ``float`` reads."""
    return value if value is None or math.isfinite(value) else str(value)


def text_fingerprint(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is synced and replaces ``path``.

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
    """Write an indented JSON document atomically."""
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
    """Delete a folder: hide it in one step, then remove its files."""
    hidden = _beside(path)
    path.rename(hidden)
    shutil.rmtree(hidden)


def sweep(place: Path) -> None:
    """Delete temporary folders that killed processes left in a place.

    The caller holds the lock of the place, as everybody who writes or deletes folders there, so
    that none of them is in use. A missing folder that was about to be replaced is restored.
    """
    for path in place.glob(".*"):
        match = _TEMPORARY.fullmatch(path.name)
        if match is None or path.is_symlink() or not path.is_dir():
            continue
        original = path.with_name(match[1])
        if match[2] and not original.exists():
            path.rename(original)
        else:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder against other processes and threads; made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        yield


def _beside(path: Path) -> Path:
    """Unused hidden path in the same folder."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    if os.name == "nt":  # Windows can do so only for files that are open for writing
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
