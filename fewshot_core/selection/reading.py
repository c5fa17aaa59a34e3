"""Curves made elsewhere: a CSV file with one row for each sub-space and epoch."""

import csv
import io
import math
from pathlib import Path

import numpy as np
import pandas as pd

from fewshot_core.datafolder import read_limited
from fewshot_core.errors import SelectionError
from fewshot_core.selection.checking import ACCURACIES, COLUMNS, check_frame

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
