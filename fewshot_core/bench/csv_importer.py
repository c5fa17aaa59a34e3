"""Importer of CSV files with one row per architecture."""

import math
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.bench.table import (
    FORMS,
    PREVIEW_ROWS,
    SCALES,
    ColumnMapping,
    TableContent,
    TablePreview,
    architecture_codes,
    check_complete,
    describe_place,
    make_content,
)
from fewshot_core.csv_text import CsvText, read_csv_text
from fewshot_core.errors import TableError

LARGEST = 400_000_000
"""The largest CSV file, decompressed, in bytes: as much as the app accepts as an upload."""

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

_MOSTLY = 0.5
_DATASETS = {
    "cifar100": re.compile(r"cifar[-_ ]?100(?!\d)"),
    "cifar10": re.compile(r"cifar[-_ ]?10(?!\d)"),
    "ImageNet16-120": re.compile(r"imagenet"),
}
_KINDS = {"validation": re.compile(r"val"), "test": re.compile(r"test")}
_OTHER = re.compile(r"loss|time|latency|std|param|flop|train|rank")


def propose_mapping(rows: pd.DataFrame) -> ColumnMapping | None:
    """Guess which columns of text cells hold the architecture and the accuracies.

    The architecture is recognised by the cells, accuracies by the column names. A guess must be
    confirmed by somebody who knows the file; None if there is none.
    """
    architecture = find_architecture(rows)
    columns = _find_accuracies(rows)
    if architecture is None or not columns:
        return None
    column, form = architecture
    numbers = rows[[name for name, _, _ in columns]].apply(pd.to_numeric, errors="coerce")
    scale = "fraction" if (numbers.max() <= 1).any() else "percent"
    return ColumnMapping(column, columns, form, scale)


def find_architecture(rows: pd.DataFrame) -> tuple[str, str] | None:
    """The first column that mostly holds distinct architectures, and their form."""
    for form in FORMS:
        codes = architecture_codes(form)
        for column in rows.columns:
            known = rows[column][rows[column].isin(codes)]
            if known.nunique() > _MOSTLY * len(rows):
                return column, form
    return None


def _find_accuracies(rows: pd.DataFrame) -> tuple[tuple[str, str, str], ...]:
    """(column, data set, kind) of the columns whose name states one of each."""
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


def read_csv(path: Path, mapping: ColumnMapping | None = None) -> TablePreview:
    """Read a CSV file, plain or compressed with gzip.

    Without a mapping and a known header the mapping is a proposal, and ``problem`` says how to
    confirm it. Raises TableError if the file is not a table at all; the message names the line.
    """
    text = read_csv_text(path, LARGEST, TableError)
    _check_header(text)
    rows = pd.DataFrame(text.rows, columns=text.header, dtype=object)
    known, epochs = _KNOWN.get(frozenset(text.header), (None, None))
    chosen = mapping or known
    taken = chosen or propose_mapping(rows)
    problem = None if chosen else _ask_to_confirm(text, taken)
    content = None
    if taken is not None:
        try:
            content = _read_content(text, rows, taken, epochs if taken == known else None)
        except TableError as error:
            problem = f"{problem} As proposed, it is refused: {error}" if problem else str(error)
    return TablePreview(content, rows.head(PREVIEW_ROWS), tuple(text.header), taken, problem)


def _check_header(text: CsvText) -> None:
    strings = architecture_codes("string")
    if (
        any(cell in strings for cell in text.header)
        or not np.isnan([_number(cell) for cell in text.header]).any()
    ):
        raise TableError(
            f"{text.name}, line 1: expected a header, got the values {', '.join(text.header)}; "
            "add a first line that names the columns"
        )


def _ask_to_confirm(text: CsvText, proposal: ColumnMapping | None) -> str:
    columns = ", ".join(text.header)
    if proposal is None:
        return (
            f"{text.name}: cannot recognise what its columns hold ({columns}). State "
            "which of them holds the architecture, and of what the others are accuracies."
        )
    return (
        f"{text.name}: its columns ({columns}) are not known, so what they hold must be "
        f"confirmed: {proposal} (the architecture is {FORMS[proposal.form]}; the accuracies are "
        f"{proposal.scale}s)."
    )


def _read_content(
    text: CsvText, rows: pd.DataFrame, mapping: ColumnMapping, epochs: int | None
) -> TableContent:
    missing = [column for column in mapping.names if column not in text.header]
    if missing:
        raise TableError(
            f"{text.name}: expected a column {missing[0]!r}, got {', '.join(text.header)}"
        )
    architectures = _read_architectures(text, rows[mapping.architecture], mapping)
    places = [text.place(row) for row in range(len(rows))]
    parts = [
        pd.DataFrame(
            {
                "dataset": dataset,
                "kind": kind,
                "architecture": architectures,
                "accuracy": _read_accuracies(text, rows[column], mapping.scale, architectures),
                "place": places,
            }
        )
        for column, dataset, kind in mapping.columns
    ]
    accuracies = pd.concat(parts, ignore_index=True)
    content = make_content(accuracies, text.name, epochs)
    check_complete(accuracies, text.name)
    return content


def _read_architectures(
    text: CsvText, cells: "pd.Series[str]", mapping: ColumnMapping
) -> npt.NDArray[np.int64]:
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
    text: CsvText, cells: "pd.Series[str]", scale: str, architectures: npt.NDArray[np.int64]
) -> list[float]:
    """Accuracies in percent."""
    values = [_number(cell) for cell in cells]
    limit = 100 / SCALES[scale]
    for row, value in enumerate(values):
        if not 0 <= value <= limit:
            raise TableError(
                f"{describe_place(text.place(row), architectures[row])}: expected an accuracy "
                f"from 0 to {limit:g} in the column {cells.name!r}, got {cells.iloc[row]!r}; "
                "correct the line and import again"
            )
    if scale == "percent" and max(values) <= 1:
        raise TableError(
            f"{text.name}: expected percentages in the column {cells.name!r}, but none is above 1; "
            "if they are fractions, state the scale"
        )
    return [value * SCALES[scale] for value in values]


def _number(cell: str) -> float:
    """The number in a cell; NaN if it holds none."""
    try:
        return float(cell)
    except ValueError:
        return math.nan
