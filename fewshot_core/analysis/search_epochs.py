"""Recorded searches as one table: what was measured, and what would be found."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = (
    "sub_space",
    "seed",
    "epoch",
    "valid_accuracy",
    "valid_loss",
    "train_loss",
    "train_accuracy",
    "entropy",
    "temperature",
    "architecture",
    "benchmark_accuracy",
    "seconds",
)
MEASURES = ("valid_accuracy", "valid_loss", "entropy", "benchmark_accuracy")
"""The columns that are drawn over epochs."""

UNSPLIT = "whole"
"""What a search in the whole space is called, where those in sub-spaces are S1, S2 and so on."""

Records = Sequence[Mapping[str, Any]]


def search_epochs(
    searches: Iterable[tuple[str, int, Records]], accuracy: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the epochs of some searches, one row each.

    Args:
        searches: The sub-space's name, the seed, and the records (``EpochRecord.to_dict``) of each.
        accuracy: Columns architecture (index) and accuracy_mean (percent) of a table, or None.

    Returns:
        Columns ``COLUMNS``. ``valid_accuracy`` is the supernet's, measured by the search;
        ``benchmark_accuracy`` is what the table says of the architecture it would return, NaN
        where it does not know. ``entropy`` is that of the distribution over architectures, in
        bits: the sum over edges, since each is chosen by itself.
    """
    rows = [_row(name, seed, record) for name, seed, records in searches for record in records]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    if accuracy is not None:
        known = accuracy.set_index("architecture")["accuracy_mean"]
        frame["benchmark_accuracy"] = frame["architecture"].map(known).astype(np.float64)
    numbers = ["train_loss", "train_accuracy", "temperature", "benchmark_accuracy"]
    return frame.astype(dict.fromkeys(numbers, np.float64))


def mean_over_seeds(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the mean curve of each sub-space over the seeds that have come as far.

    Returns:
        Columns sub_space, epoch, ``MEASURES`` and seeds: how many each mean is of.
    """
    groups = frame.groupby(["sub_space", "epoch"], sort=False, as_index=False)
    means = groups[list(MEASURES)].mean()
    return means.assign(seeds=groups["seed"].nunique()["seed"])


def _row(name: str, seed: int, record: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        name,
        seed,
        record["epoch"],
        record["valid_accuracy"],
        record["valid_loss"],
        record["train_loss"],
        record["train_accuracy"],
        sum(record["entropy"]),
        record["temperature"],
        record["architecture_index"],
        np.nan,
        record["seconds"],
    )
