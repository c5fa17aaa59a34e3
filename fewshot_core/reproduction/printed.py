"""What the paper's own tables, as printed, say about its claims on splitting and on metrics."""

import pandas as pd

from fewshot_core.analysis import NO_SPLITTING, published_results
from fewshot_core.reproduction.claims import Evidence, Grid
from fewshot_core.reproduction.material import RANDOM
from fewshot_core.reproduction.rules import Tally

_MATERIAL = "the paper's Tables 1 to 3, as printed"


def printed_deviation(dataset: str) -> float:
    """Return the largest deviation over seeds that is printed for a data set, in points."""
    table = published_results()
    return float(table[table["dataset"] == dataset]["std"].max())


def splitting_better() -> Evidence:
    """Count printed results with splitting that are above those without, by algorithm."""
    split, whole = _with_and_without()
    better = split > whole
    tally = Tally.count(better)
    grid = _by_algorithm(better, "better than without splitting")
    return _printed(f"Better in {tally.text} results.", tally, grid)


def splitting_not_worse() -> Evidence:
    """Count printed results of SNAS with splitting that are not below those without."""
    split, whole = _with_and_without()
    of_snas = split.index.get_level_values("algorithm") == "snas"
    kept = (split >= whole)[of_snas]
    tally = Tally.count(kept)
    lines = tuple(
        (str(dataset), f"{int(part.sum())} of {len(part)}")
        for dataset, part in kept.groupby("dataset", sort=False)
    )
    grid = Grid(("data set", "as good as without splitting, or better"), lines)
    return _printed(f"As good or better in {tally.text} results of SNAS.", tally, grid)


def random_as_good() -> Evidence:
    """Count printed results of metrics that random is as good as, by algorithm."""
    table = published_results()
    rows = table[~table["metric"].isin([RANDOM, NO_SPLITTING])]
    chance = table[table["metric"] == RANDOM].set_index(["dataset", "algorithm"])["mean"]
    keys = pd.MultiIndex.from_frame(rows[["dataset", "algorithm"]])
    margins = rows["dataset"].map(printed_deviation).to_numpy()
    distance = chance.loc[keys].to_numpy() - rows["mean"].to_numpy()
    index = pd.MultiIndex.from_frame(rows[["dataset", "metric", "algorithm"]])
    similar = pd.Series(distance >= -margins, index=index)
    tally = Tally.count(similar)
    strict = Tally.count(distance >= 0)
    measured = (
        f"Similar or better in {tally.text} comparisons; without allowing for the deviation in "
        f"{strict.text}."
    )
    return _printed(measured, tally, _by_algorithm(similar, "random similar or better"))


def best_metrics() -> pd.DataFrame:
    """Return the metrics that are printed as the best of each data set and algorithm.

    Returns:
        Columns dataset, algorithm and metrics (a frozenset; random counts, no splitting not).
    """
    table = published_results()
    best = table[table["best"] & (table["metric"] != NO_SPLITTING)]
    grouped = best.groupby(["dataset", "algorithm"], sort=False)["metric"]
    return grouped.agg(frozenset).rename("metrics").reset_index()


def _with_and_without() -> tuple["pd.Series[float]", "pd.Series[float]"]:
    """Return all results with splitting, and for each the one without, under the same index."""
    means = published_results().set_index(["dataset", "metric", "algorithm"])["mean"]
    is_whole = means.index.get_level_values("metric") == NO_SPLITTING
    whole, split = means[is_whole], means[~is_whole]
    keys = [(dataset, NO_SPLITTING, algorithm) for dataset, _, algorithm in split.index]
    return split, pd.Series(whole.loc[keys].to_numpy(), index=split.index)


def _by_algorithm(cases: "pd.Series[bool]", heading: str) -> Grid:
    lines = tuple(
        (str(algorithm), f"{int(part.sum())} of {len(part)}")
        for algorithm, part in cases.groupby("algorithm", sort=False)
    )
    return Grid(("algorithm", heading), lines)


def _printed(measured: str, tally: Tally, grid: Grid) -> Evidence:
    return Evidence(
        _MATERIAL, "counted, not measured here", measured, tally.verdict, tally.reason, grid
    )
