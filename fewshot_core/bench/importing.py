"""Importing a table: first a look at what was understood, then storing it."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fewshot_core.bench.content import TableContent
from fewshot_core.bench.fingerprint import fingerprint_input
from fewshot_core.bench.importers import read_input
from fewshot_core.bench.mapping import ColumnMapping
from fewshot_core.bench.records import PACKAGED_TABLE, TableInfo, TableSet
from fewshot_core.bench.storage import is_table_name, tables_folder, write_table
from fewshot_core.datafolder import locked
from fewshot_core.errors import TableError
from fewshot_core.space import Architecture

_ENDINGS = re.compile(r"(\.csv|\.csv\.gz|\.pth)$", re.IGNORECASE)


@dataclass(frozen=True)
class TablePreview:
    """What was understood of an input that is not stored yet.

    Attributes:
        name: The name it would be stored under.
        importer: Name of the importer that read it.
        sets: What it holds; empty where that could not be told.
        rows: Its first rows.
        best: The best architecture of each set: columns dataset, kind, architecture (index),
            string and accuracy_mean (percent).
        columns: Names of all its columns; empty for inputs without.
        mapping: What the columns were taken for; None for inputs without, or if nothing fits.
        problem: Why it may not be imported as it stands and what to do, or None if it may.
    """

    name: str
    importer: str
    sets: tuple[TableSet, ...]
    rows: pd.DataFrame
    best: pd.DataFrame
    columns: tuple[str, ...]
    mapping: ColumnMapping | None
    problem: str | None


def preview_table(
    path: Path | str, mapping: ColumnMapping | None = None, importer: str | None = None
) -> TablePreview:
    """Read an input and say what was understood, without storing anything.

    Args:
        path: The file or folder.
        mapping: What the columns of a CSV file hold. Without it a known header speaks for itself,
            and for another a mapping is proposed.
        importer: Name of the importer, if it is not to be chosen by the path.

    Raises:
        UnknownNameError: If there is no such importer.
        TableError: If the input is damaged or not a table at all.
    """
    path = Path(path).expanduser()
    chosen, reading = read_input(path, mapping, importer)
    content = reading.content
    return TablePreview(
        name=_suggest_name(path),
        importer=chosen.name,
        sets=content.sets if content else (),
        rows=reading.rows,
        best=_best(content),
        columns=reading.columns,
        mapping=reading.mapping,
        problem=reading.problem,
    )


def import_table(
    path: Path | str,
    name: str | None = None,
    label: str | None = None,
    mapping: ColumnMapping | None = None,
    importer: str | None = None,
    replace: bool = False,
    data_dir: Path | str | None = None,
) -> TableInfo:
    """Read an input and store it as a table. If it is refused, nothing stored changes.

    Args:
        path: The file or folder.
        name: The name to load it by, else one made from the file's.
        label: Its name in the app, else its name.
        mapping: What the columns of a CSV file hold; needed unless its header is a known one.
        importer: Name of the importer, if it is not to be chosen by the path.
        replace: Whether it may take the place of a table of that name.
        data_dir: The data folder, if not the usual one.

    Raises:
        UnknownNameError: If there is no such importer.
        TableError: If the input is refused, or the name is taken or not a possible one. The
            message names the row, and what to do.
    """
    path = Path(path).expanduser()
    root = tables_folder(data_dir)
    chosen = _suggest_name(path) if name is None else name
    _check_name(root, chosen, replace)
    _, reading = read_input(path, mapping, importer)
    content = reading.accepted()
    fingerprint = fingerprint_input(path)
    with locked(root):
        _check_name(root, chosen, replace)  # it may have been taken meanwhile
        return write_table(root, chosen, label or chosen, content, fingerprint)


def _suggest_name(path: Path) -> str:
    """Return a table name like the file's."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", _ENDINGS.sub("", path.resolve().name))
    return name.strip("._-") or "table"


def _check_name(root: Path, name: str, replace: bool) -> None:
    if not is_table_name(name):
        raise TableError(
            "expected a table name of letters, digits, dots, dashes and underscores that starts "
            f"with a letter or digit, got {name!r}"
        )
    if name == PACKAGED_TABLE:
        raise TableError(
            f"the name {name!r} belongs to the table that comes with the installation; choose "
            "another with --name"
        )
    if (root / name).exists() and not replace:
        raise TableError(
            f"there is a table {name!r} already; choose another name with --name, or have it "
            "replaced with --replace"
        )


def _best(content: TableContent | None) -> pd.DataFrame:
    columns = ["dataset", "kind", "architecture", "string", "accuracy_mean"]
    if content is None:
        return pd.DataFrame(columns=columns)
    accuracy = content.accuracy
    best = accuracy.loc[accuracy.groupby(["dataset", "kind"])["accuracy_mean"].idxmax()]
    strings = [Architecture.from_index(index).to_string() for index in best["architecture"]]
    return best.assign(string=strings)[columns].reset_index(drop=True)
