"""Importer of CSV files with one row per architecture."""

import math
import re
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core import limits
from fewshot_core.bench.table import (
    FORMS,
    PREVIEW_ROWS,
    SCALES,
    ColumnMapping,
    TableColumn,
    TableContent,
    TablePreview,
    check_complete,
    describe_form,
    describe_place,
    make_content,
    with_columns,
    without_accuracies,
)
from fewshot_core.documents import CsvText, read_csv_text, shown
from fewshot_core.errors import TableError
from fewshot_core.space import KINDS, NAS_BENCH_201, SearchSpace, get_space
from fewshot_core.space.partitions import read_architectures

_ARCHITECTURE = ("arch", "architecture", "ArchitectureString")

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

_HEADERS = {
    "nas-bench-macro": {"arch", "test_acc_0", "test_acc_1", "test_acc_2"},
    "trans-nas-bench-101-micro": {"arch", "autoencoder_val", "class_scene_val", "jigsaw_val"},
}
"""Columns that tell that a file is of another space."""

_COST_NAMES = re.compile(
    r"latency|flop|param|energy|memory|train_?time|pixel\d|raspi|eyeriss|gpu_?time", re.IGNORECASE
)
_ESTIMATE_NAMES = re.compile(
    r"shot|supernet|proxy|estimate|predict|zen|naswot|synflow|snip|grasp|grad_?norm|jacob|balanced",
    re.IGNORECASE,
)
"""Parts of the names of columns that are guessed to be costs, or estimates."""

_SUFFIXES = {"validation": "val(?:id(?:ation)?)?", "test": "test"}

_MOSTLY = 0.5
_DATASETS = {
    "cifar100": re.compile(r"cifar[-_ ]?100(?!\d)"),
    "cifar10": re.compile(r"cifar[-_ ]?10(?!\d)"),
    "ImageNet16-120": re.compile(r"imagenet"),
}
_KINDS = {"validation": re.compile(r"val"), "test": re.compile(r"test")}
_OTHER = re.compile(r"loss|time|latency|std|param|flop|train|rank")


def named_columns(header: Sequence[str], space: SearchSpace) -> ColumnMapping | None:
    """Understand the columns of a table of a space by their names; None without any scores.

    ``arch`` or ``architecture`` has the architecture in digits. ``DATASET_KIND`` are scores, like
    ``cifar10_test`` or ``jigsaw_val``, and ``DATASET_KIND_0``, ... those of several trainings; the
    data set may be left out where there is only one. Names such as ``params``, ``flops`` and
    ``latency_pixel3`` are costs. Other columns are ignored.
    """
    columns = []
    for column, task, kind in product(header, space.datasets, KINDS):
        prefix = f"(?:{re.escape(task.name.lower())}_)" + "?" * (len(space.datasets) == 1)
        pattern = rf"{prefix}{_SUFFIXES[kind]}(?:_acc(?:uracy)?)?(?:_\d+)?"
        if re.fullmatch(pattern, column.lower()):
            columns.append((column, task.name, kind))
    architecture = [name for name in header if name.lower() in ("arch", "architecture")]
    if not architecture or not columns:
        return None
    scores = {name for name, _, _ in columns}
    costs = [name for name in header if _COST_NAMES.search(name) and name not in scores]
    estimates = [
        TableColumn(name, "estimate", task.name)
        for name, task in product(header, space.datasets)
        if re.fullmatch(rf"{re.escape(task.name)}_zen", name)
    ]
    return ColumnMapping(
        architecture[0],
        tuple(columns),
        "digits",
        space=space,
        seeds=len({(dataset, kind) for _, dataset, kind in columns}) < len(columns),
        others=(*(TableColumn(name, "cost") for name in costs), *estimates),
    )


def propose_mapping(rows: pd.DataFrame) -> ColumnMapping | None:
    """Guess which columns of text cells hold the architecture and the accuracies.

    The architecture is recognised by the cells, accuracies by the column names. A guess must be
    confirmed by somebody who knows the file; None if there is none.
    """
    architecture = find_architecture(rows)
    columns = _find_accuracies(rows)
    others = _find_others(rows, [name for name, _, _ in columns])
    if architecture is None or not (columns or others):
        return None
    column, form = architecture
    numbers = rows[[name for name, _, _ in columns]].apply(pd.to_numeric, errors="coerce")
    scale = "fraction" if (numbers.max() <= 1).any() else "percent"
    return ColumnMapping(column, columns, form, scale, others=others)


def _find_others(rows: pd.DataFrame, taken: Sequence[str]) -> tuple[TableColumn, ...]:
    """The columns of numbers whose name is like that of a cost or an estimate."""
    found = []
    for column in rows.columns:
        numbers = pd.to_numeric(rows[column], errors="coerce")
        if column in taken or numbers.notna().mean() <= _MOSTLY:
            continue
        if _COST_NAMES.search(column):
            found.append(TableColumn(column, "cost"))
        elif _ESTIMATE_NAMES.search(column):
            datasets = [name for name, form in _DATASETS.items() if form.search(column.lower())]
            found.append(TableColumn(column, "estimate", datasets[0] if datasets else ""))
    return tuple(found)


def find_architecture(rows: pd.DataFrame) -> tuple[str, str] | None:
    """The first column that mostly holds distinct architectures, and their form."""
    for form in FORMS:
        for column in rows.columns:
            cells = rows[column].astype(str)
            known = cells[NAS_BENCH_201.parse_many(cells.tolist(), form) >= 0]
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


def read_csv(
    path: Path, mapping: ColumnMapping | None = None, space: SearchSpace | None = None
) -> TablePreview:
    """Read a CSV file, plain or compressed with gzip.

    Without a mapping and a known header the mapping is a proposal, and ``problem`` says how to
    confirm it. For another space than NAS-Bench-201, columns are understood by ``named_columns``.
    Raises TableError if the file is not a table at all; the message names the line.
    """
    text = read_csv_text(path, limits.TABLE_BYTES, TableError)
    found = mapping.space if mapping else space or NAS_BENCH_201
    if found == NAS_BENCH_201 and mapping is None:
        published = (name for name, names in _HEADERS.items() if names <= set(text.header))
        found = get_space(next(published, found))
    _check_header(text, found)
    rows = pd.DataFrame(text.rows, columns=text.header, dtype=object)
    if found != NAS_BENCH_201:
        return _read_named(text, rows, mapping or named_columns(text.header, found), found)
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


def _read_named(
    text: CsvText, rows: pd.DataFrame, mapping: ColumnMapping | None, space: SearchSpace
) -> TablePreview:
    """Read a table of another space than NAS-Bench-201."""
    shown = rows.head(PREVIEW_ROWS)
    if mapping is None:
        names = ", ".join(f"{task.name}_{task.kinds[0]}" for task in space.datasets)
        return TablePreview(
            None,
            shown,
            problem=f"{text.name}: expected a column arch with {describe_form('digits', space)}, "
            f"and some of the columns {names}, got {text.columns}",
        )
    try:
        return TablePreview(_read_content(text, rows, mapping, None), shown)
    except TableError as error:
        return TablePreview(None, shown, problem=str(error))


def _check_header(text: CsvText, space: SearchSpace) -> None:
    if (space.parse_many(text.header) >= 0).any() or not np.isnan(
        [_number(cell) for cell in text.header]
    ).any():
        raise TableError(
            f"{text.name}, line 1: expected a header, got the values {text.columns}; "
            "add a first line that names the columns"
        )


def _ask_to_confirm(text: CsvText, proposal: ColumnMapping | None) -> str:
    columns = text.columns
    if proposal is None:
        return (
            f"{text.name}: cannot recognise what its columns hold ({columns}). State "
            "which of them holds the architecture, and of what the others are accuracies."
        )
    return (
        f"{text.name}: its columns ({columns}) are not known, so what they hold must be "
        f"confirmed: {proposal} (the architecture is {FORMS[proposal.form]}"
        f"{f'; the accuracies are {proposal.scale}s' if proposal.columns else ''})."
    )


def _read_content(
    text: CsvText, rows: pd.DataFrame, mapping: ColumnMapping, epochs: int | None
) -> TableContent:
    missing = [column for column in mapping.names if column not in text.header]
    if missing:
        raise TableError(f"{text.name}: expected a column {missing[0]!r}, got {text.columns}")
    architectures = _read_architectures(text, rows[mapping.architecture], mapping)
    places = [text.place(row) for row in range(len(rows))]
    parts = []
    targets: list[tuple[str, str]] = []
    for column, dataset, kind in mapping.columns:
        part = pd.DataFrame({"dataset": dataset, "kind": kind, "architecture": architectures})
        part["accuracy"] = _read_accuracies(text, rows[column], mapping, dataset, architectures)
        part["place"] = places
        if mapping.seeds:
            part["seed"] = targets.count((dataset, kind))
        targets.append((dataset, kind))
        parts.append(part)
    others = _read_others(text, rows, mapping, architectures) if mapping.others else None
    if not parts and others is not None:
        return without_accuracies(text.name, others, mapping.others, mapping.space)
    accuracies = pd.concat(parts, ignore_index=True)
    content = make_content(accuracies, text.name, epochs, mapping.space)
    check_complete(accuracies, text.name, mapping.space)
    return content if others is None else with_columns(content, others, mapping.others)


def read_column(path: Path, column: str, space: SearchSpace = NAS_BENCH_201) -> pd.DataFrame:
    """Read one number for each of some architectures of a space.

    The file names architectures in a column ``arch`` (or ``architecture``), as text or as digits.

    Returns:
        Columns architecture (index) and the one that was asked for, sorted by architecture. Empty
        cells are left out.

    Raises:
        TableError: If there is no such column, an architecture is unknown or there twice, or a cell
            is not a finite number; the message names the line.
    """
    text = read_csv_text(path, limits.TABLE_BYTES, TableError)
    named = [name for name in text.header if name in _ARCHITECTURE]
    if not named or column not in text.header:
        raise TableError(
            f"{text.name}: expected a column arch and a column {column!r}, got {text.columns}"
        )
    rows = pd.DataFrame(text.rows, columns=text.header, dtype=object)
    cells = rows[named[0]].tolist()
    indices = read_architectures(cells, space)
    if (indices < 0).any():
        row = int((indices < 0).argmax())
        raise TableError(
            f"{text.place(row)}: expected an architecture of {space.label}, got "
            f"{shown(cells[row])}; correct the line"
        )
    others = (TableColumn(column, "estimate"),)
    mapping = ColumnMapping(named[0], (), space=space, others=others)
    return _read_others(text, rows, mapping, indices).dropna(ignore_index=True)


def _read_others(
    text: CsvText,
    rows: pd.DataFrame,
    mapping: ColumnMapping,
    architectures: npt.NDArray[np.int64],
) -> pd.DataFrame:
    """Costs and estimates, a column each; an empty cell is a missing number."""
    seen: dict[int, int] = {}
    for row, architecture in enumerate(architectures.tolist()):
        if architecture in seen:
            place = describe_place(text.place(row), architecture, mapping.space)
            raise TableError(
                f"{place}: expected each architecture once, but {text.place(seen[architecture])} "
                "has it too; remove one of them"
            )
        seen[architecture] = row
    frame = pd.DataFrame({"architecture": architectures})
    for other in mapping.others:
        values = np.array([_number(cell) for cell in rows[other.name]])
        least = 0.0 if other.role == "cost" else -math.inf
        filled = (rows[other.name] != "").to_numpy()
        wrong = np.flatnonzero(filled & ~(np.isfinite(values) & (values >= least)))
        if wrong.size:
            row = int(wrong[0])
            place = describe_place(text.place(row), architectures[row], mapping.space)
            expected = "a number of at least 0" if other.role == "cost" else "a finite number"
            raise TableError(
                f"{place}: expected {expected} in the column {other.name!r}, got "
                f"{shown(rows[other.name].iloc[row])}; correct the line and import again"
            )
        frame[other.name] = values
    return frame.sort_values("architecture", ignore_index=True)


def _read_architectures(
    text: CsvText, cells: "pd.Series[str]", mapping: ColumnMapping
) -> npt.NDArray[np.int64]:
    indices = mapping.space.parse_many(cells.tolist(), mapping.form)
    unknown = indices < 0
    if unknown.any():
        row = int(unknown.argmax())
        raise TableError(
            f"{text.place(row)} ({shown(cells.iloc[row])[1:-1]}): expected "
            f"{describe_form(mapping.form, mapping.space)} in the column "
            f"{mapping.architecture!r}, got {shown(cells.iloc[row])}; correct the line and "
            "import again"
        )
    return indices


def _read_accuracies(
    text: CsvText,
    cells: "pd.Series[str]",
    mapping: ColumnMapping,
    dataset: str,
    architectures: npt.NDArray[np.int64],
) -> list[float]:
    """Accuracies in percent, or scores in another unit as they are."""
    values = [_number(cell) for cell in cells]
    if not mapping.space.dataset(dataset).percent:
        return values
    scale = mapping.scale
    limit = 100 / SCALES[scale]
    for row, value in enumerate(values):
        if not 0 <= value <= limit:
            place = describe_place(text.place(row), architectures[row], mapping.space)
            raise TableError(
                f"{place}: expected an accuracy from 0 to {limit:g} in the column {cells.name!r}, "
                f"got {shown(cells.iloc[row])}; correct the line and import again"
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
