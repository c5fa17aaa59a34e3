"""Bringing the tables of a cache in line with the data folder."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fewshot_core.bench import TableInfo, list_tables
from fewshot_core.errors import FewshotError, TableError
from fewshot_core.runs import State, list_runs
from fewshot_core.store.run_rows import Rows, rows_of, take_in
from fewshot_core.store.schema import RUN_TABLES

_ACCURACY = ["dataset", "kind", "architecture", "accuracy_mean", "accuracy_std", "seeds"]

_TOGETHER = 100
"""Runs taken in at once: fewer take longer, and of more it takes longer to find a broken one."""


@dataclass(frozen=True)
class Synced:
    """What became of a cache.

    Attributes:
        problems: What could not be taken in, by its name, with the reason.
        changed: Whether anything was taken in or dropped.
    """

    problems: dict[str, str]
    changed: bool


def sync_runs(
    connection: duckdb.DuckDBPyConnection, data_dir: Path, demo: Path | None = None
) -> Synced:
    """Take in finished runs that are new, and drop those that are gone or being made again.

    Args:
        connection: The cache.
        data_dir: The data folder.
        demo: The folder of the results that come with the project. One that is also among the
            user's own runs counts as theirs.
    """
    problems: dict[str, str] = {}
    rows = _select(connection, "SELECT run_id, finished, demo FROM runs")
    known = {run_id: (finished, is_demo) for run_id, finished, is_demo in rows}
    own = {folder.run_id: folder for folder in list_runs(data_dir)}
    folders = {folder.run_id: folder for folder in list_runs(demo)} if demo else {}
    folders |= own
    gone = known.keys() - folders.keys()
    new: dict[str, Rows] = {}
    for run_id, folder in folders.items():
        try:
            status = folder.status()
            current = status.updated or 0.0 if status.state is State.DONE else None
            is_demo = run_id not in own
            if known.get(run_id) == (None if current is None else (current, is_demo)):
                continue
            gone |= {run_id} & known.keys()
            if current is not None:
                new[run_id] = rows_of(folder, current, is_demo)
        except FewshotError as error:
            problems[run_id] = str(error)
            gone |= {run_id} & known.keys()
    if gone:
        _forget(connection, gone)
    names = list(new)
    for start in range(0, len(names), _TOGETHER):
        some = {name: new[name] for name in names[start : start + _TOGETHER]}
        problems |= take_in(connection, some)
    return Synced(problems, bool(gone or new.keys() - problems.keys()))


def sync_tables(connection: duckdb.DuckDBPyConnection, data_dir: Path) -> Synced:
    """Take in accuracy tables that are new or replaced, and drop those that are gone.

    Raises:
        TableError: If the packaged table is missing.
    """
    problems: dict[str, str] = {}
    known = set(_select(connection, "SELECT name, fingerprint, created FROM tables"))
    present = {(info.name, info.fingerprint, info.created): info for info in list_tables(data_dir)}
    gone, new = known - present.keys(), present.keys() - known
    for name, *_ in gone:
        with connection.cursor() as cursor:
            cursor.begin()
            cursor.execute("DELETE FROM accuracy WHERE table_name = ?", [name])
            cursor.execute("DELETE FROM tables WHERE name = ?", [name])
            cursor.commit()
    for key in new:
        try:
            _take_in_table(connection, data_dir, present[key])
        except TableError as error:
            problems[present[key].name] = str(error)
    return Synced(problems, bool(gone) or len(problems) < len(new))


def _select(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        return cursor.execute(sql).fetchall()


def _forget(connection: duckdb.DuckDBPyConnection, run_ids: Collection[str]) -> None:
    with connection.cursor() as cursor:
        cursor.begin()
        for table in RUN_TABLES:
            cursor.execute(
                f"DELETE FROM {table} WHERE run_id IN (SELECT unnest($1))", [list(run_ids)]
            )
        cursor.commit()


def _take_in_table(connection: duckdb.DuckDBPyConnection, data_dir: Path, info: TableInfo) -> None:
    path = data_dir / "tables" / info.name / "accuracy.parquet"
    try:
        rows = pq.read_table(path, columns=_ACCURACY)
    except (OSError, pa.ArrowException) as error:
        raise TableError(
            f"the table {info.name!r} is damaged: {path.name} cannot be read ({error}); "
            "import it again with --replace, or remove it"
        ) from error
    with connection.cursor() as cursor:
        cursor.begin()
        cursor.register("new_rows", rows)
        cursor.execute("INSERT INTO accuracy SELECT ?, * FROM new_rows", [info.name])
        cursor.unregister("new_rows")
        cursor.execute(
            "INSERT INTO tables VALUES (?, ?, ?)", [info.name, info.fingerprint, info.created]
        )
        cursor.commit()
