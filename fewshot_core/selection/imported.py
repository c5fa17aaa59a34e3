"""Curves from elsewhere, kept in the data folder: ``curves/<name>/``.

``curves.csv`` is the file as it was given, ``about.json`` says where it came from.
"""

import json
import re
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from fewshot_core.datafolder import (
    atomic_folder,
    file_fingerprint,
    locked,
    remove_folder,
    write_json,
)
from fewshot_core.errors import SelectionError, UnknownNameError
from fewshot_core.selection.curves import curves_by_seed
from fewshot_core.selection.reading import read_curves

_CURVES, _ABOUT = "curves.csv", "about.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SLUG_LENGTH = 90


@dataclass(frozen=True)
class ImportedCurves:
    """What is known of imported curves without reading them.

    Attributes:
        name: What they are called.
        source: The name of the file they come from.
        created: When they were imported, as text.
        fingerprint: SHA-256 of the file.
        sub_spaces: How many sub-spaces they have.
        seeds: The seeds, ascending; (0,) where the file has none.
        end: The last epoch.
        rows: How many rows there are.
    """

    name: str
    source: str
    created: str
    fingerprint: str
    sub_spaces: int
    seeds: tuple[int, ...]
    end: int
    rows: int


def store_curves(path: Path, data_dir: Path, name: str | None = None) -> ImportedCurves:
    """Check a file of curves and keep a copy of it.

    A file that is kept already under the name is left as it is; another one under a name that was
    not asked for gets a number.

    Args:
        path: A CSV file, as ``read_curves`` takes it.
        data_dir: The data folder.
        name: What to call the curves; by default after the file.

    Raises:
        SelectionError: If the file is not as expected, which is said with the line, or if other
            curves have the name.
    """
    frame = read_curves(path)
    fingerprint = file_fingerprint(path)
    with locked(_folder(data_dir)):
        chosen, there = _free_name(path, name, fingerprint, data_dir)
        if there is not None:
            return there
        tables = curves_by_seed(frame)
        about = ImportedCurves(
            name=chosen,
            source=path.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            fingerprint=fingerprint,
            sub_spaces=int(frame["sub_space"].nunique()),
            seeds=tuple(tables),
            end=max(table.end for table in tables.values()),
            rows=len(frame),
        )
        with atomic_folder(_folder(data_dir) / chosen) as folder:
            shutil.copyfile(path, folder / _CURVES)
            write_json(folder / _ABOUT, asdict(about))
    return about


def imported_curves(data_dir: Path) -> list[str]:
    """Return the names of the curves that are kept, in alphabetical order."""
    found = _folder(data_dir).glob(f"*/{_CURVES}")
    return sorted(path.parent.name for path in found if path.parent.name[0] != ".")


def describe_curves(name: str, data_dir: Path) -> ImportedCurves:
    """Return what is known of curves that are kept.

    Raises:
        UnknownNameError: If there are none of that name.
        SelectionError: If what is said of them is damaged.
    """
    path = _path(name, data_dir) / _ABOUT
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        about = ImportedCurves(**document | {"seeds": tuple(document["seeds"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SelectionError(
            f"the curves {name!r} are damaged: {path.name} cannot be read ({error!r}); remove them "
            "and import their file again"
        ) from error
    return about


def open_curves(name: str, data_dir: Path) -> pd.DataFrame:
    """Return curves that are kept, as ``read_curves`` does.

    Raises:
        UnknownNameError: If there are none of that name.
        SelectionError: If their file is damaged.
    """
    return read_curves(_path(name, data_dir) / _CURVES)


def remove_curves(name: str, data_dir: Path) -> None:
    """Delete curves that are kept; the file they were imported from stays.

    Raises:
        UnknownNameError: If there are none of that name.
    """
    with locked(_folder(data_dir)):
        remove_folder(_path(name, data_dir))


def _free_name(
    path: Path, name: str | None, fingerprint: str, data_dir: Path
) -> tuple[str, ImportedCurves | None]:
    """Return a name for curves, with what is there where it is the same file."""
    if name is not None and not _NAME.fullmatch(name):
        raise SelectionError(
            f"expected a name of letters, digits, dots, dashes and underscores, got {name!r}"
        )
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("._-")[:_SLUG_LENGTH]
    wanted = name or slug or "curves"
    number = 1
    while True:
        chosen = wanted if number == 1 else f"{wanted}-{number}"
        if not (_folder(data_dir) / chosen).exists():
            return chosen, None
        known = describe_curves(chosen, data_dir)
        if known.fingerprint == fingerprint:
            return chosen, known
        if name is not None:
            raise SelectionError(
                f"the name {name!r} is taken by other curves, from {known.source}: choose another, "
                "or remove them first"
            )
        number += 1


def _path(name: str, data_dir: Path) -> Path:
    path = _folder(data_dir) / name
    if not _NAME.fullmatch(name) or not (path / _CURVES).is_file():
        known = ", ".join(imported_curves(data_dir)) or "none"
        raise UnknownNameError(f"unknown imported curves {name!r}: expected one of {known}")
    return path


def _folder(data_dir: Path) -> Path:
    return data_dir / "curves"
