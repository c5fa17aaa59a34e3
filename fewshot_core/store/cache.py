"""The cache: what run folders and accuracy tables hold, ready to be asked."""

import json
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from fewshot_core.bench import TableInfo, list_tables
from fewshot_core.errors import FewshotError, StoreError, UnknownNameError
from fewshot_core.runs import RunFolder, State, list_runs
from fewshot_core.space import SubSpace
from fewshot_core.splitting import SplitNode, SplitTree
from fewshot_core.store.schema import RUN_TABLES, STATEMENTS, VERSION

FILE = "cache.duckdb"


class Store:
    """The cache of one data folder.

    The process that opens it owns the file: DuckDB lets no other process in meanwhile, not even
    to read. Each question is asked on a cursor of its own, so threads may share a store.

    Args:
        data_dir: The data folder.
        in_memory: Keep the cache in memory, for a command that only reads.

    Raises:
        StoreError: If another process has the cache open, or the disk refuses.
    """

    def __init__(self, data_dir: Path, in_memory: bool = False) -> None:
        self.data_dir = data_dir
        self.problems: dict[str, str] = {}
        self._lock = threading.Lock()
        self._connection = _open(None if in_memory else data_dir / FILE)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def sync(self) -> None:
        """Take in what is new in the data folder and drop what is gone."""
        with self._lock:
            self._sync_runs()
            self._sync_tables()

    def splits(self, dataset: str | None = None) -> pd.DataFrame:
        """Return the finished splits, the latest first.

        Args:
            dataset: Only those of a data set.

        Returns:
            Columns run_id, dataset, metric, variant, batch_norm, created, finished (a time stamp),
            seconds, degenerate_nodes, request and details (JSON texts).
        """
        return self._ask(
            "SELECT run_id, dataset, metric, variant, batch_norm, created, finished, seconds, "
            "degenerate_nodes, request, details FROM runs "
            "WHERE kind = 'split' AND ($dataset IS NULL OR dataset = $dataset) "
            "ORDER BY finished DESC, run_id",
            {"dataset": dataset},
        )

    def split_tree(self, run_id: str) -> SplitTree:
        """Return the tree of a finished split.

        Raises:
            UnknownNameError: If there is no such finished split.
        """
        found = self._ask("SELECT tree FROM runs WHERE run_id = $run_id", {"run_id": run_id})
        if found.empty:
            raise UnknownNameError(f"unknown split {run_id!r}: it is not among the finished runs")
        return SplitTree.from_json(found["tree"].iloc[0])

    def accuracy(self, table: str, dataset: str, kind: str) -> pd.DataFrame:
        """Return the accuracies of a table, as ``fewshot_core.bench.load_accuracy`` does.

        Raises:
            UnknownNameError: If the table has none for that data set and kind.
        """
        found = self._ask(
            "SELECT architecture, accuracy_mean, accuracy_std, seeds FROM accuracy WHERE "
            "table_name = $table AND dataset = $dataset AND kind = $kind ORDER BY architecture",
            {"table": table, "dataset": dataset, "kind": kind},
        )
        if found.empty:
            raise UnknownNameError(f"the table {table!r} has no {kind} accuracies on {dataset}")
        return found.astype({"seeds": "Int64"})

    def _ask(self, sql: str, parameters: dict[str, Any]) -> pd.DataFrame:
        with self._connection.cursor() as cursor:
            return cursor.execute(sql, parameters).df()

    def _sync_runs(self) -> None:
        known = set(self._ask("SELECT run_id FROM runs", {})["run_id"])
        folders = {folder.run_id: folder for folder in list_runs(self.data_dir)}
        self.problems = {}
        for run_id in known - folders.keys():
            self._forget(run_id)
        for run_id, folder in folders.items():
            try:
                done = folder.status().state is State.DONE
                if done and run_id not in known:
                    self._take_in(folder)
                elif not done and run_id in known:
                    self._forget(run_id)
            except FewshotError as error:
                self.problems[run_id] = str(error)

    def _forget(self, run_id: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.begin()
            for table in RUN_TABLES:
                cursor.execute(f"DELETE FROM {table} WHERE run_id = ?", [run_id])
            cursor.commit()

    def _take_in(self, folder: RunFolder) -> None:
        manifest, status, tree = folder.manifest(), folder.status(), folder.tree()
        request = folder.request()
        if tree is None:
            raise StoreError(f"{folder.run_id} is done but has no tree")
        seconds = sum(node.seconds for node in tree.nodes)
        run = (
            folder.run_id,
            manifest.get("kind", "split"),
            request.dataset,
            request.metric,
            request.variant,
            request.batch_norm if request.needs_images else None,
            manifest.get("created"),
            status.updated or datetime.now().timestamp(),
            seconds,
            sum(node.degenerate for node in tree.nodes),
            json.dumps(manifest["request"]),
            json.dumps(dict(tree.details)),
            tree.to_json(),
        )
        with self._connection.cursor() as cursor:
            cursor.begin()
            cursor.execute(f"INSERT INTO runs VALUES ({_marks(len(run))})", run)
            for node in tree.nodes:
                _insert_node(cursor, folder.run_id, node)
            for number, leaf in enumerate(tree.leaves, start=1):
                _insert_leaf(cursor, folder.run_id, number, leaf)
            cursor.commit()

    def _sync_tables(self) -> None:
        found = self._ask("SELECT name, fingerprint, created FROM tables", {})
        known = {(row.name, row.fingerprint, row.created) for row in found.itertuples(index=False)}
        present = {
            (info.name, info.fingerprint, info.created): info for info in list_tables(self.data_dir)
        }
        for name, *_ in known - present.keys():
            with self._connection.cursor() as cursor:
                cursor.begin()
                cursor.execute("DELETE FROM accuracy WHERE table_name = ?", [name])
                cursor.execute("DELETE FROM tables WHERE name = ?", [name])
                cursor.commit()
        for key in present.keys() - known:
            self._take_in_table(present[key])

    def _take_in_table(self, info: TableInfo) -> None:
        path = self.data_dir / "tables" / info.name / "accuracy.parquet"
        with self._connection.cursor() as cursor:
            cursor.begin()
            cursor.execute(
                "INSERT INTO accuracy SELECT ?, dataset, kind, architecture, accuracy_mean, "
                "accuracy_std, seeds FROM read_parquet(?)",
                [info.name, str(path)],
            )
            cursor.execute(
                "INSERT INTO tables VALUES (?, ?, ?)", [info.name, info.fingerprint, info.created]
            )
            cursor.commit()


def _open(path: Path | None) -> duckdb.DuckDBPyConnection:
    """Open a cache, building it where it is missing, of another version, or damaged."""
    if path is None:
        return _create(duckdb.connect(":memory:"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(str(path))
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            raise StoreError(
                f"the cache {path} is open in another process, probably a second app on the same "
                "data folder: close that one, or start this one with another --data-dir"
            ) from error
        return _rebuild(path)
    except (duckdb.Error, OSError) as error:
        if isinstance(error, OSError):
            raise StoreError(f"the cache {path} cannot be opened: {error}") from error
        return _rebuild(path)
    state = _version(connection)
    if state == VERSION:
        return connection
    if state is None:
        return _create(connection)
    connection.close()
    return _rebuild(path)


def _rebuild(path: Path) -> duckdb.DuckDBPyConnection:
    """Set a cache that cannot be used aside and start an empty one; folders hold the truth."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    path.replace(path.with_name(f"{path.name}.set-aside-{stamp}"))
    path.with_name(path.name + ".wal").unlink(missing_ok=True)
    return _create(duckdb.connect(str(path)))


def _version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Return the version of a cache: None where it is empty, -1 where it is something else."""
    tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    if not tables:
        return None
    if ("version",) not in tables:
        return -1
    row = connection.execute("SELECT number FROM version").fetchone()
    return int(row[0]) if row else -1


def _create(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    for statement in STATEMENTS:
        connection.execute(statement)
    return connection


def _insert_node(cursor: duckdb.DuckDBPyConnection, run_id: str, node: SplitNode) -> None:
    path = "/".join(map(str, node.path))
    groups = json.dumps([list(group) for group in node.groups])
    row = (run_id, path, node.edge, groups, node.cut, node.degenerate, node.reason, node.seconds)
    cursor.execute(f"INSERT INTO nodes VALUES ({_marks(len(row))})", row)
    for operation, value in zip(node.operations, node.values, strict=True):
        cursor.execute("INSERT INTO scores VALUES (?, ?, ?, ?)", [run_id, path, operation, value])


def _insert_leaf(
    cursor: duckdb.DuckDBPyConnection, run_id: str, number: int, leaf: SubSpace
) -> None:
    cursor.execute(
        "INSERT INTO sub_spaces VALUES (?, ?, ?, ?)",
        [run_id, number, " ".join(leaf.rows), leaf.size],
    )


def _marks(count: int) -> str:
    return ", ".join("?" * count)
