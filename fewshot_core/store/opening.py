"""Opening the file of the cache, and starting it anew where it cannot be used."""

from datetime import datetime
from pathlib import Path

import duckdb

from fewshot_core.errors import StoreError
from fewshot_core.store.schema import STATEMENTS, VERSION

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
