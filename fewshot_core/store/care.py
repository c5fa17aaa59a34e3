"""Rebuilding a cache, and checking that it says what the run folders say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fewshot_core.errors import StoreError
from fewshot_core.runs import RunFolder, State, foreign_folders, list_runs, reading_problem
from fewshot_core.runs.damage import find_damage
from fewshot_core.store.cache import FILE, Store
from fewshot_core.store.opening import drop_cache, is_locked, open_cache
from fewshot_core.store.schema import RUN_TABLES, VERSION
from fewshot_core.store.syncing import sync_runs, sync_tables


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
    own = [*list_runs(data_dir), *foreign_folders(data_dir)]
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
    for folder in [*list_runs(data_dir), *foreign_folders(data_dir)]:
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
