"""Importer of CSV files with one row per architecture."""

import csv
import gzip
import io
import math
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.bench.table import (
    FORMS,
    SCALES,
    ColumnMapping,
    Reading,
    TableContent,
    architecture_codes,
    check_complete,
    content_from_means,
    describe_place,
)
from fewshot_core.data_folder import read_limited
from fewshot_core.errors import TableError

LARGEST = 400_000_000
"""The most bytes of a CSV file, unpacked: what the app takes as an upload."""


@dataclass(frozen=True)
class CsvText:
    """The cells of a CSV file.

    Attributes:
        name: Name of the file.
        rows: Its cells, as text without surrounding blanks.
        lines: The line of the file each row ends on; the header is line 1.
    """

    name: str
    rows: pd.DataFrame
    lines: list[int]

    def place(self, row: int) -> str:
        """Return how messages name a row."""
        return f"{self.name}, line {self.lines[row]}"


def read_csv_text(path: Path) -> CsvText:
    """Read a CSV file, plain or compressed with gzip, in UTF-8.

    Raises:
        TableError: If it is empty, not UTF-8, has no header, repeats a column, or has a row that
            is shorter or longer than the header; the message names the line.
    """
    records = _parse(path.name, _decode(path))
    if not records:
        raise TableError(f"{path.name} is empty; expected a header and one row per architecture")
    (_, header), *body = records
    _check_header(path.name, header)
    if not body:
        raise TableError(f"{path.name} has a header and no rows; expected one per architecture")
    for line, cells in body:
        if len(cells) != len(header):
            raise TableError(
                f"{path.name}, line {line}: expected {len(header)} cells, as in the header, got "
                f"{len(cells)}; correct the line and import again"
            )
    rows = pd.DataFrame([cells for _, cells in body], columns=header, dtype=object)
    return CsvText(path.name, rows, [line for line, _ in body])


def _decode(path: Path) -> str:
    try:
        content = read_limited(path, LARGEST, _unpacked if path.suffix == ".gz" else None)
    except (OSError, EOFError, zlib.error) as error:
        if path.suffix != ".gz":
            raise
        raise TableError(f"{path.name} is not a whole gzip file ({error})") from error
    except ValueError as error:
        raise TableError(f"{error}; a table of all architectures is far smaller") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TableError(
            f"{path.name}, line {line}: expected text in UTF-8, got the byte "
            f"0x{content[error.start]:02x}; save the file as UTF-8 and import again"
        ) from error


def _unpacked(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path))


def _parse(name: str, text: str) -> list[tuple[int, list[str]]]:
    """Return the line and the cells of every line that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    except csv.Error as error:
        raise TableError(
            f"{name}, line {reader.line_num}: expected cells separated by commas ({error}); "
            "correct the line and import again"
        ) from error


def _check_header(name: str, header: list[str]) -> None:
    strings = architecture_codes("string")
    if any(cell in strings for cell in header) or all(_is_number(cell) for cell in header):
        raise TableError(
            f"{name}, line 1: expected a header, got the values {', '.join(header)}; add a first "
            "line that names the columns"
        )
    repeated = [column for column, count in Counter(header).items() if count > 1]
    if repeated:
        raise TableError(
            f"{name}, line 1: expected every column once, but {repeated[0]!r} is there "
            f"{header.count(repeated[0])} times; rename one of them"
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


_MOSTLY = 0.5
_DATASETS = {
    "cifar100": re.compile(r"cifar[-_ ]?100(?!\d)"),
    "cifar10": re.compile(r"cifar[-_ ]?10(?!\d)"),
    "ImageNet16-120": re.compile(r"imagenet"),
}
_KINDS = {"validation": re.compile(r"val"), "test": re.compile(r"test")}
_OTHER = re.compile(r"loss|time|latency|std|param|flop|train|rank")


def propose_mapping(rows: pd.DataFrame) -> ColumnMapping | None:
    """Guess which columns hold the architecture and the accuracies.

    The architecture is found by what its column holds, the accuracies by what theirs are called.

    Args:
        rows: All cells of the file, as text.

    Returns:
        A guess that somebody who knows the file must confirm, or None where there is none.
    """
    architecture = _find_architecture(rows)
    columns = _find_accuracies(rows)
    if architecture is None or not columns:
        return None
    column, form = architecture
    numbers = rows[[name for name, _, _ in columns]].apply(pd.to_numeric, errors="coerce")
    scale = "fraction" if (numbers.max() <= 1).any() else "percent"
    return ColumnMapping(column, columns, form, scale)


def _find_architecture(rows: pd.DataFrame) -> tuple[str, str] | None:
    """Return the first column that mostly holds distinct architectures, and their form."""
    for form in FORMS:
        codes = architecture_codes(form)
        for column in rows.columns:
            known = rows[column][rows[column].isin(codes)]
            if known.nunique() > _MOSTLY * len(rows):
                return column, form
    return None


def _find_accuracies(rows: pd.DataFrame) -> tuple[tuple[str, str, str], ...]:
    """Return (column, data set, kind) of the columns whose name says one of each."""
    found: dict[tuple[str, str], str] = {}
    for column in rows.columns:
        target = _read_name(column.lower())
        numbers = pd.to_numeric(rows[column], errors="coerce")
        if target is not None and numbers.notna().mean() > _MOSTLY:
            found.setdefault(target, column)
    return tuple((column, dataset, kind) for (dataset, kind), column in found.items())


def _read_name(name: str) -> tuple[str, str] | None:
    datasets = [dataset for dataset, pattern in _DATASETS.items() if pattern.search(name)]
    kinds = [kind for kind, pattern in _KINDS.items() if pattern.search(name)]
    if len(datasets) != 1 or len(kinds) != 1 or _OTHER.search(name):
        return None
    return datasets[0], kinds[0]


PREVIEW_ROWS = 5

_EXPORT = ColumnMapping(
    architecture="ArchitectureString",
    columns=(
        ("CIFAR10TestAccuracy200Epochs", "cifar10", "test"),
        ("CIFAR100TestAccuracy200Epochs", "cifar100", "test"),
        ("ImageNetTestAccuracy200Epochs", "ImageNet16-120", "test"),
    ),
)
_KNOWN = {frozenset((*_EXPORT.names, "UniqueString")): (_EXPORT, 200)}
"""Headers whose meaning is known, with the number of epochs they state."""


def read_csv(path: Path, mapping: ColumnMapping | None = None) -> Reading:
    """Read a CSV file.

    Args:
        path: The file, plain or compressed with gzip.
        mapping: What its columns are; needed unless its header is a known one.

    Returns:
        What was understood. Without a mapping and a known header it is a proposal, and the
        ``problem`` says how to confirm it.

    Raises:
        TableError: If the file is not a table at all; the message names the line.
    """
    text = read_csv_text(path)
    known, epochs = _KNOWN.get(frozenset(text.rows.columns), (None, None))
    chosen = mapping or known
    taken = chosen or propose_mapping(text.rows)
    problem = None if chosen else _ask_to_confirm(text, taken)
    content = None
    if taken is not None:
        try:
            content = _read_content(text, taken, epochs if taken == known else None)
        except TableError as error:
            problem = f"{problem} As proposed, it is refused: {error}" if problem else str(error)
    return Reading(content, text.rows.head(PREVIEW_ROWS), tuple(text.rows.columns), taken, problem)


def _ask_to_confirm(text: CsvText, proposal: ColumnMapping | None) -> str:
    columns = ", ".join(text.rows.columns)
    if proposal is None:
        return (
            f"{text.name}: could not tell what its columns hold ({columns}). Say so with "
            "--architecture COLUMN --map COLUMN=DATASET:KIND, a --map for each accuracy."
        )
    return (
        f"{text.name}: its columns ({columns}) are not known, so what they hold must be "
        f"confirmed. If this is right, import with {proposal.to_options()}"
        f" (the architecture is {FORMS[proposal.form]}; the accuracies are {proposal.scale}s)."
    )


def _read_content(text: CsvText, mapping: ColumnMapping, epochs: int | None) -> TableContent:
    missing = [column for column in mapping.names if column not in text.rows]
    if missing:
        raise TableError(
            f"{text.name}: expected a column {missing[0]!r}, got {', '.join(text.rows.columns)}"
        )
    architectures = _read_architectures(text, mapping)
    places = [text.place(row) for row in range(len(text.rows))]
    parts = [
        pd.DataFrame(
            {
                "dataset": dataset,
                "kind": kind,
                "architecture": architectures,
                "accuracy": _read_accuracies(text, column, mapping.scale, architectures),
                "place": places,
            }
        )
        for column, dataset, kind in mapping.columns
    ]
    rows = pd.concat(parts, ignore_index=True)
    content = content_from_means(rows, text.name, epochs)
    check_complete(rows, text.name)
    return content


def _read_architectures(text: CsvText, mapping: ColumnMapping) -> npt.NDArray[np.int64]:
    cells = text.rows[mapping.architecture]
    indices = cells.map(architecture_codes(mapping.form))
    unknown = indices.isna().to_numpy()
    if unknown.any():
        row = int(unknown.argmax())
        raise TableError(
            f"{text.place(row)} ({cells.iloc[row]}): expected {FORMS[mapping.form]} in the column "
            f"{mapping.architecture!r}, got {cells.iloc[row]!r}; correct the line and import again"
        )
    return np.asarray(indices, dtype=np.int64)


def _read_accuracies(
    text: CsvText, column: str, scale: str, architectures: npt.NDArray[np.int64]
) -> list[float]:
    """Return a column of accuracies in percent."""
    cells = text.rows[column]
    values = [_number(cell) for cell in cells]
    limit = 100 / SCALES[scale]
    for row, value in enumerate(values):
        if not 0 <= value <= limit:
            raise TableError(
                f"{describe_place(text.place(row), architectures[row])}: expected an accuracy "
                f"from 0 to {limit:g} in the column {column!r}, got {cells.iloc[row]!r}; correct "
                "the line and import again"
            )
    if scale == "percent" and max(values) <= 1:
        raise TableError(
            f"{text.name}: expected percentages in the column {column!r}, but none is above 1; if "
            "they are fractions, say so with --scale fraction"
        )
    return [value * SCALES[scale] for value in values]


def _number(cell: str) -> float:
    """Return the number in a cell, or NaN where there is none."""
    try:
        return float(cell)
    except ValueError:
        return math.nan
