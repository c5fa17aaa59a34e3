"""Taking finished runs into the cache."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import duckdb
import pyarrow as pa

from fewshot_core.errors import StoreError
from fewshot_core.runs import RunFolder, SplitRequest
from fewshot_core.search import SearchRequest, TrainingRequest, preset_of
from fewshot_core.splitting import SplitTree

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
