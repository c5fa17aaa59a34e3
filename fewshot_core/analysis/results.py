"""Recorded searches in the form of the paper's tables: metric by algorithm (Tables 1 to 3).

A result is the test accuracy of the best architecture found by the searches in all sub-spaces of
a split together, for one seed. Searches of some sub-spaces only are no result yet.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fewshot_core.analysis.published_results import (
    ALGORITHM_LABELS,
    DIGITS,
    METRIC_LABELS,
    NO_SPLITTING,
    are_best,
    published_results,
)
from fewshot_core.analysis.sub_spaces import sub_space_names
from fewshot_core.errors import TableError

PAPER_SEEDS = (777, 888, 999)
"""The seeds of NAS-Bench-201, for which SNAS and DSNAS are repeated (Section 4.1)."""

SEEDS: Mapping[str, Sequence[int]] = {
    "darts-1st": PAPER_SEEDS[:1],
    "darts-2nd": PAPER_SEEDS[:1],
    "snas": PAPER_SEEDS,
    "dsnas": PAPER_SEEDS,
}
"""The seeds that each algorithm is to be run with; any others count as well."""

SUB_SPACES = 8
"""How many sub-spaces a split has, unless a search says otherwise."""

REQUIRED = ("dataset", "metric", "algorithm", "seed", "preset", "sub_space", "test_accuracy")
"""The columns that recorded searches must have."""

COLUMNS = (
    "dataset",
    "metric",
    "label",
    "algorithm",
    "mean",
    "std",
    "seeds",
    "best",
    "presets",
    "mixed",
    "missing",
    "missing_seeds",
    "published_mean",
    "published_std",
    "published_best",
    "difference",
)
"""The columns of a table of results."""


def results_table(
    searches: pd.DataFrame,
    dataset: str,
    preset: str | None = None,
    seeds: Mapping[str, Sequence[int]] = SEEDS,
    accuracy: str = "test",
) -> pd.DataFrame:
    """Arrange recorded searches of one data set as the paper does, beside what it reports.

    Args:
        searches: One row for each finished search: dataset, metric (``"no splitting"`` for the
            whole space), algorithm, seed, preset, sub_space (S1, ...) and test_accuracy (percent)
            of the architecture found; optionally split (an identifier of the split searched, so
            that different splits of one metric are told apart) and sub_spaces (how many it has;
            8 by default). Searches whose accuracy is missing do not count.
        dataset: The data set.
        preset: The preset to show, or None for all; where these differ within a cell, it says so.
        seeds: The seeds wanted of each algorithm.
        accuracy: The kind of the accuracies in test_accuracy. Validation accuracies are on another
            scale than the published ones, so that there is no difference to them.

    Returns:
        One row for each cell, by metric and algorithm in the order of the paper, others after
        them: dataset, metric, label, algorithm; mean and std (percent) over all complete results,
        std being missing for a single one; seeds (how many different ones these are of); best (the
        highest of the algorithm, in the digits shown); presets (all that went into it); mixed
        (whether they, or the splits, are more than one); missing (what is still to be run, in
        words, or empty) and missing_seeds; published_mean, published_std, published_best; and
        difference (mean less published_mean, in percentage points). The deviation is that of the
        results at hand, divided by their number: most of the published ones can be had from
        accuracies in the benchmark only so.

    Raises:
        TableError: If a column is missing or a search is there twice.
    """
    rows = _checked(searches)
    rows = rows[(rows["dataset"] == dataset) & rows["test_accuracy"].notna()]
    if preset is not None:
        rows = rows[rows["preset"] == preset]
    known = published_results()
    printed = {
        (str(row["metric"]), str(row["algorithm"])): row
        for row in known[known["dataset"] == dataset].to_dict("records")
    }
    metrics = _with_others(known["metric"], rows["metric"])
    algorithms = _with_others(list(ALGORITHM_LABELS), rows["algorithm"])
    cells = []
    for metric in metrics:
        for algorithm in algorithms:
            inside = rows[(rows["metric"] == metric) & (rows["algorithm"] == algorithm)]
            cell = _cell(inside, metric, tuple(seeds.get(algorithm, PAPER_SEEDS)))
            place = {"dataset": dataset, "metric": metric, "algorithm": algorithm}
            cells.append(place | cell | _beside(printed.get((metric, algorithm), {})))
    table = _finished(pd.DataFrame(cells))
    return table if accuracy == "test" else table.assign(difference=float("nan"))


@dataclass(frozen=True)
class _Result:
    """The searches of one seed in one split with one preset.

    Attributes:
        preset: The preset.
        split: The split.
        seed: The seed.
        highest: The highest test accuracy found, in percent.
        missing: Names of the sub-spaces that were not searched.
    """

    preset: str
    split: str
    seed: int
    highest: float
    missing: tuple[str, ...]


def _checked(searches: pd.DataFrame) -> pd.DataFrame:
    if searches.empty:
        return pd.DataFrame(columns=[*REQUIRED, "split"])
    missing = [column for column in REQUIRED if column not in searches]
    if missing:
        got = ", ".join(map(str, searches.columns)) or "none"
        raise TableError(f"expected searches with a column {missing[0]!r}, got {got}")
    split = searches["split"].fillna("") if "split" in searches else ""
    rows = searches.assign(split=split)
    keys = [column for column in REQUIRED if column != "test_accuracy"]
    repeated = rows.duplicated([*keys, "split"])
    if repeated.any():
        first = rows[repeated].iloc[0]
        what = ", ".join(str(first[key]) for key in keys)
        raise TableError(
            f"expected every search once, got two of {what}; remove one, or name their splits in a "
            "column 'split'"
        )
    return rows


def _with_others(known: "Sequence[str] | pd.Series[str]", found: "pd.Series[str]") -> list[str]:
    """Return the known names in their order, and then the other ones found."""
    first = list(dict.fromkeys(known))
    return [*first, *sorted(set(found) - set(first))]


def _cell(rows: pd.DataFrame, metric: str, seeds: tuple[int, ...]) -> dict[str, Any]:
    """Return the measured part of a cell."""
    results = [
        _result(str(preset), str(split), int(str(seed)), part, metric)
        for (preset, split, seed), part in rows.groupby(["preset", "split", "seed"], sort=True)
    ]
    complete = [result for result in results if not result.missing]
    highest = pd.Series([result.highest for result in complete], dtype="float64")
    presets = sorted({result.preset for result in complete})
    splits = {(result.preset, result.split) for result in complete}
    return {
        "label": METRIC_LABELS.get(metric, metric),
        "mean": highest.mean(),
        "std": highest.std(ddof=0) if len(highest) > 1 else float("nan"),
        "seeds": len({result.seed for result in complete}),
        "presets": ", ".join(presets),
        "mixed": len(splits) > 1,
        **_missing(results, metric, seeds),
    }


def _result(preset: str, split: str, seed: int, rows: pd.DataFrame, metric: str) -> _Result:
    expected = 1 if metric == NO_SPLITTING else SUB_SPACES
    if "sub_spaces" in rows:
        stated = rows["sub_spaces"].dropna()
        expected = int(stated.iloc[0]) if len(stated) else expected
    found = {str(name) for name in rows["sub_space"]}
    missing: tuple[str, ...] = ()
    if len(found) < expected:
        missing = tuple(name for name in sub_space_names(expected) if name not in found)
    return _Result(preset, split, seed, float(rows["test_accuracy"].max()), missing)


def _missing(results: Sequence[_Result], metric: str, seeds: tuple[int, ...]) -> dict[str, Any]:
    """Return what is still to be run, in words and as seeds."""
    done = {result.seed for result in results if not result.missing}
    begun = {result.seed: result for result in results if result.seed not in done}
    # Any other seed is as good as one that is wanted.
    wanted = [seed for seed in seeds if seed not in done]
    wanted = wanted[: max(0, len(seeds) - len(done))]
    parts = [
        f"seed {seed}: {', '.join(begun[seed].missing)} to be searched"
        for seed in wanted
        if seed in begun
    ]
    fresh = [str(seed) for seed in wanted if seed not in begun]
    if fresh:
        space = "the whole space" if metric == NO_SPLITTING else "all sub-spaces"
        parts.append(f"seed{'s' * (len(fresh) > 1)} {', '.join(fresh)}: {space} to be searched")
    return {"missing": "; ".join(parts), "missing_seeds": tuple(wanted)}


def _beside(printed: Mapping[Hashable, Any]) -> dict[str, Any]:
    """Return the published part of a cell."""
    return {
        "published_mean": printed.get("mean", float("nan")),
        "published_std": printed.get("std", float("nan")),
        "published_best": bool(printed.get("best", False)),
    }


def _finished(table: pd.DataFrame) -> pd.DataFrame:
    """Add what depends on the other cells, and on what is published."""
    best = table.groupby("algorithm")["mean"].transform(are_best).astype(bool)
    difference = (table["mean"] - table["published_mean"]).round(DIGITS + 2)
    return table.assign(best=best, difference=difference)[list(COLUMNS)]
