"""Recorded epochs of searches as one table, with the benchmark accuracy of what they found."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = (
    *("sub_space", "seed", "epoch", "valid_accuracy", "valid_loss", "train_loss"),
    *("train_accuracy", "entropy", "temperature", "architecture", "benchmark_accuracy", "seconds"),
)
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


def smooth(frame: pd.DataFrame, measure: str, weight: float) -> pd.DataFrame:
    """Replace a measure by its exponential moving average over the epochs of each search.

    Args:
        frame: Columns sub_space, seed, epoch and the measure; epochs are ascending.
        measure: The column.
        weight: Weight of the average so far against the next value, below 1; 0 changes nothing.
    """
    if not weight:
        return frame
    curves = frame.groupby(["sub_space", "seed"], sort=False)[measure]
    return frame.assign(**{measure: curves.transform(lambda y: y.ewm(alpha=1 - weight).mean())})


def mean_over_seeds(frame: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Average a measure of each sub-space over the seeds that have reached each epoch.

    Returns:
        Columns sub_space, epoch, the measure (its mean), low and high (the lowest and highest
        seed), and seeds (the number averaged over).
    """
    groups = frame.dropna(subset=[measure]).groupby(["sub_space", "epoch"], sort=False)[measure]
    means = groups.agg(["mean", "min", "max", "size"]).reset_index()
    return means.set_axis(["sub_space", "epoch", measure, "low", "high", "seeds"], axis=1)


def found_by_seed(frame: pd.DataFrame, known: "pd.Series[float]") -> pd.DataFrame:
    """List, for each seed, the best architecture found, and that of the best supernet.

    Args:
        frame: What ``search_epochs`` returns; the last epoch of each search counts.
        known: Benchmark accuracies by architecture, in percent, without missing ones.

    Returns:
        Two rows for each seed, with the columns of ``search_epochs``, ``choice`` (``"best"``: of
        all that was found; ``"selected"``: of the highest validation accuracy of a supernet) and
        ``rank`` (in the table; ties share the best rank, NaN where the table lacks it). A seed of
        which the table knows nothing is left out.
    """
    last = frame.groupby(["seed", "sub_space"], sort=False).tail(1)
    last = last[last.groupby("seed")["benchmark_accuracy"].transform("count") > 0]
    columns = {"best": "benchmark_accuracy", "selected": "valid_accuracy"}
    rows = [
        last.loc[last.groupby("seed")[column].idxmax()].assign(choice=choice)
        for choice, column in columns.items()
    ]
    found = pd.concat(rows, ignore_index=True)
    ranks = np.array([1 + (known > value).sum() for value in found["benchmark_accuracy"]], float)
    return found.assign(rank=np.where(found["benchmark_accuracy"].isna(), np.nan, ranks))
