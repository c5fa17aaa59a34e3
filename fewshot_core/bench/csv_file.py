"""The importer of CSV files with one row per architecture."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.bench.codes import FORMS, architecture_codes
from fewshot_core.bench.content import Reading, TableContent, content_from_means
from fewshot_core.bench.csv_text import CsvText, read_csv_text
from fewshot_core.bench.mapping import SCALES, ColumnMapping
from fewshot_core.bench.proposal import propose_mapping
from fewshot_core.bench.validation import check_complete, describe_place
from fewshot_core.errors import TableError

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
