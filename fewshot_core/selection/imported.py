"""Imported curves: CSV files, copied into the data folder.

``curves.csv`` is the file as it was given, ``about.json`` its name, source and contents, and the
search space and data set that it is of.
"""

import math
import re
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from fewshot_core import limits
from fewshot_core.data_folder import (
    atomic_folder,
    file_fingerprint,
    locked,
    remove_folder,
    safe_name,
    write_json,
)
from fewshot_core.documents import read_csv_text, read_dataclass, read_document, refusing, shown
from fewshot_core.errors import SelectionError, UnknownNameError
from fewshot_core.selection.curves import (
    ACCURACIES,
    COLUMNS,
    Curves,
    check_frame,
    curves_by_seed,
    limits_text,
    score_limits,
)
from fewshot_core.space import NAS_BENCH_201, SearchSpace, Task, get_space

OPTIONAL_COLUMNS = ("valid_loss", "parameters", "seed", "architecture")
"""Further columns that a file may have; others are refused."""

_CURVES, _ABOUT = "curves.csv", "about.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ANY = Task("any")


def read_curves(path: Path, task: Task = _ANY) -> pd.DataFrame:
    """Read curves from a CSV file in UTF-8 with a header.

    It has the columns sub_space, epoch, valid_accuracy and test_accuracy (in the unit of the data
    set ``task``, percent by default), and optionally those of ``OPTIONAL_COLUMNS``. An empty cell
    is an unknown value, which only accuracies, losses, parameters and architectures may be. Where
    smaller is better, both accuracies change their sign, as those of a table do.

    Raises SelectionError if the file cannot be read or is too large, a column is missing or
    unknown, a cell is no number or out of range, or a row is there twice; the message names the
    line.
    """
    text = read_csv_text(path, limits.CURVES_BYTES, SelectionError)
    missing = [column for column in COLUMNS if column not in text.header]
    if missing:
        raise SelectionError(
            f"{path.name}, line 1: expected a column {missing[0]!r}, got {text.columns}"
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
            column: _read_cell(text.place(number), column, cell, task.unit)
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
    scores = frame[list(ACCURACIES)].astype(np.float64)
    if task.percent and np.nanmax(scores, initial=0.0) <= 1:
        raise SelectionError(
            f"{path.name}: expected percentages in the columns {' and '.join(ACCURACIES)}, but "
            "none is above 1; multiply fractions by 100"
        )
    frame[list(ACCURACIES)] = task.sign * scores
    return check_frame(frame, task.stored_unit, task.stored_unit)


def _read_cell(place: str, column: str, cell: str, unit: str) -> object:
    if column == "sub_space":
        if not cell:
            raise SelectionError(f"{place}: expected the name of a sub-space, got nothing")
        return cell
    if column == "architecture":
        return cell or None
    if column in ("epoch", "seed"):
        if not re.fullmatch("[0-9]{1,15}", cell):
            raise SelectionError(
                f"{place}: expected a whole number from 0 in the column {column!r}, got "
                f"{shown(cell)}"
            )
        return int(cell)
    if not cell:
        return math.nan
    low, high = score_limits(unit) if column in ACCURACIES else (0.0, math.inf)
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and low <= value <= high):
        raise SelectionError(
            f"{place}: expected {limits_text(low, high)} in the column {column!r}, got "
            f"{shown(cell)}; leave the cell empty if it is unknown"
        )
    return value


@dataclass(frozen=True)
class ImportedCurves:
    """Description of imported curves, from a file of some name and SHA-256.

    The seeds are ascending, (0,) where the file has none; ``end`` is the last epoch. They are of a
    search space and one of its data sets; without one, of any whose scores are in percent.
    """

    name: str
    source: str
    created: str
    fingerprint: str
    sub_spaces: int
    seeds: tuple[int, ...]
    end: int
    rows: int
    space: str = NAS_BENCH_201.name
    dataset: str = ""

    def is_of(self, space: SearchSpace, dataset: str) -> bool:
        """Whether they are of a data set of a search space."""
        return self.space == space.name and self.dataset in ("", dataset)


def store_curves(
    path: Path,
    data_dir: Path,
    name: str | None = None,
    space: SearchSpace = NAS_BENCH_201,
    dataset: str = "",
) -> ImportedCurves:
    """Check a file of curves of a data set of a search space, and store a copy of it.

    The same file under the same name is stored once; another file without a given name is named
    after the file, with a number where that is taken. Raises SelectionError if the file is invalid,
    naming the line, does not fit the space, or other curves have the name.
    """
    task = _task(space, dataset)
    frame = read_curves(path, task)
    _check_architectures(path.name, frame, space)
    fingerprint = file_fingerprint(path)
    with locked(_folder(data_dir)):
        chosen, stored = _free_name(path, name, (fingerprint, space.name, dataset), data_dir)
        if stored is not None:
            return stored
        tables = curves_by_seed(frame, task.stored_unit, task.stored_unit)
        about = ImportedCurves(
            name=chosen,
            source=path.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            fingerprint=fingerprint,
            sub_spaces=int(frame["sub_space"].nunique()),
            seeds=tuple(tables),
            end=max(table.end for table in tables.values()),
            rows=len(frame),
            space=space.name,
            dataset=dataset,
        )
        with atomic_folder(_folder(data_dir) / chosen) as folder:
            shutil.copyfile(path, folder / _CURVES)
            write_json(folder / _ABOUT, asdict(about))
    return about


def _task(space: SearchSpace, dataset: str) -> Task:
    """Return the data set of curves; without a name, all of the space's must be in percent."""
    if dataset:
        return space.dataset(dataset)
    if any(task.stored_unit != _ANY.unit for task in space.datasets):
        names = ", ".join(task.name for task in space.datasets)
        raise SelectionError(
            f"the scores of {space.label} are not all in percent: name the data set of the curves, "
            f"one of {names}"
        )
    return _ANY


def _check_architectures(name: str, frame: pd.DataFrame, space: SearchSpace) -> None:
    """Raise SelectionError unless the architectures of curves, if any, are of the space."""
    if "architecture" not in frame:
        return
    texts = [str(text) for text in frame["architecture"].dropna().unique()]
    forms = [space.parse_many(texts, form) for form in ("string", "digits", "index")]
    for text, indices in zip(texts, np.transpose(forms), strict=True):
        if (indices < 0).all():
            raise SelectionError(
                f"{name}: expected architectures of {space.label} in the column 'architecture', "
                f"got {text!r}; are the curves of another search space?"
            )


def imported_curves(data_dir: Path) -> list[str]:
    """List the names of the imported curves in alphabetical order."""
    found = _folder(data_dir).glob(f"*/{_CURVES}")
    return sorted(path.parent.name for path in found if path.parent.name[0] != ".")


def describe_curves(name: str, data_dir: Path) -> ImportedCurves:
    """Read the description of imported curves."""
    path = _path(name, data_dir) / _ABOUT
    advice = "remove them and import their file again"
    what = f"the curves {name!r} are damaged ({advice}): {path.name}"
    with refusing(SelectionError, what):
        return read_dataclass(ImportedCurves, read_document(path), what, SelectionError)


def open_curves(name: str, data_dir: Path) -> dict[int, Curves]:
    """Read imported curves by seed, in the unit of their data set; see ``read_curves``."""
    about = describe_curves(name, data_dir)
    space = get_space(about.space, data_dir)
    task = _task(space, about.dataset)
    frame = read_curves(_path(name, data_dir) / _CURVES, task)
    return curves_by_seed(frame, task.stored_unit, task.stored_unit)


def remove_curves(name: str, data_dir: Path) -> None:
    """Delete imported curves; the file they were imported from stays."""
    with locked(_folder(data_dir)):
        remove_folder(_path(name, data_dir))


def _free_name(
    path: Path, name: str | None, contents: tuple[str, str, str], data_dir: Path
) -> tuple[str, ImportedCurves | None]:
    """Choose a name, with the description of the curves of that name if they are the same.

    ``contents`` are the fingerprint of the file, the search space and the data set.
    """
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
        if (known.fingerprint, known.space, known.dataset) == contents:
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
