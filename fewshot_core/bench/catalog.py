"""The accuracy tables of a data folder, and loading accuracies, seeds and costs from them.

In all functions ``data_dir`` is the data folder, by default ``fewshot_core.data_folder.data_dir``.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.bench.csv_importer import read_column
from fewshot_core.bench.importing import IMPORTERS, READ_IN_PLACE, preview_table
from fewshot_core.bench.storage import (
    Table,
    folder_names,
    is_table_name,
    open_packaged,
    open_table,
    tables_folder,
)
from fewshot_core.bench.table import (
    PACKAGED_TABLE,
    ROLES,
    TableColumn,
    TableInfo,
    fingerprint_input,
)
from fewshot_core.data_folder import locked, remove_folder, typed_path
from fewshot_core.errors import TableError, UnknownNameError, check_name
from fewshot_core.space import KINDS, NAS_BENCH_201, SearchSpace, get_space

HOW_TO_IMPORT = "import one with `fewshot import-table FILE`, or in the app on the page 'Data'"


def list_tables(
    data_dir: Path | str | None = None, space: SearchSpace | str | None = NAS_BENCH_201
) -> list[TableInfo]:
    """The available tables of a space, or of all: the packaged one, then the latest import first.

    The packaged table is stored when it is first needed.
    """
    name = space.name if isinstance(space, SearchSpace) else space
    return [table.info for table in _scan(data_dir)[0] if name in (None, table.info.space)]


def damaged_tables(data_dir: Path | str | None = None) -> list[tuple[str, str]]:
    """Name of every table that cannot be read, and why."""
    return _scan(data_dir)[1]


def resolve_table(
    dataset: str,
    kind: str,
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
    space: SearchSpace | str = NAS_BENCH_201,
) -> TableInfo:
    """The table that ``load_accuracy`` would load from; the arguments and errors are the same."""
    return _find_table(dataset, kind, source, data_dir, space).info


def remove_table(name: str, data_dir: Path | str | None = None) -> None:
    """Delete a table, damaged or not, but not the packaged one, which raises TableError."""
    if name == PACKAGED_TABLE:
        raise TableError(f"the table {name!r} comes with the installation and cannot be removed")
    root = tables_folder(data_dir)
    with locked(root):
        names = [known for known in folder_names(root) if known != PACKAGED_TABLE]
        check_name("accuracy table", name, names)
        remove_folder(root / name)


def load_accuracy(
    dataset: str,
    kind: str = "validation",
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
    space: SearchSpace | str = NAS_BENCH_201,
) -> pd.DataFrame:
    """Load the benchmark accuracy of every architecture that a table of a space has.

    ``kind`` is ``"validation"`` or ``"test"``; ``source`` the name of a table or the path of a CSV
    file, which is not stored. Without it, it is the packaged table where that has the accuracies,
    else the most recently imported table that has all of them.

    Returns:
        Columns architecture (index), accuracy_mean and accuracy_std (percent; the sample deviation
        over seeds, NaN for one seed or an unknown number) and seeds (their number, NA where
        unknown), sorted by architecture. All architectures, unless a table was named that has
        fewer. A score in another unit is in the same columns, larger being better.

    Raises:
        UnknownNameError: If there is no such data set, kind or table.
        TableError: If no table has these accuracies, the named one does not, or it is damaged; the
            message says how to import one.
    """
    return _load("accuracy", _find_table(dataset, kind, source, data_dir, space), dataset, kind)


def load_seeds(
    dataset: str,
    kind: str = "validation",
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
    space: SearchSpace | str = NAS_BENCH_201,
) -> pd.DataFrame:
    """Load the accuracy of every single training; arguments as for ``load_accuracy``.

    Returns:
        Columns architecture (index), seed (the real one like 777 where the table knows it, else 0,
        1, 2) and accuracy (percent), sorted by architecture and seed.

    Raises:
        UnknownNameError: As ``load_accuracy``.
        TableError: As ``load_accuracy``, or if the table has only means.
    """
    table = _find_table(dataset, kind, source, data_dir, space)
    return _load("seeds", table, dataset, kind, "accuracies by seed")


def list_columns(
    role: str,
    dataset: str,
    data_dir: Path | str | None = None,
    space: SearchSpace | str = NAS_BENCH_201,
) -> list[tuple[TableInfo, TableColumn]]:
    """The columns of a role, one of ``ROLES``, that are about a data set, with their tables.

    The latest import comes first. Raises UnknownNameError for another role.
    """
    check_name("role", role, ROLES)
    return [
        (info, column)
        for info in list_tables(data_dir, get_space(space, data_dir))
        for column in info.columns
        if column.role == role and column.dataset in ("", dataset)
    ]


def load_column(
    table: str,
    column: str,
    data_dir: Path | str | None = None,
    space: SearchSpace | str = NAS_BENCH_201,
    dataset: str | None = None,
) -> pd.DataFrame:
    """Load a column of costs or estimates of a stored table, or of a CSV file.

    Of costs that differ by data set those of ``dataset``, by default of the first one.

    Returns:
        Columns architecture (index) and the one that was asked for, sorted by architecture, of the
        architectures that have a number.

    Raises:
        UnknownNameError: If there is no such table.
        TableError: If it has no such column, is damaged, or of another space.
    """
    of_space = get_space(space, data_dir)
    root = tables_folder(data_dir)
    if not (is_table_name(table) and (root / table).is_dir()) and Path(table).is_file():
        return read_column(Path(table), column, of_space)
    found = _open_source(table, data_dir, of_space)
    if (wanted := found.info.find_column(column, dataset)) is None:
        known = ", ".join(dict.fromkeys(one.name for one in found.info.columns)) or "none"
        raise TableError(f"the table {table!r} has no column {column!r}, only {known}")
    frame = found.read_column(wanted.field).rename(columns={wanted.field: column})
    return frame.dropna().sort_values("architecture", ignore_index=True)


def load_parameters(
    data_dir: Path | str | None = None, space: SearchSpace | str = NAS_BENCH_201
) -> "pd.Series[float] | None":
    """Load the number of parameters of architectures, by index; None where no table has it."""
    of_space = get_space(space, data_dir)
    for info, column in list_columns("cost", of_space.datasets[0].name, data_dir, of_space):
        if column.name.lower() in ("params", "parameters"):
            frame = load_column(info.name, column.name, data_dir, of_space)
            return frame.set_index("architecture")[column.name]
    return None


def load_values(
    table: str,
    column: str,
    data_dir: Path | str | None = None,
    space: SearchSpace | str = NAS_BENCH_201,
    dataset: str | None = None,
) -> npt.NDArray[np.float64]:
    """Load a column as an array of shape (size,), NaN where unknown; see ``load_column``."""
    frame = load_column(table, column, data_dir, space, dataset)
    values = np.full(get_space(space, data_dir).size, np.nan)
    values[frame["architecture"]] = frame[column]
    return values


def columns_csv(
    columns: Mapping[str, tuple[str, str]],
    data_dir: Path | str | None = None,
    space: SearchSpace | str = NAS_BENCH_201,
) -> str:
    """Write columns, each a table and its column by a name, as a CSV file to import again."""
    of_space = get_space(space, data_dir)
    found = {
        name: load_column(table, column, data_dir, of_space).set_index("architecture")[column]
        for name, (table, column) in columns.items()
    }
    frame = pd.concat(found, axis="columns").sort_index()
    frame.insert(0, "arch", of_space.format_many(frame.index))
    return frame.to_csv(index=False)


def _load(
    part: str, table: Table, dataset: str, kind: str, what: str = "accuracies"
) -> pd.DataFrame:
    rows = table.read(part, dataset, kind)
    if rows is None or rows.empty:
        raise TableError(
            f"the table {table.info.name!r} has no {what}; choose another, like "
            f"{PACKAGED_TABLE!r}, or import one that has them"
        )
    columns = [name for name in rows.columns if name not in ("dataset", "kind", "place")]
    keys = [name for name in ("architecture", "seed") if name in columns]
    return rows[columns].sort_values(keys, ignore_index=True)


def _scan(data_dir: Path | str | None) -> tuple[list[Table], list[tuple[str, str]]]:
    """The tables, in the order of ``list_tables``, and the damaged ones with the reason."""
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


def _find_table(
    dataset: str,
    kind: str,
    source: Path | str | None,
    data_dir: Path | str | None,
    space: SearchSpace | str,
) -> Table:
    of_space = get_space(space, data_dir)
    of_space.dataset(dataset)
    check_name("kind of accuracy", kind, KINDS)
    if source is None:
        for table in _scan(data_dir)[0]:
            found = table.info.find(dataset, kind)
            if table.info.space == of_space.name and found is not None and found.complete:
                return table
        place = "" if of_space == NAS_BENCH_201 else f" of {of_space.label}"
        raise TableError(
            f"no table has the {kind} accuracies of all architectures{place} on {dataset}; "
            f"{HOW_TO_IMPORT}"
        )
    table = _open_source(source, data_dir, of_space)
    if table.info.find(dataset, kind) is None:
        sets = ", ".join(f"{item.dataset} {item.kind}" for item in table.info.sets)
        raise TableError(
            f"the table {table.info.name!r} has no {kind} accuracies on {dataset}, only {sets}; "
            f"choose another table, or {HOW_TO_IMPORT}"
        )
    return table


def _open_source(source: Path | str, data_dir: Path | str | None, space: SearchSpace) -> Table:
    """The table of that name, or the content of the file at that path; checks its space."""
    table = _open(source, data_dir, space)
    if table.info.space != space.name:
        raise TableError(
            f"expected a table of {space.name}, but {table.info.name!r} is one of "
            f"{table.info.space}"
        )
    return table


def _open(source: Path | str, data_dir: Path | str | None, space: SearchSpace) -> Table:
    root = tables_folder(data_dir)
    name = str(source)
    if name == PACKAGED_TABLE:
        return open_packaged(root)
    if is_table_name(name) and (root / name).is_dir():
        return open_table(root / name)
    path = typed_path(source)
    if any(IMPORTERS.get(name).recognises(path) for name in READ_IN_PLACE):
        content = preview_table(path, space=space).accepted()
        return Table(content.info(path.name, path.name, fingerprint_input(path), ""), content)
    names = ", ".join(info.name for info in list_tables(data_dir, space)) or "none"
    raise UnknownNameError(
        f"unknown accuracy table {name!r}: expected one of {names}, or the path of a CSV file; "
        f"to have another, {HOW_TO_IMPORT}"
    )
