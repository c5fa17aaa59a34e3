"""Curves from elsewhere: reading a CSV file, and storing it in the data folder.

``curves.csv`` is the file as it was given, ``about.json`` says where it came from.
"""

import csv
import io
import json
import math
import re
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from fewshot_core.data_folder import (
    atomic_folder,
    file_fingerprint,
    locked,
    read_limited,
    remove_folder,
    write_json,
)
from fewshot_core.errors import SelectionError, UnknownNameError
from fewshot_core.selection.curves import ACCURACIES, COLUMNS, check_frame, curves_by_seed

OPTIONAL_COLUMNS = ("valid_loss", "seed", "architecture")
"""What a file may say besides; other columns are refused."""

LARGEST = 50_000_000
"""The most bytes of a file of curves; 600 epochs of 1,000 searches are about half of it."""

_WHOLE = ("epoch", "seed")


def read_curves(path: Path) -> pd.DataFrame:
    """Read curves from a CSV file in UTF-8 with a header.

    Args:
        path: A file with the columns sub_space, epoch, valid_accuracy and test_accuracy (percent),
            and those of ``OPTIONAL_COLUMNS`` if it likes. An empty cell is a value that is not
            known, which only accuracies and losses may be.

    Returns:
        Its rows, as every function of this package takes them.

    Raises:
        SelectionError: If the file cannot be read or is too large, a column is missing or unknown,
            a cell is no number or out of range, or a row is there twice; the message names the
            line.
    """
    records = _records(path)
    lines, cells = [line for line, _ in records[1:]], [row for _, row in records[1:]]
    header = records[0][1]
    _check_header(path.name, header)
    seen: dict[tuple[str, ...], int] = {}
    keys = [header.index(name) for name in ("sub_space", "epoch", "seed") if name in header]
    rows = []
    for line, row in zip(lines, cells, strict=True):
        rows.append(_read_row(f"{path.name}, line {line}", header, row))
        key = tuple(str(rows[-1][header[at]]) for at in keys)
        if key in seen:
            raise SelectionError(
                f"{path.name}, line {line}: expected one row for every sub-space and epoch, but "
                f"{row[keys[0]]} at epoch {row[keys[1]]} is on line {seen[key]} already; remove "
                "one of them"
            )
        seen[key] = line
    frame = pd.DataFrame(rows, columns=header)
    _check_percent(path.name, frame)
    return check_frame(frame)


def _records(path: Path) -> list[tuple[int, list[str]]]:
    """Return line and cells of every line that is not blank, the header first."""
    try:
        text = read_limited(path, LARGEST).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        records = [
            (reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)
        ]
    except (OSError, ValueError, csv.Error) as error:
        raise SelectionError(
            f"{path.name} cannot be read ({error}); expected a CSV file in UTF-8 with the columns "
            f"{', '.join(COLUMNS)}"
        ) from error
    if len(records) < 2:
        raise SelectionError(
            f"{path.name} has no rows; expected a header with {', '.join(COLUMNS)} and a row for "
            "every sub-space and epoch"
        )
    return records


def _check_header(name: str, header: list[str]) -> None:
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise SelectionError(
            f"{name}, line 1: expected a column {missing[0]!r}, got {', '.join(header)}"
        )
    for column in header:
        if column not in (*COLUMNS, *OPTIONAL_COLUMNS):
            raise SelectionError(
                f"{name}, line 1: the column {column!r} is not known; expected "
                f"{', '.join(COLUMNS)} and, if wanted, {', '.join(OPTIONAL_COLUMNS)}"
            )
        if header.count(column) > 1:
            raise SelectionError(f"{name}, line 1: expected the column {column!r} once")


def _read_row(place: str, header: list[str], cells: list[str]) -> dict[str, object]:
    if len(cells) != len(header):
        raise SelectionError(
            f"{place}: expected {len(header)} cells, as in the header, got {len(cells)}"
        )
    return {
        column: _read_cell(place, column, cell) for column, cell in zip(header, cells, strict=True)
    }


def _read_cell(place: str, column: str, cell: str) -> object:
    if column == "sub_space":
        if not cell:
            raise SelectionError(f"{place}: expected the name of a sub-space, got nothing")
        return cell
    if column == "architecture":
        return cell or None
    if column in _WHOLE:
        if not cell.isascii() or not cell.isdecimal():
            raise SelectionError(
                f"{place}: expected a whole number from 0 in the column {column!r}, got {cell!r}"
            )
        return int(cell)
    limit = 100.0 if column in ACCURACIES else math.inf
    value = _number(cell)
    if not 0 <= value <= limit or value == math.inf:
        what = "a percentage from 0 to 100" if column in ACCURACIES else "a number from 0"
        if cell:
            raise SelectionError(
                f"{place}: expected {what} in the column {column!r}, got {cell!r}; leave the cell "
                "empty if it is not known"
            )
    return value


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _check_percent(name: str, frame: pd.DataFrame) -> None:
    if frame[list(ACCURACIES)].to_numpy(dtype=np.float64, na_value=0).max() <= 1:
        raise SelectionError(
            f"{name}: expected percentages in the columns {' and '.join(ACCURACIES)}, but none is "
            "above 1; multiply fractions by 100"
        )


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
