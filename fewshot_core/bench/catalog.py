"""The accuracy tables of a data folder, and loading accuracies, seeds and costs from them."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fewshot_core.bench.importing import IMPORTERS, read_input
from fewshot_core.bench.packaged import open_packaged
from fewshot_core.bench.storage import (
    StoredTable,
    folder_names,
    is_table_name,
    open_table,
    tables_folder,
)
from fewshot_core.bench.table import (
    PACKAGED_TABLE,
    TableContent,
    TableInfo,
    check_kind,
    fingerprint_input,
)
from fewshot_core.data_folder import locked, remove_folder
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError, UnknownNameError

HOW_TO_IMPORT = (
    "import one with `fewshot import-table FILE`, or in the app on the page 'Runs and data'"
)


@dataclass(frozen=True)
class FileTable:
    """A table that was read from a CSV file and is not stored.

    Attributes:
        info: What its manifest would say.
        content: All of it.
    """

    info: TableInfo
    content: TableContent

    def read(self, part: str, dataset: str, kind: str | None = None) -> pd.DataFrame | None:
        """Return the rows of a part for a data set and kind, or None if it is not known."""
        frame = self.content.parts()[part]
        if frame is None:
            return None
        chosen = frame["dataset"] == dataset
        return frame[chosen if kind is None else chosen & (frame["kind"] == kind)]


Table = StoredTable | FileTable


def list_tables(data_dir: Path | str | None = None) -> list[TableInfo]:
    """Return the tables there are: the packaged one, then the most recently imported first.

    The packaged table is stored when it is first asked for.

    Args:
        data_dir: The data folder, if not the usual one.
    """
    tables, _ = _scan(data_dir)
    return [table.info for table in tables]


def damaged_tables(data_dir: Path | str | None = None) -> list[tuple[str, str]]:
    """Return the name of every table that cannot be read, and why.

    Args:
        data_dir: The data folder, if not the usual one.
    """
    _, damaged = _scan(data_dir)
    return damaged


def resolve_table(
    dataset: str,
    kind: str,
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
) -> TableInfo:
    """Return what ``load_accuracy`` would load from.

    Args:
        dataset: Name of the data set.
        kind: ``"validation"`` or ``"test"``.
        source: Name of a table or path of a CSV file. Without it: the packaged table where that
            has the accuracies, else the most recently imported table that has all of them.
        data_dir: The data folder, if not the usual one.

    Raises:
        UnknownNameError: If there is no such data set, kind or table.
        TableError: If no table has these accuracies, or the one that was named has not.
    """
    return find_table(dataset, kind, source, data_dir).info


def find_table(
    dataset: str, kind: str, source: Path | str | None, data_dir: Path | str | None
) -> Table:
    """Return the table that ``resolve_table`` describes; its errors are the same."""
    DATASETS.get(dataset)
    check_kind(kind)
    if source is None:
        return _default_table(dataset, kind, data_dir)
    table = open_source(source, data_dir)
    if table.info.find(dataset, kind) is None:
        sets = ", ".join(f"{item.dataset} {item.kind}" for item in table.info.sets)
        raise TableError(
            f"the table {table.info.name!r} has no {kind} accuracies on {dataset}, only {sets}; "
            f"choose another table, or {HOW_TO_IMPORT}"
        )
    return table


def open_source(source: Path | str, data_dir: Path | str | None) -> Table:
    """Return the table of that name, or the content of a CSV file at that path.

    Raises:
        UnknownNameError: If there is neither.
        TableError: If it is damaged.
    """
    root = tables_folder(data_dir)
    name = str(source)
    if name == PACKAGED_TABLE:
        return open_packaged(root)
    if is_table_name(name) and (root / name).is_dir():
        return open_table(root / name)
    path = Path(source).expanduser()
    if IMPORTERS.get("csv").recognises(path):
        return _read_file(path)
    names = ", ".join(info.name for info in list_tables(data_dir))
    raise UnknownNameError(
        f"unknown accuracy table {name!r}: expected one of {names}, or the path of a CSV file; "
        f"to have another, {HOW_TO_IMPORT}"
    )


def remove_table(name: str, data_dir: Path | str | None = None) -> None:
    """Delete a table, damaged or not.

    Args:
        name: Name of the table.
        data_dir: The data folder, if not the usual one.

    Raises:
        UnknownNameError: If there is no such table.
        TableError: If it is the packaged one.
    """
    if name == PACKAGED_TABLE:
        raise TableError(f"the table {name!r} comes with the installation and cannot be removed")
    root = tables_folder(data_dir)
    with locked(root):
        names = [known for known in folder_names(root) if known != PACKAGED_TABLE]
        if name not in names:
            known = ", ".join(names) or "none"
            raise UnknownNameError(f"unknown accuracy table {name!r}: expected one of {known}")
        remove_folder(root / name)


def _scan(data_dir: Path | str | None) -> tuple[list[StoredTable], list[tuple[str, str]]]:
    """Return the tables, in the order of ``list_tables``, and the damaged ones with the reason."""
    root = tables_folder(data_dir)
    packaged = open_packaged(root)
    tables, damaged = [], []
    for name in folder_names(root):
        if name == PACKAGED_TABLE:
            continue
        try:
            tables.append(open_table(root / name))
        except TableError as error:
            damaged.append((name, str(error)))
    tables.sort(key=lambda table: table.info.created, reverse=True)
    return [packaged, *tables], damaged


def _default_table(dataset: str, kind: str, data_dir: Path | str | None) -> StoredTable:
    tables, _ = _scan(data_dir)
    for table in tables:
        found = table.info.find(dataset, kind)
        if found is not None and found.complete:
            return table
    raise TableError(
        f"no table has the {kind} accuracies of all architectures on {dataset}; {HOW_TO_IMPORT}"
    )


def _read_file(path: Path) -> FileTable:
    _, reading = read_input(path, importer="csv")
    content = reading.accepted()
    fingerprint = fingerprint_input(path)
    info = TableInfo(path.name, path.name, content.source, fingerprint, "", content.sets)
    return FileTable(info, content)


_ACCURACY = ["architecture", "accuracy_mean", "accuracy_std", "seeds"]
_SEEDS = ["architecture", "seed", "accuracy"]
_COSTS = ["architecture", "parameters", "latency", "train_time"]


def load_accuracy(
    dataset: str,
    kind: str = "validation",
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
) -> pd.DataFrame:
    """Return the benchmark accuracy of every architecture that a table has.

    Args:
        dataset: Name of the data set.
        kind: ``"validation"`` or ``"test"``.
        source: Name of a table or path of a CSV file, which is then read and not stored. Without
            it: the packaged table where that has the accuracies, else the most recently imported
            table that has all of them.
        data_dir: The data folder, if not the usual one.

    Returns:
        Columns architecture (index), accuracy_mean and accuracy_std (percent; the sample deviation
        over seeds, NaN for one seed or an unknown number) and seeds (their number, NA where
        unknown), sorted by architecture. All 15,625 rows unless a table was named that has fewer.

    Raises:
        UnknownNameError: If there is no such data set, kind or table.
        TableError: If no table has these accuracies, the one that was named has not, or it is
            damaged; the message says how to import one.
    """
    table = find_table(dataset, kind, source, data_dir)
    rows = _known(table.read("accuracy", dataset, kind), table.info.name, "accuracies")
    return rows[_ACCURACY].sort_values("architecture", ignore_index=True)


def load_seeds(
    dataset: str,
    kind: str = "validation",
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
) -> pd.DataFrame:
    """Return the accuracy of every single training.

    Args:
        dataset: As for ``load_accuracy``.
        kind: As for ``load_accuracy``.
        source: As for ``load_accuracy``.
        data_dir: As for ``load_accuracy``.

    Returns:
        Columns architecture (index), seed (the real one like 777 where the table knows it, else 0,
        1, 2) and accuracy (percent), sorted by architecture and seed.

    Raises:
        UnknownNameError: As ``load_accuracy``.
        TableError: As ``load_accuracy``, or if the table knows only means.
    """
    table = find_table(dataset, kind, source, data_dir)
    rows = _known(table.read("seeds", dataset, kind), table.info.name, "accuracies by seed")
    return rows[_SEEDS].sort_values(["architecture", "seed"], ignore_index=True)


def load_costs(
    dataset: str, source: Path | str | None = None, data_dir: Path | str | None = None
) -> pd.DataFrame:
    """Return what every architecture costs.

    Args:
        dataset: Name of the data set.
        source: Name of a table. Without it, the packaged one.
        data_dir: The data folder, if not the usual one.

    Returns:
        Columns architecture (index), parameters (their number), latency (seconds for a batch) and
        train_time (seconds for the whole training; on CIFAR-10 with half of the training images),
        means over seeds, sorted by architecture.

    Raises:
        UnknownNameError: If there is no such data set or table.
        TableError: If the table does not know the costs, or is damaged.
    """
    DATASETS.get(dataset)
    table = open_source(source or PACKAGED_TABLE, data_dir)
    rows = _known(table.read("costs", dataset), table.info.name, f"costs on {dataset}")
    return rows[_COSTS].sort_values("architecture", ignore_index=True)


def _known(rows: pd.DataFrame | None, name: str, what: str) -> pd.DataFrame:
    if rows is None or rows.empty:
        raise TableError(
            f"the table {name!r} has no {what}; choose another, like {PACKAGED_TABLE!r}, or import "
            "one that has them"
        )
    return rows
