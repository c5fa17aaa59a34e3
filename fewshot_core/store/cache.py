"""The cache: what run folders and accuracy tables hold, ready to be asked."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import duckdb
import pandas as pd

from fewshot_core.errors import StoreError, TableError, UnknownNameError
from fewshot_core.space import SubSpace
from fewshot_core.splitting import SplitTree
from fewshot_core.store.opening import is_damage, open_cache, start_anew
from fewshot_core.store.syncing import sync_runs, sync_tables

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
