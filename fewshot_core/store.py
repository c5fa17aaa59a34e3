"""The DuckDB cache of run folders and accuracy tables; the only module with SQL."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pandas as pd
import pyarrow as pa

from fewshot_core.bench import TableInfo, list_tables
from fewshot_core.data_folder import folder_problem
from fewshot_core.documents import read_parquet, refusing
from fewshot_core.errors import FewshotError, StoreError, TableError, UnknownNameError
from fewshot_core.evidence import Evidence
from fewshot_core.metrics import METRICS
from fewshot_core.runs import (
    RunFolder,
    SearchRequest,
    SplitRequest,
    State,
    TrainingRequest,
    list_folders,
    list_runs,
    reading_problem,
)
from fewshot_core.runs.folder import Status, known_folder, runs_dir
from fewshot_core.runs.overview import RunSummary, find_damage, is_run, summarise
from fewshot_core.runs.requests import read_request
from fewshot_core.search import preset_of
from fewshot_core.space import NAS_BENCH_201, SearchSpace, SubSpace, get_space, space_label
from fewshot_core.splitting import SplitTree
from fewshot_core.splitting.files import imported_names, open_imported

FILE = "cache.duckdb"

VERSION = 7
"""Version of the schema; a cache of another version is rebuilt. Increase it with every change."""

STATEMENTS = (
    "CREATE TABLE version (number INTEGER)",
    f"INSERT INTO version VALUES ({VERSION})",
    """CREATE TABLE runs (
        run_id VARCHAR PRIMARY KEY, kind VARCHAR, dataset VARCHAR, created VARCHAR,
        finished DOUBLE, seconds DOUBLE, synthetic BOOLEAN, request VARCHAR, demo BOOLEAN,
        files VARCHAR)""",
    """CREATE TABLE folders (
        run_id VARCHAR PRIMARY KEY, demo BOOLEAN, files VARCHAR, size BIGINT, status VARCHAR,
        kind VARCHAR, manifest VARCHAR)""",
    """CREATE TABLE splits (
        run_id VARCHAR PRIMARY KEY, metric VARCHAR, variant VARCHAR, batch_norm VARCHAR,
        degenerate_nodes INTEGER, details VARCHAR, tree VARCHAR)""",
    """CREATE TABLE searches (
        run_id VARCHAR PRIMARY KEY, algorithm VARCHAR, preset VARCHAR, sub_space VARCHAR,
        seed BIGINT, family VARCHAR, epochs INTEGER)""",
    """CREATE TABLE epochs (
        run_id VARCHAR, epoch INTEGER, train_loss DOUBLE, train_accuracy DOUBLE,
        valid_loss DOUBLE, valid_accuracy DOUBLE, architecture INTEGER, temperature DOUBLE,
        seconds DOUBLE)""",
    "CREATE TABLE sub_spaces (run_id VARCHAR, number INTEGER, rows VARCHAR)",
    """CREATE TABLE tables (
        name VARCHAR PRIMARY KEY, fingerprint VARCHAR, created VARCHAR)""",
    """CREATE TABLE accuracy (
        table_name VARCHAR, dataset VARCHAR, kind VARCHAR, architecture BIGINT,
        accuracy_mean DOUBLE, accuracy_std DOUBLE, seeds BIGINT)""",
    "CREATE TABLE checksums (name VARCHAR PRIMARY KEY, checksum HUGEINT)",
)

_SPACE = f"coalesce(request ->> '$.space', '{NAS_BENCH_201.name}')"
"""The search space of a run; requests do not name the default."""

_OF_SPACE = f"($space IS NULL OR $space = {_SPACE})"

RUN_TABLES = ("runs", "splits", "searches", "epochs", "sub_spaces")
"""The tables with rows of a run, by ``run_id``."""

_FOLDERS = "all folders"
"""The name of the one checksum of the table of summaries."""

_NAMES = {
    **dict.fromkeys(RUN_TABLES, "run_id"),
    "folders": f"'{_FOLDERS}'",
    "accuracy": "'table ' || table_name",
}
"""The names of the checksums of the rows of each table."""


def _checksums(tables: Iterable[str] = _NAMES, where: str = "true") -> str:
    """The query for the checksum of all rows of each run and table."""
    parts = " UNION ALL ".join(
        f"SELECT {_NAMES[table]} AS name, sum(hash({table})) AS part FROM {table} WHERE {where} "
        "GROUP BY ALL"
        for table in tables
    )
    return f"SELECT name, sum(part)::HUGEINT AS checksum FROM ({parts}) GROUP BY name"


_DIFFERING = (
    f"SELECT count(*) FROM ({_checksums()}) AS found FULL JOIN checksums AS stored USING (name) "
    "WHERE found.checksum IS DISTINCT FROM stored.checksum"
)

_ACCURACY = ["dataset", "kind", "architecture", "accuracy_mean", "accuracy_std", "seeds"]

MEMORY = "256MB"
"""The most memory for pages of the cache's file and for queries; what is more goes to disk."""

QUERIES = 256
"""Number of cached query results."""

_BATCH = 1000
"""Runs inserted together: smaller batches are slower, and larger ones need more memory."""

_DAMAGE = (
    duckdb.CatalogException,
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.SerializationException,
)
_REFUSALS = ("No space left", "quota exceeded", "Read-only file system", "Permission denied")
_INVALID_VALUES = (
    duckdb.DataError,
    duckdb.InvalidInputException,
    pa.ArrowException,
    OverflowError,
    UnicodeError,
)

T = TypeVar("T")
Value = str | tuple[str, ...] | None
Rows = dict[str, list[tuple[Any, ...]]]
"""Rows to insert, by table."""


class Store:
    """The cache of one data folder, in a file or in memory.

    The process that opens the file owns it: DuckDB lets no other process open it meanwhile, not
    even to read. With ``fallback``, a cache in memory is used as long as another process has the
    file open or the disk refuses; a file that has taken its place is used instead. Every query uses
    its own cursor, so threads may share a store. A damaged file is quarantined and rebuilt from the
    run folders whenever the damage is noticed. Demonstration results are included from the folder
    ``demo``; a run that is also among the user's own counts as theirs.

    ``runs`` are the summaries of all run folders at the last ``sync``; it is another list whenever
    one has changed. ``problems`` are runs and tables that could not be read, by name, with the
    reason; ``note`` says that the cache was rebuilt and why, until somebody has read it;
    ``revision`` grows whenever the contents change, ``changes`` also with ``runs``. Raises
    StoreError if another process has the cache open, or the disk refuses, without ``fallback``.
    """

    def __init__(
        self,
        data_dir: Path,
        in_memory: bool = False,
        demo: Path | None = None,
        *,
        fallback: bool = False,
    ) -> None:
        self.data_dir = data_dir
        self.problems: dict[str, str] = {}
        self.runs: list[RunSummary] = []
        self._summaries: dict[str, RunSummary] | None = None
        self.revision = self.changes = 0
        self._demo = demo
        self._path = None if in_memory else data_dir / FILE
        self._lock = threading.RLock()
        self._synced_from = 0.0
        self._cached = lru_cache(maxsize=QUERIES)(
            lambda revision, sql, parameters: self._query_uncached(sql, **dict(parameters))
        )
        self._fallback = fallback
        self._file: tuple[int, int] | None = None
        self._connection = duckdb.connect(":memory:")
        self.note = self._reason = ""
        if in_memory:
            _create(self._connection)
        else:
            self._use_file()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def sync(self) -> None:
        """Add new runs and tables of the data folder and drop deleted ones.

        Raises StoreError if the disk refuses, and TableError if the packaged table is missing.
        """
        called = time.monotonic()
        with self._lock:
            if self._synced_from > called:  # another thread began later and has seen everything
                return
            began = time.monotonic()
            if self._fallback and folder_problem(self.data_dir) is None:
                self._use_file()
            self._rebuilding(self._sync_all)
            self._synced_from = began

    def run_counts(self) -> dict[str, int]:
        """Count the finished runs of each kind."""
        found = self._query("SELECT kind, count(*) AS runs FROM runs GROUP BY kind ORDER BY kind")
        return {str(kind): int(runs) for kind, runs in found.itertuples(index=False)}

    def splits(
        self,
        dataset: str | None = None,
        run_ids: Sequence[str] | None = None,
        space: str | None = NAS_BENCH_201.name,
    ) -> pd.DataFrame:
        """List the finished splits of a space: the user's, latest first, then the demonstration's.

        Columns are run_id, space, dataset, metric, variant, batch_norm, created, finished (a time
        stamp), seconds, degenerate_nodes, request and details (JSON), demo, and evidence (what it
        rests on).
        """
        found = self._query(
            f"SELECT run_id, {_SPACE} AS space, dataset, metric, variant, batch_norm, created, "
            "finished, seconds, degenerate_nodes, request, details, demo "
            "FROM runs JOIN splits USING (run_id) "
            "WHERE ($dataset IS NULL OR dataset = $dataset) "
            f"AND ($run_ids IS NULL OR run_id IN (SELECT unnest($run_ids))) AND {_OF_SPACE} "
            "ORDER BY demo, finished DESC, run_id",
            dataset=dataset,
            run_ids=None if run_ids is None else tuple(run_ids),
            space=space,
        )
        return found.assign(evidence=found["request"].map(partial(_evidence, "split")))

    def spaces(self) -> list[str]:
        """List the search spaces of finished runs."""
        found = self._query(f"SELECT DISTINCT {_SPACE} AS space FROM runs ORDER BY space")
        return [str(name) for name in found["space"]]

    def split_with(self, dataset: str, sub_space: SubSpace) -> str | None:
        """Find the latest finished split that has a sub-space, if any."""
        found = self._query(
            "SELECT run_id FROM runs JOIN sub_spaces USING (run_id) WHERE dataset = $dataset "
            f"AND rows = $rows AND {_OF_SPACE} ORDER BY demo, finished DESC, run_id LIMIT 1",
            dataset=dataset,
            rows=" ".join(sub_space.rows),
            space=sub_space.space.name,
        )
        return None if found.empty else str(found["run_id"].iloc[0])

    def split_trees(self, run_ids: Sequence[str]) -> list[SplitTree]:
        """Read the trees of finished splits in this order; UnknownNameError where there is none."""
        found = self._query_uncached(
            "SELECT run_id, tree FROM splits WHERE run_id IN (SELECT unnest($run_ids))",
            run_ids=tuple(run_ids),
        )
        texts = dict(zip(found["run_id"], found["tree"], strict=True))
        for run_id in run_ids:
            if run_id not in texts:
                raise UnknownNameError(
                    f"unknown split {run_id!r}: it is not among the finished runs"
                )
        return [_tree(texts[run_id], self.data_dir) for run_id in run_ids]

    def split_leaves(self, run_ids: Sequence[str]) -> list[tuple[SubSpace, ...]]:
        """Read the sub-spaces of finished splits, without their trees, in this order."""
        found = self._query_uncached(
            f"SELECT run_id, {_SPACE} AS space, string_agg(rows, '/' ORDER BY number) AS leaves "
            "FROM runs JOIN sub_spaces USING (run_id) "
            "WHERE run_id IN (SELECT unnest($run_ids)) GROUP BY ALL",
            run_ids=tuple(run_ids),
        )
        leaves = {
            run_id: _leaves(text, get_space(space, self.data_dir))
            for run_id, space, text in found.itertuples(index=False)
        }
        return [leaves[run_id] for run_id in run_ids]

    def searches(
        self, dataset: str | None = None, space: str | None = NAS_BENCH_201.name
    ) -> pd.DataFrame:
        """List the finished searches of a space: the user's, latest first, then the demo ones.

        Columns are run_id, dataset, algorithm, preset (a name, or None), sub_space (its rows,
        joined by spaces), seed, family (the same for searches that differ only by sub-space and
        seed), epochs, synthetic (whether the images were), created, finished (a time stamp),
        seconds, request (JSON), demo, evidence (what it rests on), and group (the same for searches
        by one algorithm with equal evidence, which may be averaged).
        """
        found = self._query(
            "SELECT run_id, dataset, algorithm, preset, sub_space, seed, family, epochs, "
            "synthetic, created, finished, seconds, request, demo "
            "FROM runs JOIN searches USING (run_id) "
            f"WHERE ($dataset IS NULL OR dataset = $dataset) AND {_OF_SPACE} "
            "ORDER BY demo, finished DESC, run_id",
            dataset=dataset,
            space=space,
        )
        families = found.groupby(["family", "synthetic"])["request"].transform("first")
        evidence = families.map(partial(_evidence, "search"))
        group = [f"{a}-{e.key}" for a, e in zip(found["algorithm"], evidence, strict=True)]
        return found.assign(evidence=evidence, group=group)

    def search_records(self, run_ids: Sequence[str]) -> pd.DataFrame:
        """List the epochs of finished searches and trainings, by run and epoch.

        Columns are run_id, epoch, train_loss, train_accuracy, valid_loss, valid_accuracy,
        architecture (index of the one that the search would return; missing for trainings),
        temperature and seconds.
        """
        return self._query_uncached(
            "SELECT * FROM epochs WHERE run_id IN (SELECT unnest($run_ids)) ORDER BY run_id, epoch",
            run_ids=tuple(run_ids),
        )

    def found_accuracies(
        self, table: str, kind: str, space: str = NAS_BENCH_201.name
    ) -> pd.DataFrame:
        """Look up the accuracies of the architectures that finished searches found, by run.

        Searches without an accuracy in the table, which is of a space, are left out. The columns
        are dataset, architecture and accuracy_mean; the index is the run.
        """
        found = self._query(
            "SELECT run_id, runs.dataset, epochs.architecture, accuracy_mean "
            "FROM searches JOIN runs USING (run_id) "
            "JOIN epochs ON epochs.run_id = searches.run_id AND epoch = searches.epochs "
            "JOIN accuracy ON accuracy.dataset = runs.dataset "
            "AND accuracy.architecture = epochs.architecture "
            f"WHERE table_name = $table AND accuracy.kind = $kind AND {_OF_SPACE}",
            table=table,
            kind=kind,
            space=space,
        )
        return found.set_index("run_id")

    def trainings(
        self, dataset: str | None = None, space: str | None = NAS_BENCH_201.name
    ) -> pd.DataFrame:
        """List the finished trainings, latest first, with request (JSON), times and data set."""
        return self._query(
            "SELECT run_id, dataset, synthetic, created, finished, seconds, request FROM runs "
            f"WHERE kind = 'train' AND ($dataset IS NULL OR dataset = $dataset) AND {_OF_SPACE} "
            "ORDER BY finished DESC, run_id",
            dataset=dataset,
            space=space,
        )

    def accuracy(self, table: str, dataset: str, kind: str) -> pd.DataFrame:
        """Read the accuracies of a table; see ``fewshot_core.bench.load_accuracy``.

        Raises:
            UnknownNameError: If the table has none for that data set and kind.
            TableError: If the table is damaged.
        """
        found = self._query_uncached(
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

    def _query(self, sql: str, **parameters: Value) -> pd.DataFrame:
        """Run a query, or use its cached result of this revision."""
        found = self._cached(self.revision, sql, tuple(parameters.items()))
        return found.copy(deep=False)  # pandas copies on write

    def _query_uncached(self, sql: str, **parameters: Value) -> pd.DataFrame:
        values = {key: list(v) if isinstance(v, tuple) else v for key, v in parameters.items()}

        def query() -> pd.DataFrame:
            with self._connection.cursor() as cursor:
                return cursor.execute(sql, values).df()

        return self._rebuilding(query)

    def _rebuilding(self, work: Callable[[], T]) -> T:
        """Do something; on damage to the file, rebuild the cache and try once more."""
        connection = self._connection
        try:
            try:
                return work()
            except duckdb.Error as error:
                reason = str(error)
                refused = self._fallback and any(words in reason for words in _REFUSALS)
                if not refused and not _is_damage(error):
                    raise
            with self._lock:
                if self._connection is connection:  # no other thread was first
                    connection.close()
                    if refused:
                        self._use_memory(reason)
                    else:
                        self._use(*_start_over(self._path, "it was damaged"))
                    self._sync_all()
            return work()
        except duckdb.Error as error:
            raise StoreError(f"the cache in {self.data_dir} cannot be used: {error}") from error

    def _use_file(self) -> None:
        """Use the file of the cache, if it is not in use yet or is another one by now."""
        if self._path is None or (self._file is not None and self._file == _identity(self._path)):
            return
        if self._file is not None:  # DuckDB would use the file that is open
            self._connection.close()
        try:
            opened = _open(self._path)
        except StoreError as error:
            if not self._fallback:
                raise
            if self._file is not None or str(error) != self._reason:
                self._use_memory(str(error))
            return
        self._connection.close()
        self._use(*opened)
        self._reason = ""

    def _use_memory(self, reason: str) -> None:
        """Use a cache in memory until the file can be used."""
        self._use(_open(None)[0], f"The cache is in memory for now: {reason}")
        self._file, self._reason = None, reason

    def _use(self, connection: duckdb.DuckDBPyConnection, note: str) -> None:
        self._connection, self.note = connection, note
        self._file = None if self._path is None else _identity(self._path)
        self._summaries = None
        self._change()

    def _sync_all(self) -> None:
        changed = True
        problems: dict[str, str] = {}
        try:
            changed = self._sync_runs(problems)
            changed |= self._sync_tables(problems)
            self.problems = problems
        finally:
            self._change(changed)

    def _change(self, changed: bool = True) -> None:
        """Count a change of the contents, if any, and drop what was queried before."""
        self.revision += changed
        self.changes += changed
        if changed:
            self._cached.cache_clear()

    def _sync_runs(self, problems: dict[str, str]) -> bool:
        """Insert finished runs that are new, delete others; report whether anything changed."""
        stored = self._fetch("SELECT run_id, finished, demo, files FROM runs")
        known = {run_id: tuple(rest) for run_id, *rest in stored}
        if self._summaries is None:
            self._summaries = self._read_summaries()
        runs = summarise(self.data_dir, self._demo, self._summaries)
        unchanged: set[str] = set()
        new = []
        for run in runs:
            if run.status is None or run.status.state is not State.DONE:
                if run.problem is not None and is_run(run.folder):
                    problems[run.run_id] = run.problem
                continue
            files = run.signature or run.folder.files_signature()
            row = (run.status.updated or 0.0, run.demo, files)
            if known.get(run.run_id) == row:
                unchanged.add(run.run_id)
            else:
                new.append((run, row))
        gone = known.keys() - unchanged
        if gone:
            with self._transaction() as cursor:
                for table in RUN_TABLES:
                    sql = f"DELETE FROM {table} WHERE run_id IN (SELECT unnest($1))"
                    cursor.execute(sql, [list(gone)])
                sql = "DELETE FROM checksums WHERE name IN (SELECT unnest($1))"
                cursor.execute(sql, [list(gone)])
        inserted = 0
        for start in range(0, len(new), _BATCH):
            rows: dict[str, Rows] = {}
            for run, row in new[start : start + _BATCH]:
                try:
                    rows[run.run_id] = _read_run(run, *row)
                except FewshotError as error:
                    problems[run.run_id] = str(error)
            refused = self._insert(rows)
            problems |= refused
            inserted += len(rows) - len(refused)
        self._store_summaries(runs)
        runs = [
            replace(run, problem=problems[run.run_id]) if run.run_id in problems else run
            for run in runs
        ]
        if runs != self.runs:
            self.runs = runs
            self.changes += 1
        return bool(gone or inserted)

    def _read_summaries(self) -> dict[str, RunSummary]:
        """Read the summaries of ended runs, which are used as long as their files stay the same."""
        found, own = {}, runs_dir(self.data_dir)
        given = runs_dir(self._demo) if self._demo else own
        for run_id, demo, files, size, status, kind, manifest in self._fetch("FROM folders"):
            values = json.loads(status)
            values["state"] = State(values["state"])
            folder = known_folder(given if demo else own, run_id)
            found[run_id] = RunSummary(
                folder,
                size,
                Status(**values),
                demo=demo,
                signature=files,
                kind=kind,
                manifest=manifest,
            )
        return found

    def _store_summaries(self, runs: Sequence[RunSummary]) -> None:
        """Store the summaries of ended runs that are new or have changed, and drop others."""
        known = self._summaries or {}
        ended = {run.run_id: run for run in runs if run.signature and run.status}
        new = []
        for run_id, run in ended.items():
            if known.get(run_id) is not run:
                status = json.dumps(vars(run.status))
                row = run_id, run.demo, run.signature, run.size, status, run.kind, run.manifest
                new.append(row)
        gone = [*(known.keys() - ended.keys()), *(row[0] for row in new)]
        if gone:
            with self._transaction() as cursor:
                cursor.execute("DELETE FROM folders WHERE run_id IN (SELECT unnest($1))", [gone])
                if new:
                    _insert_rows(cursor, "folders", new)
                cursor.execute("DELETE FROM checksums WHERE name = $1", [_FOLDERS])
                cursor.execute(f"INSERT INTO checksums {_checksums(['folders'])}")
        self._summaries = ended

    def _insert(self, runs: Mapping[str, Rows]) -> dict[str, str]:
        """Insert runs, each completely or not at all; report those with invalid values."""
        try:
            with self._transaction() as cursor:
                for table in RUN_TABLES:
                    rows = [row for of_run in runs.values() for row in of_run.get(table, [])]
                    if rows:
                        _insert_rows(cursor, table, rows)
                sums = _checksums(RUN_TABLES, "run_id IN (SELECT unnest($1))")
                cursor.execute(f"INSERT INTO checksums {sums}", [list(runs)])
        except _INVALID_VALUES as error:
            if len(runs) == 1:
                return {run_id: f"{run_id} has invalid values: {error}" for run_id in runs}
            items, half = list(runs.items()), len(runs) // 2
            return self._insert(dict(items[:half])) | self._insert(dict(items[half:]))
        return {}

    def _sync_tables(self, problems: dict[str, str]) -> bool:
        """Insert accuracy tables that are new or replaced, delete others."""
        known = set(self._fetch("SELECT name, fingerprint, created FROM tables"))
        infos = list_tables(self.data_dir, space=None)
        tables = {(info.name, info.fingerprint, info.created): info for info in infos}
        gone, new = known - tables.keys(), tables.keys() - known
        for name, *_ in gone:
            with self._transaction() as cursor:
                cursor.execute("DELETE FROM accuracy WHERE table_name = ?", [name])
                cursor.execute("DELETE FROM tables WHERE name = ?", [name])
                cursor.execute("DELETE FROM checksums WHERE name = ?", [f"table {name}"])
        for key in new:
            try:
                self._insert_table(tables[key])
            except TableError as error:
                problems[key[0]] = str(error)
        return bool(gone or new - {key for key in new if key[0] in problems})

    def _insert_table(self, info: TableInfo) -> None:
        path = self.data_dir / "tables" / info.name / "accuracy.parquet"
        what = f"the table {info.name!r} is damaged: {path.name}"
        with refusing(TableError, what, "import it again in its place, or remove it"):
            rows = read_parquet(path, _ACCURACY)
        values = [info.name, info.fingerprint, info.created]
        with self._transaction() as cursor:
            cursor.register("new_rows", rows)
            cursor.execute("INSERT INTO accuracy SELECT ?, * FROM new_rows", [info.name])
            cursor.unregister("new_rows")
            cursor.execute("INSERT INTO tables VALUES (?, ?, ?)", values)
            sums = _checksums(["accuracy"], "table_name = ?")
            cursor.execute(f"INSERT INTO checksums {sums}", [info.name])

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a cursor; what it does is committed together, or not at all after an error."""
        with self._connection.cursor() as cursor:
            cursor.begin()
            yield cursor
            cursor.commit()

    def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            return cursor.execute(sql).fetchall()

    def _compare(self, path: Path) -> tuple[int, dict[str, str]]:
        """Compare the runs of this cache, in memory, with those of a file, which is only read.

        Returns the number of runs compared, and those that differ, with the reason; raises
        StoreError if they cannot be compared.
        """
        if not path.exists():
            raise StoreError(f"there is no cache {path} yet: the next start of the app builds it")
        if not path.is_file():
            return 0, {FILE: f"the cache {path} is no file: the next start of the app rebuilds it"}
        quoted = str(path).replace("'", "''")
        try:
            self._connection.execute(f"ATTACH '{quoted}' AS file (READ_ONLY)")
            if self._fetch("SELECT number FROM file.version") != [(VERSION,)]:
                raise StoreError(
                    f"the cache {path} is of another version: the next start rebuilds it"
                )
            both = "SELECT run_id FROM runs JOIN file.runs AS other USING (run_id, finished)"
            names = {name for (name,) in self._fetch(both)}
            differing = {}
            for table in RUN_TABLES:
                rows = self._fetch(
                    f"SELECT run_id FROM (FROM {table} EXCEPT ALL FROM file.{table}) UNION "
                    f"SELECT run_id FROM (FROM file.{table} EXCEPT ALL FROM {table})"
                )
                for run_id in names & {run_id for (run_id,) in rows}:
                    differing[run_id] = (
                        f"the cache has other {table} of {run_id} than its folder: "
                        "`fewshot cache rebuild` rebuilds it"
                    )
            return len(names), differing
        except duckdb.Error as error:
            if _is_locked(error):
                raise StoreError(
                    f"the cache {path} is open in another process, probably the app, and was not "
                    "compared: only run folders and tables were checked"
                ) from error
            return 0, {FILE: f"the cache {path} is damaged ({error}): `fewshot cache rebuild`"}


@lru_cache(maxsize=1_000)
def _tree(text: str, data_dir: Path) -> SplitTree:
    return SplitTree.from_json(text, data_dir)


@lru_cache(maxsize=1_000)
def _leaves(text: str, space: SearchSpace) -> tuple[SubSpace, ...]:
    return tuple(SubSpace.from_rows(rows.split(), space) for rows in text.split("/"))


Opened = tuple[duckdb.DuckDBPyConnection, str]
"""A connection, and why the cache had to be rebuilt; empty where it had not."""


def _open(path: Path | None) -> Opened:
    """Open a cache, and build an empty one where it is missing, damaged or of another version."""
    if path is None:
        return _create(duckdb.connect(":memory:")), ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if any(file.exists() and not file.is_file() for file in (path, _journal(path))):
            return _start_over(path, "it was no file")
        connection = _connect(path)
        try:
            version = _version(connection)
            if version is None:
                return _create(connection), ""
            reason = "it was of another version of the workbench"
            if version == VERSION:
                if connection.execute(_DIFFERING).fetchall() == [(0,)]:
                    return connection, ""
                reason = "rows were missing or had been changed"
        except duckdb.Error:
            connection.close()
            raise
        connection.close()
        return _start_over(path, reason)
    except OSError as error:
        raise StoreError(f"the cache {path} cannot be opened: {error}") from error
    except duckdb.Error as error:
        if _is_locked(error):
            raise _in_use(path) from error
        try:
            return _start_over(path, "it was damaged")
        except StoreError:
            raise StoreError(f"the cache {path} cannot be opened: {error}") from error


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a file with a limit of memory; by default DuckDB takes most of what there is."""
    connection = duckdb.connect(str(path))
    connection.execute(f"SET memory_limit = '{MEMORY}'")
    return connection


def _version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Read the version of a cache: None where it is empty, -1 where it is something else."""
    tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    if not tables:
        return None
    if ("version",) not in tables:
        return -1
    row = connection.execute("SELECT * FROM version").fetchone()
    return row[0] if row and isinstance(row[0], int) else -1


def _create(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.begin()
    for statement in STATEMENTS:
        connection.execute(statement)
    connection.commit()
    return connection


def _start_over(path: Path | None, reason: str) -> Opened:
    """Quarantine an unusable cache under another name and create an empty one."""
    if path is None:
        return _open(None)
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    try:
        other = path.with_name(f"{path.name}.quarantine-{stamp}")
        with suppress(FileNotFoundError):
            path.replace(other)
        journal = _journal(path)
        if journal.is_dir():
            journal.replace(journal.with_name(f"{other.name}.wal"))
        journal.unlink(missing_ok=True)
        note = f"The cache was rebuilt from the run folders: {reason}. It is now {other.name}."
        return _create(_connect(path)), note
    except (OSError, duckdb.Error) as error:
        raise StoreError(f"the cache {path} cannot be built: {error}") from error


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one that has taken its place; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _journal(path: Path) -> Path:
    """The file beside a cache in which DuckDB notes changes."""
    return path.with_name(path.name + ".wal")


def _is_locked(error: duckdb.Error) -> bool:
    return "Could not set lock" in str(error)


def _is_damage(error: duckdb.Error) -> bool:
    """Whether the file is damaged, or DuckDB has invalidated the connection."""
    if isinstance(error, _DAMAGE):
        return True
    return any(words in str(error) for words in ("Corrupt database file", "Could not read"))


def _in_use(path: Path) -> StoreError:
    return StoreError(
        f"the cache {path} is open in another process, probably an app on the same data folder: "
        "close that one, or use another data folder"
    )


def _insert_rows(
    cursor: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    names = [f"c{number}" for number in range(len(columns))]
    cursor.register("new_rows", pa.table(columns, names))
    cursor.execute(f"INSERT INTO {table} SELECT * FROM new_rows")
    cursor.unregister("new_rows")


def _read_run(run: RunSummary, finished: float, demo: bool, files: str) -> Rows:
    """Read the rows of a finished run, with the time stamp of its last status."""
    request, manifest = run.request or run.folder.request(), json.loads(run.manifest)
    result = run.folder.result(request)
    if result is None:
        raise StoreError(f"{run.run_id} is done but its result is incomplete; start it again")
    seconds, rows = run.seconds or 0.0, Rows()
    if isinstance(request, SplitRequest) and isinstance(result, SplitTree):
        seconds, rows = _split_rows(run.run_id, request, result)
    elif isinstance(request, SearchRequest | TrainingRequest) and isinstance(result, list):
        family = ""
        if isinstance(request, SearchRequest):
            family = request.family(manifest.get("fingerprints", {}))
        seconds, rows = _epoch_rows(run.run_id, request, result, family)
    row = (
        run.run_id,
        request.kind,
        request.dataset,
        str(manifest.get("created", "")),
        finished,
        seconds,
        bool(manifest.get("synthetic", False)),
        json.dumps(manifest["request"]),
        demo,
        files,
    )
    return {"runs": [row], **rows}


def _split_rows(run_id: str, request: SplitRequest, tree: SplitTree) -> tuple[float, Rows]:
    """Return the computing time in seconds and the rows of a split."""
    split = (
        run_id,
        request.metric,
        request.variant,
        request.batch_norm if request.needs_images else None,
        sum(node.degenerate for node in tree.nodes),
        json.dumps(dict(tree.details)),
        json.dumps(tree.to_dict(), ensure_ascii=False),
    )
    leaves = [
        (run_id, number, " ".join(leaf.rows)) for number, leaf in enumerate(tree.leaves, start=1)
    ]
    seconds = sum(node.seconds for node in tree.nodes)
    return seconds, {"splits": [split], "sub_spaces": leaves}


def _epoch_rows(
    run_id: str, request: SearchRequest | TrainingRequest, records: list[Any], family: str
) -> tuple[float, Rows]:
    """Return the computing time in seconds and the rows of a search or training."""
    columns = ["epoch", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy"]
    columns += ["architecture_index", "temperature", "seconds"]
    epochs = [(run_id, *(record.get(name) for name in columns)) for record in records]
    rows: Rows = {"epochs": epochs}
    if isinstance(request, SearchRequest):
        search = (
            run_id,
            request.algorithm,
            preset_of(request.options),
            " ".join(request.rows),
            request.seed,
            family,
            request.options.epochs,
        )
        rows["searches"] = [search]
    return sum(float(record.get("seconds") or 0.0) for record in records), rows


@dataclass(frozen=True)
class Rebuilt:
    """Contents of a rebuilt cache: number of finished runs of each kind, and the accuracy tables.

    ``left_out`` are runs and tables that were left out, by name, with the reason.
    """

    runs: Mapping[str, int]
    tables: tuple[str, ...]
    left_out: Mapping[str, str]


def rebuild(data_dir: Path) -> Rebuilt:
    """Delete the cache of a data folder and rebuild it; raises as ``Store``."""
    path = data_dir / FILE
    try:
        if path.is_file():
            duckdb.connect(str(path)).close()
    except duckdb.Error as error:  # a damaged one may be deleted
        if _is_locked(error):
            raise _in_use(path) from error
    try:
        for file in (path, _journal(path)):
            file.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"the cache {path} cannot be deleted: {error}") from error
    with closing(Store(data_dir)) as store:
        store.sync()
        rows = store._fetch("SELECT name FROM tables ORDER BY created, name")
        left_out = _unfinished(data_dir) | store.problems
        return Rebuilt(store.run_counts(), tuple(name for (name,) in rows), left_out)


def _unfinished(data_dir: Path) -> dict[str, str]:
    found = {}
    for folder in list_folders(data_dir):
        problem = reading_problem(folder)
        if problem is None:
            state = folder.status().state
            problem = None if state is State.DONE else f"{folder.run_id} is not done: {state}"
        if problem is not None:
            found[folder.run_id] = problem
    return found


@dataclass(frozen=True)
class Verified:
    """Outcome of a check of a data folder.

    Counted are run folders (foreign ones included), those with a result, demonstration results
    besides (``given``), and the finished runs that were compared with the cache; ``note`` says why
    where it could not be compared. ``damaged`` are the user's run folders, and ``problems`` the
    damage of anything else, by name.
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
        """Whether there is no damage."""
        return not self.damaged and not self.problems


def verify(data_dir: Path, demo: Path | None = None) -> Verified:
    """Check run folders, tables and cache for damage, without changing anything."""
    own = list_folders(data_dir)
    names = {folder.run_id for folder in own}
    given = [folder for folder in list_runs(demo) if folder.run_id not in names] if demo else []
    with closing(Store(data_dir, in_memory=True, demo=demo)) as store:
        store.sync()
        damaged = _damage(own, store.problems)
        of_given = _damage(given, store.problems)
        runs = {*names, *(folder.run_id for folder in given)}
        problems = {name: why for name, why in store.problems.items() if name not in runs}
        problems |= {name: "; ".join(reasons) for name, reasons in of_given.items()}
        compared, note = 0, None
        try:
            compared, differing = store._compare(data_dir / FILE)
            problems |= differing
        except StoreError as error:
            note = str(error)
        [(finished,)] = store._fetch("SELECT count(*) FROM runs WHERE NOT demo")
    return Verified(len(own), finished, len(given), compared, note, damaged, problems)


def _damage(folders: Sequence[RunFolder], refused: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Find the damage of run folders, with the problems of those that a cache has refused."""
    found = {}
    for folder in folders:
        reasons = tuple(find_damage(folder))
        if not reasons and folder.run_id in refused:
            reasons = (refused[folder.run_id],)
        if reasons:
            found[folder.run_id] = reasons
    return found


@lru_cache(maxsize=20_000)
def _evidence(kind: str, request: str) -> Evidence:
    """Read what the result of a request in the cache rests on."""
    return read_request(kind, json.loads(request)).evidence


@dataclass(frozen=True)
class KnownSplit:
    """A split of a run, or of an imported file, whose key is then "file-" and its name.

    The metric is named with the variant where that is not the paper's; leaves are in tree order. A
    demo split came with the project.
    """

    key: str
    metric: str
    leaves: tuple[SubSpace, ...]
    evidence: Evidence
    demo: bool = False


def known_splits(
    store: Store, data_dir: Path, dataset: str, space: SearchSpace = NAS_BENCH_201
) -> list[KnownSplit]:
    """List all splits of a data set, the latest run first, then imported ones that are readable.

    Partitions without supernets are left out.
    """
    found = []
    by_label = {metric.label: metric.name for metric in METRICS}
    splits = store.splits(dataset, space=space.name)
    of_runs = store.split_leaves(list(splits["run_id"]))
    for row, leaves in zip(splits.to_dict("records"), of_runs, strict=True):
        variant = "" if row["variant"] == "paper" else f" ({row['variant']})"
        key, metric = str(row["run_id"]), f"{row['metric']}{variant}"
        found.append(KnownSplit(key, metric, leaves, row["evidence"], bool(row["demo"])))
    for name in imported_names(data_dir):
        try:
            split = open_imported(name, data_dir)
            leaves = split.sub_spaces
        except FewshotError:
            continue
        if (split.dataset, split.space) == (dataset, space):
            metric = by_label.get(split.name, split.name)
            evidence = Evidence(dataset, space=space_label(space))
            found.append(KnownSplit(f"file-{name}", metric, leaves, evidence))
    return found
