"""Uncertainty of a split's numbers over training seeds."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from fewshot_core.analysis.informativeness import SplitEvaluator, report_frame
from fewshot_core.errors import TableError
from fewshot_core.space import Part

DRAWS = 100
"""Number of resampled tables."""


def seed_tables(seeds: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """Make one table of accuracies for each seed that every architecture was trained with.

    A seed of some architectures only is left out: a table without the others would have another
    top. A table without seeds numbers the trainings of each architecture from 0; such a number is
    an order and no seed, but every training is still independent. ``seeds`` is a table of
    ``fewshot_core.bench.load_seeds``; there is no table where no seed is complete.
    """
    known = seeds.dropna(subset=["accuracy"]).rename(columns={"accuracy": "accuracy_mean"})
    everyone = known["architecture"].nunique()
    return {
        int(str(seed)): rows[["architecture", "accuracy_mean"]]
        for seed, rows in known.groupby("seed")
        if rows["architecture"].nunique() == everyone
    }


def resampled_tables(
    seeds: pd.DataFrame, draws: int = DRAWS, seed: int = 0
) -> Iterator[pd.DataFrame]:
    """Resample training seeds: yield tables with one random training per architecture.

    Each training of an architecture has the same probability, independently for each architecture
    and table. All trainings are used, also of seeds that not every architecture has.
    """
    known = seeds.dropna(subset=["accuracy"]).sort_values(["architecture", "seed"])
    architectures, first, count = np.unique(
        known["architecture"].to_numpy(), return_index=True, return_counts=True
    )
    accuracy = known["accuracy"].to_numpy(dtype=np.float64)
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        chosen = accuracy[first + generator.integers(count)]
        yield pd.DataFrame({"architecture": architectures, "accuracy_mean": chosen})


def seed_values(
    leaves: Sequence[Part], tables: Iterable[pd.DataFrame], threshold: float = 0.01
) -> pd.DataFrame:
    """Compute the numbers of a split in each of several tables.

    Returns:
        One row for each table: gain_bits; best_bits, share_of_best and percentile (missing where
        the split has no shape; see ``BaselineComparison``); gini; optimum_in_best_mean (0 or 1).
    """
    names = ["gain_bits", "best_bits", "share_of_best", "percentile", "gini"]
    names.append("optimum_in_best_mean")
    frames = [report_frame({"": leaves}, SplitEvaluator(table, threshold)) for table in tables]
    values = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=names)
    return values[names].astype("float64")


def seed_uncertainty(
    leaves: Sequence[Part],
    seeds: pd.DataFrame,
    threshold: float = 0.01,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Summarise how much the numbers of a split vary with the training seeds.

    They are numbers of single trainings, whose noise blurs the top: they lie around the
    informativeness with respect to one training, and not around that of a table of means.

    Returns:
        Columns source ("seed": the tables of complete seeds; "resampled": see
        ``resampled_tables``), quantity (a column of ``seed_values``), tables (their number), mean,
        std (sample deviation over tables; missing for one table), min and max. The mean of
        optimum_in_best_mean is the share of tables where it holds.

    Raises:
        TableError: If there is no training.
    """
    if seeds["accuracy"].notna().sum() == 0:
        raise TableError("expected accuracies by seed, got none; choose a table that has them")
    sources = {
        "seed": seed_values(leaves, seed_tables(seeds).values(), threshold),
        "resampled": seed_values(leaves, resampled_tables(seeds, draws, seed), threshold),
    }
    frames = []
    for source, values in sources.items():
        summary = values.agg(["mean", "std", "min", "max"]).T.rename_axis("quantity").reset_index()
        summary.insert(0, "source", source)
        summary.insert(2, "tables", len(values))
        frames.append(summary[summary["tables"] > 0])
    return pd.concat(frames, ignore_index=True)
