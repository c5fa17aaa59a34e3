"""Imported curves: CSV files, copied into the data folder.

``curves.csv`` is the file as it was given, ``about.json`` its name, source and contents.
"""

import json
import math
import re
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from fewshot_core.csv_text import read_csv_text
from fewshot_core.data_folder import (
    atomic_folder,
    file_fingerprint,
    locked,
    remove_folder,
    safe_name,
    write_json,
)
from fewshot_core.errors import SelectionError, UnknownNameError
from fewshot_core.selection.curves import ACCURACIES, COLUMNS, check_frame, curves_by_seed

OPTIONAL_COLUMNS = ("valid_loss", "seed", "architecture")
"""Further columns that a file may have; others are refused."""

LARGEST = 50_000_000
"""Largest size of a file in bytes; 600 epochs of 1,000 searches are about half of it."""

_CURVES, _ABOUT = "curves.csv", "about.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def read_curves(path: Path) -> pd.DataFrame:
    """Read curves from a CSV file in UTF-8 with a header.

    It has the columns sub_space, epoch, valid_accuracy and test_accuracy (percent), and optionally
    those of ``OPTIONAL_COLUMNS``. An empty cell is an unknown value, which only accuracies, losses
    and architectures may be. Raises SelectionError if the file cannot be read or is too large, a
    column is missing or unknown, a cell is no number or out of range, or a row is there twice; the
    message names the line.
    """
    text = read_csv_text(path, LARGEST, SelectionError)
    missing = [column for column in COLUMNS if column not in text.header]
    if missing:
        raise SelectionError(
            f"{path.name}, line 1: expected a column {missing[0]!r}, got {', '.join(text.header)}"
        )
    for column in text.header:
        if column not in (*COLUMNS, *OPTIONAL_COLUMNS):
            raise SelectionError(
                f"{path.name}, line 1: the column {column!r} is not known; expected "
                f"{', '.join(COLUMNS)} and optionally {', '.join(OPTIONAL_COLUMNS)}"
            )
    rows: list[dict[str, object]] = []
    first_lines: dict[tuple[object, ...], int] = {}
    for number, cells in enumerate(text.rows):
        row = {
            column: _read_cell(text.place(number), column, cell)
            for column, cell in zip(text.header, cells, strict=True)
        }
        line = first_lines.setdefault(
            (row["sub_space"], row["epoch"], row.get("seed")), text.lines[number]
        )
        if line != text.lines[number]:
            raise SelectionError(
                f"{text.place(number)}: expected one row for every sub-space and epoch, but "
                f"{row['sub_space']} at epoch {row['epoch']} is on line {line} already; remove "
                "one of them"
            )
        rows.append(row)
    frame = pd.DataFrame(rows, columns=text.header)
    if frame[list(ACCURACIES)].to_numpy(dtype=np.float64, na_value=0).max() <= 1:
        raise SelectionError(
            f"{path.name}: expected percentages in the columns {' and '.join(ACCURACIES)}, but "
            "none is above 1; multiply fractions by 100"
        )
    return check_frame(frame)


def _read_cell(place: str, column: str, cell: str) -> object:
    if column == "sub_space":
        if not cell:
            raise SelectionError(f"{place}: expected the name of a sub-space, got nothing")
        return cell
    if column == "architecture":
        return cell or None
    if column in ("epoch", "seed"):
        if not cell.isascii() or not cell.isdecimal():
            raise SelectionError(
                f"{place}: expected a whole number from 0 in the column {column!r}, got {cell!r}"
            )
        return int(cell)
    if not cell:
        return math.nan
    percent = column in ACCURACIES
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 <= value <= (100.0 if percent else math.inf) or value == math.inf:
        raise SelectionError(
            f"{place}: expected {'a percentage from 0 to 100' if percent else 'a number from 0'} "
            f"in the column {column!r}, got {cell!r}; leave the cell empty if it is unknown"
        )
    return value


@dataclass(frozen=True)
class ImportedCurves:
    """Description of imported curves, from a file of some name and SHA-256.

    The seeds are ascending, (0,) where the file has none; ``end`` is the last epoch.
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
    """Check a file of curves and store a copy of it.

    The same file under the same name is stored once; another file without a given name is named
    after the file, with a number where that is taken. Raises SelectionError if the file is invalid,
    naming the line, or other curves have the name.
    """
    frame = read_curves(path)
    fingerprint = file_fingerprint(path)
    with locked(_folder(data_dir)):
        chosen, stored = _free_name(path, name, fingerprint, data_dir)
        if stored is not None:
            return stored
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
    """List the names of the imported curves in alphabetical order."""
    found = _folder(data_dir).glob(f"*/{_CURVES}")
    return sorted(path.parent.name for path in found if path.parent.name[0] != ".")


def describe_curves(name: str, data_dir: Path) -> ImportedCurves:
    """Read the description of imported curves."""
    path = _path(name, data_dir) / _ABOUT
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return ImportedCurves(**document | {"seeds": tuple(document["seeds"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SelectionError(
            f"the curves {name!r} are damaged: {path.name} cannot be read ({error!r}); remove them "
            "and import their file again"
        ) from error


def open_curves(name: str, data_dir: Path) -> pd.DataFrame:
    """Read imported curves; see ``read_curves``."""
    return read_curves(_path(name, data_dir) / _CURVES)


def remove_curves(name: str, data_dir: Path) -> None:
    """Delete imported curves; the file they were imported from stays."""
    with locked(_folder(data_dir)):
        remove_folder(_path(name, data_dir))


def _free_name(
    path: Path, name: str | None, fingerprint: str, data_dir: Path
) -> tuple[str, ImportedCurves | None]:
    """Choose a name, with the description of the curves of that name if they are the same file."""
    if name is not None and not _NAME.fullmatch(name):
        raise SelectionError(
            f"expected a name of letters, digits, dots, dashes and underscores, got {name!r}"
        )
    wanted = name or safe_name(path.stem, "curves")
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
