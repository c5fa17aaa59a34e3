"""What an importer hands over: the checked content of a table, before it is stored."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fewshot_core.bench.mapping import ColumnMapping
from fewshot_core.bench.records import KINDS, TableSet
from fewshot_core.bench.validation import check_rows
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError
from fewshot_core.space import ARCHITECTURE_COUNT

_KEYS = ["dataset", "kind", "architecture"]


@dataclass(frozen=True)
class TableContent:
    """The accuracies of a table and, where they are known, its seeds and costs.

    Attributes:
        source: Where it came from: a file name, or a package and its version.
        sets: What it holds.
        accuracy: Columns dataset, kind, architecture, accuracy_mean and accuracy_std (percent; the
            sample deviation over seeds, NaN for one or an unknown number) and seeds (their number,
            NA where unknown).
        seeds: Columns dataset, kind, architecture, seed, accuracy (percent); or None.
        costs: Columns dataset, architecture, parameters (their number), latency and train_time
            (seconds), means over seeds; or None.
    """

    source: str
    sets: tuple[TableSet, ...]
    accuracy: pd.DataFrame
    seeds: pd.DataFrame | None = None
    costs: pd.DataFrame | None = None

    def parts(self) -> dict[str, pd.DataFrame | None]:
        """Return its frames by name."""
        return {"accuracy": self.accuracy, "seeds": self.seeds, "costs": self.costs}


@dataclass(frozen=True)
class Reading:
    """What an importer understood of its input.

    Attributes:
        content: The content, or None where the input cannot be understood as it stands.
        rows: The first rows, as they are in the input.
        columns: Names of all columns of the input; empty for inputs without.
        mapping: What its columns were taken for; None for inputs without.
        problem: Why this may not be imported as it stands and what to do, or None if it may.
    """

    content: TableContent | None
    rows: pd.DataFrame
    columns: tuple[str, ...] = ()
    mapping: ColumnMapping | None = None
    problem: str | None = None

    def accepted(self) -> TableContent:
        """Return the content.

        Raises:
            TableError: If there is a problem.
        """
        if self.content is None or self.problem is not None:
            raise TableError(self.problem or "could not understand the input")
        return self.content


def content_from_seeds(
    rows: pd.DataFrame, costs: pd.DataFrame, source: str, epochs: int
) -> TableContent:
    """Return the content of a table that knows the accuracy of every seed.

    Args:
        rows: Columns dataset, kind, architecture, seed, accuracy and place (where the row was
            found, for messages).
        costs: As in ``TableContent``.
        source: As in ``TableContent``.
        epochs: How many epochs each training took.

    Raises:
        TableError: If an accuracy cannot be one, or is there twice.
    """
    check_rows(rows)
    groups = rows.groupby(_KEYS)["accuracy"]
    accuracy = groups.agg(accuracy_mean="mean", accuracy_std="std", seeds="count").reset_index()
    accuracy["seeds"] = accuracy["seeds"].astype("Int64")
    seeds = rows[[*_KEYS, "seed", "accuracy"]].sort_values([*_KEYS, "seed"], ignore_index=True)
    return TableContent(source, _describe_sets(accuracy, epochs), accuracy, seeds, costs)


def content_from_means(rows: pd.DataFrame, source: str, epochs: int | None) -> TableContent:
    """Return the content of a table that knows only one accuracy for each architecture.

    Args:
        rows: Columns dataset, kind, architecture, accuracy and place (where the row was found, for
            messages).
        source: As in ``TableContent``.
        epochs: How many epochs each training took, or None where that is not known.

    Raises:
        TableError: If an accuracy cannot be one, or is there twice.
    """
    check_rows(rows)
    accuracy = rows[_KEYS].assign(
        accuracy_mean=rows["accuracy"],
        accuracy_std=np.nan,
        seeds=pd.array([pd.NA] * len(rows), dtype="Int64"),
    )
    accuracy = accuracy.sort_values(_KEYS, ignore_index=True)
    return TableContent(source, _describe_sets(accuracy, epochs), accuracy)


def _describe_sets(accuracy: pd.DataFrame, epochs: int | None) -> tuple[TableSet, ...]:
    pairs = [(dataset, kind) for dataset in DATASETS.names() for kind in KINDS]
    parts = {
        pair: accuracy[(accuracy["dataset"] == pair[0]) & (accuracy["kind"] == pair[1])]
        for pair in pairs
    }
    return tuple(
        TableSet(
            dataset=dataset,
            kind=kind,
            architectures=len(part),
            complete=len(part) == ARCHITECTURE_COUNT,
            seeds=_seeds_text(part["seeds"].dropna().unique()),
            epochs=epochs,
        )
        for (dataset, kind), part in parts.items()
        if len(part)
    )


def _seeds_text(counts: Iterable[int]) -> str:
    texts = [str(count) for count in sorted(counts)]
    if not texts:
        return "not stated"
    return " or ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))
