"""The DuckDB cache of run folders and accuracy tables; the only place that knows SQL."""

import json
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fewshot_core.bench import TableInfo, list_tables
from fewshot_core.errors import FewshotError, StoreError, TableError, UnknownNameError
from fewshot_core.metrics import METRICS
from fewshot_core.runs import (
    RunFolder,
    SearchRequest,
    SplitRequest,
    State,
    TrainingRequest,
    list_runs,
    reading_problem,
    unknown_folders,
)
from fewshot_core.runs.overview import find_damage
from fewshot_core.search import preset_of
from fewshot_core.space import SubSpace
from fewshot_core.splitting import SplitTree
from fewshot_core.splitting.files import imported_names, open_imported

VERSION = 4
"""Raised with every change below; a cache of another version is built anew."""

STATEMENTS = (
    "CREATE TABLE version (number INTEGER)",
    f"INSERT INTO version VALUES ({VERSION})",
    """CREATE TABLE runs (
        run_id VARCHAR PRIMARY KEY, kind VARCHAR, dataset VARCHAR, created VARCHAR,
        finished DOUBLE, seconds DOUBLE, synthetic BOOLEAN, request VARCHAR, demo BOOLEAN)""",
    """CREATE TABLE splits (
        run_id VARCHAR PRIMARY KEY, metric VARCHAR, variant VARCHAR, batch_norm VARCHAR,
        degenerate_nodes INTEGER, details VARCHAR, tree VARCHAR)""",
    """CREATE TABLE searches (
        run_id VARCHAR PRIMARY KEY, algorithm VARCHAR, preset VARCHAR, sub_space VARCHAR,
        seed BIGINT, family VARCHAR, epochs INTEGER)""",
    """CREATE TABLE epochs (
        run_id VARCHAR, epoch INTEGER, train_loss DOUBLE, train_accuracy DOUBLE,
        valid_loss DOUBLE, valid_accuracy DOUBLE, architecture INTEGER, temperature DOUBLE,
        seconds DOUBLE, PRIMARY KEY (run_id, epoch))""",
    """CREATE TABLE nodes (
        run_id VARCHAR, path VARCHAR, edge INTEGER, groups VARCHAR, cut DOUBLE,
        degenerate BOOLEAN, reason VARCHAR, seconds DOUBLE)""",
    """CREATE TABLE scores (
        run_id VARCHAR, path VARCHAR, operation INTEGER, value DOUBLE)""",
    """CREATE TABLE sub_spaces (
        run_id VARCHAR, number INTEGER, rows VARCHAR, size INTEGER)""",
    """CREATE TABLE tables (
        name VARCHAR PRIMARY KEY, fingerprint VARCHAR, created VARCHAR)""",
    """CREATE TABLE accuracy (
        table_name VARCHAR, dataset VARCHAR, kind VARCHAR, architecture BIGINT,
        accuracy_mean DOUBLE, accuracy_std DOUBLE, seeds BIGINT)""",
)

RUN_TABLES = ("runs", "splits", "searches", "epochs", "nodes", "scores", "sub_spaces")
"""The tables with rows of a run, by ``run_id``."""


_DAMAGE = (
    duckdb.CatalogException,
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.SerializationException,
)


def open_cache(path: Path | None) -> duckdb.DuckDBPyConnection:
    """Open a cache, building it where it is missing, of another version, or damaged.

    Args:
        path: The file; None for a cache in memory.

    Raises:
        StoreError: If another process has the cache open, or the disk refuses.
    """
    if path is None:
        return _create(duckdb.connect(":memory:"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _connect(path)
    except OSError as error:
        raise StoreError(f"the cache {path} cannot be opened: {error}") from error
    except duckdb.Error as error:
        if is_locked(error):
            raise _in_use(path) from error
        try:
            return start_anew(path)
        except StoreError:
            raise StoreError(f"the cache {path} cannot be opened: {error}") from error


def start_anew(path: Path | None) -> duckdb.DuckDBPyConnection:
    """Set a cache that cannot be used aside and start an empty one; folders hold the truth.

    Raises:
        StoreError: If the disk refuses.
    """
    if path is None:
        return open_cache(None)
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    try:
        path.replace(path.with_name(f"{path.name}.set-aside-{stamp}"))
        path.with_name(path.name + ".wal").unlink(missing_ok=True)
        return _create(duckdb.connect(str(path)))
    except (OSError, duckdb.Error) as error:
        raise StoreError(f"the cache {path} cannot be built: {error}") from error


def drop_cache(path: Path) -> None:
    """Delete the file of a cache, where there is one.

    Raises:
        StoreError: If another process has the cache open, or the disk refuses.
    """
    try:
        if path.exists():
            _check_unlocked(path)
        for file in (path, path.with_name(path.name + ".wal")):
            file.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"the cache {path} cannot be deleted: {error}") from error


def is_locked(error: duckdb.Error) -> bool:
    """Return whether an error says that another process has the file open."""
    return "Could not set lock" in str(error)


def is_damage(error: duckdb.Error) -> bool:
    """Return whether an error says that the file is damaged, or that DuckDB has given it up."""
    if isinstance(error, _DAMAGE):
        return True
    return any(words in str(error) for words in ("Corrupt database file", "Could not read"))


def _check_unlocked(path: Path) -> None:
    try:
        duckdb.connect(str(path)).close()
    except duckdb.Error as error:  # a damaged one may be deleted
        if is_locked(error):
            raise _in_use(path) from error


def _in_use(path: Path) -> StoreError:
    return StoreError(
        f"the cache {path} is open in another process, probably an app on the same data folder: "
        "close that one, or use another --data-dir"
    )


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path))
    try:
        version = _version(connection)
        if version is None:
            return _create(connection)
    except duckdb.Error:
        connection.close()
        raise
    if version == VERSION:
        return connection
    connection.close()
    return start_anew(path)


def _version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Return the version of a cache: None where it is empty, -1 where it is something else."""
    tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    if not tables:
        return None
    if ("version",) not in tables:
        return -1
    row = connection.execute("SELECT * FROM version").fetchone()
    return row[0] if row and isinstance(row[0], int) else -1


def _create(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Make all tables or, where that fails, none."""
    connection.begin()
    for statement in STATEMENTS:
        connection.execute(statement)
    connection.commit()
    return connection


_MEASURED = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")

_IMPOSSIBLE = (
    duckdb.DataError,
    duckdb.InvalidInputException,
    pa.ArrowException,
    OverflowError,
    UnicodeError,
)

Rows = list[tuple[str, list[tuple[Any, ...]]]]
"""Tables and what to add to each."""


def rows_of(folder: RunFolder, finished: float, demo: bool = False) -> Rows:
    """Return what a finished run holds: tables, and what to add to each.

    Args:
        folder: The run.
        finished: The time stamp of its last status.
        demo: Whether it came with the project.

    Raises:
        RunError: If its files cannot be read.
        StoreError: If its result is incomplete.
    """
    manifest, request = folder.manifest(), folder.request()
    if not folder.is_complete():
        raise StoreError(f"{folder.run_id} is done but its result is incomplete; start it again")
    seconds, rows = _rows(folder, request)
    run = (
        folder.run_id,
        folder.kind().name,
        request.dataset,
        str(manifest.get("created", "")),
        finished,
        seconds,
        bool(manifest.get("synthetic", False)),
        json.dumps(manifest["request"]),
        demo,
    )
    return [("runs", [run]), *rows]


def take_in(connection: duckdb.DuckDBPyConnection, runs: Mapping[str, Rows]) -> dict[str, str]:
    """Add what finished runs hold, of each run all or nothing.

    Args:
        connection: The cache.
        runs: What ``rows_of`` returns, by the name of the run.

    Returns:
        The runs that hold what no run can hold, with the reason.
    """
    try:
        _add(connection, runs.values())
    except _IMPOSSIBLE as error:
        if len(runs) == 1:
            [run_id] = runs
            return {run_id: f"{run_id} holds impossible values: {error}"}
        problems: dict[str, str] = {}
        for run_id, rows in runs.items():
            problems |= take_in(connection, {run_id: rows})
        return problems
    return {}


def _add(connection: duckdb.DuckDBPyConnection, runs: Iterable[Rows]) -> None:
    tables: dict[str, list[tuple[Any, ...]]] = {}
    for table, rows in chain.from_iterable(runs):
        tables.setdefault(table, []).extend(rows)
    with connection.cursor() as cursor:
        cursor.begin()
        for table, rows in tables.items():
            _insert(cursor, table, rows)
        cursor.commit()


def _rows(
    folder: RunFolder, request: SplitRequest | SearchRequest | TrainingRequest
) -> tuple[float, Rows]:
    """Return how long the work took, and the rows of the tables of a run's kind."""
    if isinstance(request, SplitRequest):
        tree = folder.tree() or SplitTree(request.metric, ())
        seconds = sum(node.seconds for node in tree.nodes)
        return seconds, _split_rows(folder.run_id, request, tree)
    records = folder.records()
    rows: Rows = [("epochs", [_epoch(folder.run_id, record) for record in records])]
    if isinstance(request, SearchRequest):
        family = request.family(folder.manifest().get("fingerprints", {}))
        search = (
            folder.run_id,
            request.algorithm,
            preset_of(request.options),
            " ".join(request.rows),
            request.seed,
            family,
            request.options.epochs,
        )
        rows.insert(0, ("searches", [search]))
    return sum(float(record.get("seconds") or 0.0) for record in records), rows


def _split_rows(run_id: str, request: SplitRequest, tree: SplitTree) -> Rows:
    split = (
        run_id,
        request.metric,
        request.variant,
        request.batch_norm if request.needs_images else None,
        sum(node.degenerate for node in tree.nodes),
        json.dumps(dict(tree.details)),
        tree.to_json(),
    )
    nodes, scores = [], []
    for node in tree.nodes:
        path = "/".join(map(str, node.path))
        groups = json.dumps([list(group) for group in node.groups])
        outcome = (node.cut, node.degenerate, node.reason, node.seconds)
        nodes.append((run_id, path, node.edge, groups, *outcome))
        pairs = zip(node.operations, node.values, strict=True)
        scores += [(run_id, path, operation, value) for operation, value in pairs]
    leaves = [
        (run_id, number, " ".join(leaf.rows), leaf.size)
        for number, leaf in enumerate(tree.leaves, start=1)
    ]
    return [("splits", [split]), ("nodes", nodes), ("scores", scores), ("sub_spaces", leaves)]


def _epoch(run_id: str, record: dict[str, Any]) -> tuple[Any, ...]:
    measured = [record.get(name) for name in _MEASURED]
    last = [record.get(name) for name in ("architecture_index", "temperature", "seconds")]
    return (run_id, record["epoch"], *measured, *last)


def _insert(cursor: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    cursor.register("new_rows", pa.table(columns, [f"c{i}" for i in range(len(columns))]))
    cursor.execute(f"INSERT INTO {table} SELECT * FROM new_rows")
    cursor.unregister("new_rows")


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


FILE = "cache.duckdb"

ANSWERS = 256
"""How many answers are kept for when they are asked for again."""

T = TypeVar("T")
Value = str | tuple[str, ...] | None


@lru_cache(maxsize=1_000)
def _tree(text: str) -> SplitTree:
    return SplitTree.from_json(text)


class Store:
    """The cache of one data folder.

    The process that opens it owns the file: DuckDB lets no other process in meanwhile, not even
    to read. Each question is asked on a cursor of its own, so threads may share a store. A file
    that turns out to be damaged is set aside and built anew, whenever that is noticed.

    Args:
        data_dir: The data folder.
        in_memory: Keep the cache in memory, for a command that only reads.
        demo: The folder of the results that come with the project, if they are to be seen.

    Attributes:
        problems: What the last ``sync`` could not take in, by the name of the run or table, and
            why.
        revision: A number that grows whenever what is in the cache changes.

    Raises:
        StoreError: If another process has the cache open, or the disk refuses.
    """

    def __init__(self, data_dir: Path, in_memory: bool = False, demo: Path | None = None) -> None:
        self.data_dir = data_dir
        self._demo = demo
        self.problems: dict[str, str] = {}
        self._path = None if in_memory else data_dir / FILE
        self._lock = threading.RLock()
        self._synced_from = 0.0
        self.revision = 0
        self._known = lru_cache(maxsize=ANSWERS)(self._answer)
        self._connection = open_cache(self._path)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def sync(self) -> None:
        """Take in what is new in the data folder and drop what is gone.

        Raises:
            StoreError: If the disk refuses.
            TableError: If the packaged table is missing.
        """
        asked = time.monotonic()
        with self._lock:
            if self._synced_from > asked:  # another thread began later, and has seen it all
                return
            began = time.monotonic()
            self._mending(self._sync_all)
            self._synced_from = began

    def run_counts(self) -> dict[str, int]:
        """Return how many finished runs of each kind there are."""
        found = self._ask("SELECT kind, count(*) AS runs FROM runs GROUP BY kind ORDER BY kind")
        return {str(kind): int(runs) for kind, runs in found.itertuples(index=False)}

    def table_names(self) -> list[str]:
        """Return the names of the accuracy tables."""
        return list(self._ask("SELECT name FROM tables ORDER BY created, name")["name"])

    def splits(self, dataset: str | None = None, run_id: str | None = None) -> pd.DataFrame:
        """Return the finished splits: one's own, the latest first, then those of the project.

        Args:
            dataset: Only those of a data set.
            run_id: Only that of this name.

        Returns:
            Columns run_id, dataset, metric, variant, batch_norm, created, finished (a time stamp),
            seconds, degenerate_nodes, request and details (JSON texts), and demo (whether it came
            with the project).
        """
        return self._ask(
            "SELECT run_id, dataset, metric, variant, batch_norm, created, finished, seconds, "
            "degenerate_nodes, request, details, demo FROM runs JOIN splits USING (run_id) "
            "WHERE ($dataset IS NULL OR dataset = $dataset) "
            "AND ($run_id IS NULL OR run_id = $run_id) ORDER BY demo, finished DESC, run_id",
            dataset=dataset,
            run_id=run_id,
        )

    def split_with(self, dataset: str, sub_space: SubSpace) -> str | None:
        """Return the latest finished split that has a sub-space, or None where none has."""
        found = self._ask(
            "SELECT run_id FROM runs JOIN sub_spaces USING (run_id) WHERE dataset = $dataset "
            "AND rows = $rows ORDER BY demo, finished DESC, run_id LIMIT 1",
            dataset=dataset,
            rows=" ".join(sub_space.rows),
        )
        return None if found.empty else str(found["run_id"].iloc[0])

    def split_tree(self, run_id: str) -> SplitTree:
        """Return the tree of a finished split.

        Raises:
            UnknownNameError: If there is no such finished split.
        """
        [tree] = self.split_trees([run_id])
        return tree

    def split_trees(self, run_ids: Sequence[str]) -> list[SplitTree]:
        """Return the trees of finished splits, in the order of their names here.

        Raises:
            UnknownNameError: If one of them is no finished split.
        """
        found = self._ask(
            "SELECT run_id, tree FROM splits WHERE run_id IN (SELECT unnest($run_ids))",
            run_ids=tuple(run_ids),
        )
        texts = dict(zip(found["run_id"], found["tree"], strict=True))
        for run_id in run_ids:
            if run_id not in texts:
                raise UnknownNameError(
                    f"unknown split {run_id!r}: it is not among the finished runs"
                )
        return [_tree(texts[run_id]) for run_id in run_ids]

    def searches(self, dataset: str | None = None) -> pd.DataFrame:
        """Return the finished searches: one's own, the latest first, then those of the project.

        Args:
            dataset: Only those of a data set.

        Returns:
            Columns run_id, dataset, algorithm, preset (a name, or None), sub_space (its rows,
            joined by spaces), seed, family (what searches have in common that differ only by
            sub-space and seed), epochs, synthetic (whether its images were made up), created,
            finished (a time stamp), seconds, request (a JSON text) and demo (whether it came with
            the project).
        """
        return self._ask(
            "SELECT run_id, dataset, algorithm, preset, sub_space, seed, family, epochs, "
            "synthetic, created, finished, seconds, request, demo "
            "FROM runs JOIN searches USING (run_id) "
            "WHERE $dataset IS NULL OR dataset = $dataset ORDER BY demo, finished DESC, run_id",
            dataset=dataset,
        )

    def search_records(self, run_ids: Sequence[str]) -> pd.DataFrame:
        """Return the epochs of finished searches and trainings, by run and epoch.

        Returns:
            Columns run_id, epoch, train_loss, train_accuracy, valid_loss, valid_accuracy,
            architecture (the index of the one that the search would return then; missing for
            trainings), temperature and seconds.
        """
        return self._ask_anew(
            "SELECT * FROM epochs WHERE run_id IN (SELECT unnest($run_ids)) ORDER BY run_id, epoch",
            run_ids=tuple(run_ids),
        )

    def trainings(self, dataset: str | None = None) -> pd.DataFrame:
        """Return the supernets whose training is finished, the latest first.

        Returns:
            Columns run_id, dataset, synthetic, created, finished, seconds and request.
        """
        return self._ask(
            "SELECT run_id, dataset, synthetic, created, finished, seconds, request FROM runs "
            "WHERE kind = 'train' AND ($dataset IS NULL OR dataset = $dataset) "
            "ORDER BY finished DESC, run_id",
            dataset=dataset,
        )

    def accuracy(self, table: str, dataset: str, kind: str) -> pd.DataFrame:
        """Return the accuracies of a table, as ``fewshot_core.bench.load_accuracy`` does.

        Raises:
            UnknownNameError: If the table has none for that data set and kind.
            TableError: If the table is damaged.
        """
        found = self._ask_anew(
            "SELECT architecture, accuracy_mean, accuracy_std, seeds FROM accuracy WHERE "
            "table_name = $table AND dataset = $dataset AND kind = $kind ORDER BY architecture",
            table=table,
            dataset=dataset,
            kind=kind,
        )
        if found.empty:
            if table in self.problems:
                raise TableError(self.problems[table])
            raise UnknownNameError(f"the table {table!r} has no {kind} accuracies on {dataset}")
        return found.astype({"seeds": "Int64"})

    def _ask(self, sql: str, **parameters: Value) -> pd.DataFrame:
        """Return the answer to a question, from memory where nothing has changed since."""
        known = self._known(self.revision, sql, tuple(parameters.items()))
        return known.copy(deep=False)  # pandas copies what one changes of it

    def _answer(
        self, revision: int, sql: str, parameters: tuple[tuple[str, Value], ...]
    ) -> pd.DataFrame:
        del revision  # it only tells older answers apart
        return self._ask_anew(sql, **dict(parameters))

    def _ask_anew(self, sql: str, **parameters: Value) -> pd.DataFrame:
        return self._mending(lambda: self._look_up(sql, parameters))

    def _look_up(self, sql: str, parameters: Mapping[str, Value]) -> pd.DataFrame:
        given = {key: list(v) if isinstance(v, tuple) else v for key, v in parameters.items()}
        with self._connection.cursor() as cursor:
            return cursor.execute(sql, given).df()

    def _mending(self, work: Callable[[], T]) -> T:
        """Do something; where that finds the file damaged, build it anew and do it once more."""
        connection = self._connection
        try:
            try:
                return work()
            except duckdb.Error as error:
                if not is_damage(error):
                    raise
            self._start_anew(connection)
            return work()
        except duckdb.Error as error:
            raise StoreError(f"the cache in {self.data_dir} cannot be used: {error}") from error

    def _start_anew(self, damaged: duckdb.DuckDBPyConnection) -> None:
        with self._lock:
            if self._connection is damaged:  # no other thread was first
                damaged.close()
                self._connection = start_anew(self._path)
                self.revision += 1
                self._sync_all()

    def _sync_all(self) -> None:
        changed = True
        try:
            runs = sync_runs(self._connection, self.data_dir, self._demo)
            tables = sync_tables(self._connection, self.data_dir)
            self.problems = runs.problems | tables.problems
            changed = runs.changed or tables.changed
        finally:
            self.revision += changed


@dataclass(frozen=True)
class Rebuilt:
    """What a new cache was built from.

    Attributes:
        runs: How many finished runs of each kind were taken in.
        tables: The accuracy tables.
        left_out: What was not taken in, by name, and why.
    """

    runs: Mapping[str, int]
    tables: tuple[str, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class Verified:
    """What is wrong in a data folder.

    Attributes:
        folders: How many run folders there are, foreign ones counted in.
        finished: How many of them hold a result.
        given: How many more run folders came with the project.
        compared: How many finished runs are in the cache and were compared with it.
        note: What the cache's state is, where it could not be compared.
        damaged: What is wrong with one's own run folders, by name.
        problems: What is wrong with anything else, those that came with the project among it, by
            name.
    """

    folders: int
    finished: int
    given: int
    compared: int
    note: str | None
    damaged: Mapping[str, tuple[str, ...]]
    problems: Mapping[str, str]

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.damaged and not self.problems


def rebuild(data_dir: Path) -> Rebuilt:
    """Delete the cache of a data folder and build it anew from run folders and tables.

    Raises:
        StoreError: If another process has the cache open, or the disk refuses.
    """
    drop_cache(data_dir / FILE)
    store = Store(data_dir)
    try:
        store.sync()
        runs, tables = store.run_counts(), tuple(store.table_names())
    finally:
        store.close()
    return Rebuilt(runs, tables, _unfinished(data_dir) | store.problems)


def verify(data_dir: Path, demo: Path | None = None) -> Verified:
    """Check all run folders and tables for damage, and the cache against them; changes nothing.

    Args:
        data_dir: The data folder.
        demo: The folder of the results that come with the project, if they are to be checked.

    Raises:
        TableError: If the packaged table is missing.
    """
    own = [*list_runs(data_dir), *unknown_folders(data_dir)]
    names = {folder.run_id for folder in own}
    given = [folder for folder in list_runs(demo) if folder.run_id not in names] if demo else []
    with open_cache(None) as connection:
        refused = sync_runs(connection, data_dir, demo).problems
        damaged = _damage(own, refused)
        problems = sync_tables(connection, data_dir).problems
        problems |= {name: "; ".join(why) for name, why in _damage(given, refused).items()}
        compared, note = 0, None
        try:
            compared, differing = _compare(connection, data_dir / FILE)
            problems |= differing
        except StoreError as error:
            note = str(error)
        [(finished,)] = connection.execute("SELECT count(*) FROM runs WHERE NOT demo").fetchall()
    return Verified(len(own), finished, len(given), compared, note, damaged, problems)


def _damage(folders: Sequence[RunFolder], refused: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return what is wrong with run folders, of which a cache has refused some, by name."""
    found = {}
    for folder in folders:
        reasons = tuple(find_damage(folder))
        if not reasons and folder.run_id in refused:
            reasons = (refused[folder.run_id],)
        if reasons:
            found[folder.run_id] = reasons
    return found


def _unfinished(data_dir: Path) -> dict[str, str]:
    """Return the folders that hold no result, and why."""
    found = {}
    for folder in [*list_runs(data_dir), *unknown_folders(data_dir)]:
        problem = reading_problem(folder)
        if problem is None:
            state = folder.status().state
            problem = None if state is State.DONE else f"{folder.run_id} is not done: {state}"
        if problem is not None:
            found[folder.run_id] = problem
    return found


def _compare(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[int, dict[str, str]]:
    """Compare the runs that two caches hold.

    Args:
        connection: One built from the folders just now.
        path: The file of the other, which is only read.

    Returns:
        How many runs were compared, and those of which the file says something else.

    Raises:
        StoreError: If they cannot be compared.
    """
    if not path.exists():
        raise StoreError(f"there is no cache {path} yet: the next start of the app builds it")
    try:
        connection.execute(f"ATTACH '{_quoted(path)}' AS kept (READ_ONLY)")
        version = connection.execute("SELECT number FROM kept.version").fetchall()
        if version != [(VERSION,)]:
            raise StoreError(f"the cache {path} is of another version: the next start rebuilds it")
        both = "SELECT run_id FROM runs JOIN kept.runs AS other USING (run_id, finished)"
        names = {name for (name,) in connection.execute(both).fetchall()}
        differing = {}
        for table in RUN_TABLES:
            for one, other in ((table, f"kept.{table}"), (f"kept.{table}", table)):
                rows = connection.execute(
                    f"SELECT DISTINCT run_id FROM (FROM {one} EXCEPT ALL FROM {other})"
                ).fetchall()
                for (run_id,) in rows:
                    if run_id in names:
                        differing[run_id] = (
                            f"the cache holds other {table} of {run_id} than its folder: "
                            "`fewshot cache rebuild` builds it anew"
                        )
        return len(names), differing
    except duckdb.Error as error:
        if is_locked(error):
            raise StoreError(
                f"the cache {path} is open in another process, probably the app, and was not "
                "compared: only run folders and tables were checked"
            ) from error
        return 0, {FILE: f"the cache {path} is damaged ({error}): `fewshot cache rebuild`"}


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


_PLAIN = "paper"


@dataclass(frozen=True)
class KnownSplit:
    """A split.

    Attributes:
        key: Its run, or "file-" and the name of an imported one.
        metric: What decided, with the variant where that is not the paper's.
        leaves: Its sub-spaces, in tree order.
    """

    key: str
    metric: str
    leaves: tuple[SubSpace, ...]


def known_splits(store: Store, data_dir: Path, dataset: str) -> list[KnownSplit]:
    """Return all splits of a data set, the latest run first and imported ones after them.

    An imported one that cannot be read is left out.
    """
    found = []
    by_label = {metric.label: metric.name for metric in METRICS}
    for row in store.splits(dataset).to_dict("records"):
        variant = "" if row["variant"] == _PLAIN else f" ({row['variant']})"
        leaves = tuple(store.split_tree(str(row["run_id"])).leaves)
        found.append(KnownSplit(str(row["run_id"]), f"{row['metric']}{variant}", leaves))
    for name in imported_names(data_dir):
        try:
            split = open_imported(name, data_dir)
        except FewshotError:
            continue
        if split.dataset == dataset:
            metric = by_label.get(split.name, split.name)
            found.append(KnownSplit(f"file-{name}", metric, split.leaves))
    return found
