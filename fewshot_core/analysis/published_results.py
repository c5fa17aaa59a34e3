"""The results that the paper reports (Tables 1 to 3)."""

from functools import cache
from importlib.resources import as_file, files

import pandas as pd

ALGORITHM_LABELS = {
    "darts-1st": "DARTS-1st",
    "darts-2nd": "DARTS-2nd",
    "snas": "SNAS",
    "dsnas": "DSNAS",
}
"""The columns of the tables, with their headings."""

METRIC_LABELS = {"linear_regions": "#lr", "params": "#params"}
"""The metrics that the tables call otherwise."""

NO_SPLITTING = "no splitting"
"""What stands in the place of a metric where the whole space was searched."""

SOURCE = "Ly-Manson et al., AutoML 2024, Tables 1 to 3 (hal-04576139v2, CC BY 4.0)"

DIGITS = 2
"""Digits after the point; results that are equal in these are equally good."""


def published_results() -> pd.DataFrame:
    """Return the published tables, one row for each cell, in their order.

    Returns:
        Columns dataset, metric, algorithm, mean and std (percent; DARTS has no deviation, being
        deterministic) and best (whether it is the highest of its column).
    """
    return _read().copy()


def are_best(means: "pd.Series[float]") -> "pd.Series[bool]":
    """Return which results are the highest, as printed; a missing one is not."""
    printed = means.round(DIGITS)
    return printed.notna() & (printed == printed.max())


@cache
def _read() -> pd.DataFrame:
    with as_file(files("fewshot_core.analysis") / "published" / "tables.csv") as path:
        wide = pd.read_csv(path, comment="#")
    parts = [
        pd.DataFrame(
            {
                "dataset": wide["dataset"],
                "metric": wide["metric"],
                "algorithm": algorithm,
                "mean": wide[algorithm],
                "std": wide.get(f"{algorithm}_std", float("nan")),
                "row": wide.index,
            }
        )
        for algorithm in ALGORITHM_LABELS
    ]
    long = pd.concat(parts).sort_values("row", kind="stable", ignore_index=True)
    best = long.groupby(["dataset", "algorithm"])["mean"].transform(are_best)
    return long.drop(columns="row").assign(best=best.astype(bool))
