"""Loading accuracies, seeds and costs, by data set and kind."""

from pathlib import Path

import pandas as pd

from fewshot_core.bench.catalog import find_table, open_source
from fewshot_core.bench.records import PACKAGED_TABLE
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError

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
