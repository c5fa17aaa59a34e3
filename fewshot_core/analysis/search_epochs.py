"""Recorded epochs of searches as one table, with the benchmark accuracy of what they found."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = (
    *("sub_space", "seed", "epoch", "valid_accuracy", "valid_loss", "train_loss"),
    *("train_accuracy", "entropy", "temperature", "architecture", "benchmark_accuracy", "seconds"),
)
MEASURES = ("valid_accuracy", "valid_loss", "entropy", "benchmark_accuracy")
"""The columns that are drawn over epochs."""

UNSPLIT = "whole"
"""Name of a search in the whole space, beside S1, S2, ... for searches in sub-spaces."""

Records = Sequence[Mapping[str, Any]]


def search_epochs(
    searches: Iterable[tuple[str, int, Records]], accuracy: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Arrange the epochs of searches, given by sub-space, seed and records, in one table.

    Returns:
        One row per epoch with the columns ``COLUMNS``. ``valid_accuracy`` is the supernet's,
        measured by the search; ``benchmark_accuracy`` is the table's, for the architecture that the
        search would return, NaN where unknown. ``entropy`` is that of the distribution over
        architectures in bits: the sum over edges, since they are chosen independently.
    """
    rows = [
        {
            **record,
            "sub_space": name,
            "seed": seed,
            "entropy": sum(record["entropy"]),
            "architecture": record["architecture_index"],
        }
        for name, seed, records in searches
        for record in records
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    if accuracy is not None:
        known = accuracy.set_index("architecture")["accuracy_mean"]
        frame["benchmark_accuracy"] = frame["architecture"].map(known)
    numbers = ["train_loss", "train_accuracy", "temperature", "benchmark_accuracy"]
    return frame.astype(dict.fromkeys(numbers, np.float64))


def mean_over_seeds(frame: pd.DataFrame) -> pd.DataFrame:
    """Average the curves of each sub-space over the seeds that have reached each epoch.

    Returns:
        Columns sub_space, epoch, ``MEASURES`` and seeds (the number averaged over).
    """
    groups = frame.groupby(["sub_space", "epoch"], sort=False, as_index=False)
    means = groups[list(MEASURES)].mean()
    return means.assign(seeds=groups["seed"].nunique()["seed"])
