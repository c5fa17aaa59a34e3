"""Informativeness of a split: its information gain compared with the best and random trees."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from fewshot_core.analysis.sub_spaces import (
    Floats,
    LeafNumbers,
    comparable,
    describe_sub_spaces,
    leaf_numbers,
)
from fewshot_core.analysis.trees import (
    SAME_GAIN,
    BestTree,
    best_of_counts,
    count_table,
    random_of_counts,
    random_percentile,
    tree_shape,
)
from fewshot_core.errors import TableError
from fewshot_core.selection.halving import listed
from fewshot_core.space import NAS_BENCH_201, SearchSpace, SubSpace, space_of
from fewshot_core.splitting.tree import TreeOptions

RANDOM_TREES = 10_000
"""Number of random trees that a split is compared with."""

REPORTS = 256
"""Number of cached reports of an evaluator."""


def information_gain(
    leaves: Sequence[SubSpace], accuracy: pd.DataFrame, threshold: float = 0.01
) -> float:
    """Compute H(top) minus the size-weighted mean of H(top | sub-space), in bits.

    Where the table is incomplete, sizes are those of the known part.
    """
    return leaf_numbers(leaves, accuracy, threshold).gain_bits


_ORDERS: Mapping[str, Callable[[LeafNumbers], Floats]] = {
    "oracle": lambda numbers: numbers.best,
    "mean": lambda numbers: numbers.mean,
    "size": lambda numbers: numbers.size.astype(np.float64),
    "random": lambda numbers: np.zeros(len(numbers.size)),
}

KEEP_STRATEGIES: Mapping[str, str] = {
    "oracle": "the sub-spaces with the best architectures",
    "mean": "the sub-spaces with the highest mean accuracy",
    "size": "the largest sub-spaces",
    "random": "random sub-spaces, all choices equally likely",
}
"""Ways to choose the sub-spaces that are kept."""


def keep_k(leaves: Sequence[SubSpace], accuracy: pd.DataFrame) -> pd.DataFrame:
    """Compute the best accuracy in k of the sub-spaces, for every number kept (k).

    Where a strategy has a tie, the accuracy is the exact mean over all choices, as it is for
    ``random``. Sub-spaces without a known accuracy are never kept.

    Returns:
        Columns k (from 1 to the number of sub-spaces with an accuracy), strategy (one of
        ``KEEP_STRATEGIES``), best (percent; expected) and regret (percentage points below the best
        of all sub-spaces).
    """
    numbers = leaf_numbers(leaves, accuracy)
    filled = numbers.known > 0
    bests = numbers.best[filled]
    rows = [
        (k, strategy, _expected_best(bests, comparable(order(numbers))[filled], k))
        for strategy, order in _ORDERS.items()
        for k in range(1, len(bests) + 1)
    ]
    frame = pd.DataFrame(rows, columns=["k", "strategy", "best"])
    return frame.assign(regret=float(bests.max()) - frame["best"])


def _expected_best(bests: Floats, order: Floats, k: int) -> float:
    """Compute the expected largest of the k values that come first, ties in random order.

    Of the tied values in descending order, the i-th is the largest one chosen in all choices of the
    others from those after it.
    """
    last = np.sort(order)[-k]
    certain, tied = bests[order > last], bests[order == last]
    if certain.size:
        tied = np.maximum(tied, certain.max())
    count = k - certain.size
    falling = np.sort(tied)[::-1]
    total = comb(len(tied), count)
    weights = np.array([comb(len(tied) - 1 - i, count - 1) / total for i in range(len(tied))])
    # Weights that sum to one up to rounding must not move a value away from itself.
    return float(falling[0] - (weights * (falling[0] - falling)).sum())


@dataclass(frozen=True, eq=False)
class RandomBaseline:
    """Best tree of a shape, and the information gains of random ones in bits, ascending."""

    best: BestTree
    gains: Floats


@dataclass(frozen=True)
class BaselineComparison:
    """A split compared with the trees of its shape.

    ``share_of_best`` is the split's gain over that of the best tree, None where that is zero; the
    percentile is the share of less informative random trees, in percent, and its 95% interval; see
    ``random_percentile``.
    """

    best_bits: float
    share_of_best: float | None
    random_mean_bits: float
    random_trees: int
    percentile: float
    percentile_low: float
    percentile_high: float


@dataclass(frozen=True)
class SplitReport:
    """Informativeness of a split.

    Attributes:
        top_entropy_bits: H(top), the largest possible gain.
        gini: Concentration of the top given the sizes, 0 to 1; see ``gini_of_counts``.
        optimum: Sub-spaces with an architecture of the best accuracy, like "S4".
        best_mean: Sub-spaces with the highest mean accuracy.
        optimum_in_best_mean: Whether the two have a sub-space in common.
        comparison: Comparison with trees of the same shape; None where the split has no shape, see
            ``tree_shape``.
    """

    sub_spaces: int
    threshold: float
    top_entropy_bits: float
    gain_bits: float
    gini: float
    optimum: tuple[str, ...]
    best_mean: tuple[str, ...]
    optimum_in_best_mean: bool
    comparison: BaselineComparison | None


class SplitEvaluator:
    """Evaluator of splits on one table; baselines and reports are cached."""

    def __init__(
        self,
        accuracy: pd.DataFrame,
        threshold: float = 0.01,
        random_trees: int = RANDOM_TREES,
        seed: int = 0,
    ) -> None:
        self.accuracy = accuracy
        self.threshold = threshold
        self._random_trees = random_trees
        self._seed = seed
        self._baselines: dict[tuple[TreeOptions, SearchSpace], RandomBaseline] = {}
        self._report = lru_cache(maxsize=REPORTS)(self._evaluate)

    def baseline(self, shape: TreeOptions, space: SearchSpace = NAS_BENCH_201) -> RandomBaseline:
        """Compute the best tree and random trees of a shape, once for each shape."""
        key = shape, space
        if key not in self._baselines:
            table = count_table(self.accuracy, shape.edges, self.threshold, space)
            gains = np.sort(random_of_counts(table, shape, self._random_trees, self._seed))
            self._baselines[key] = RandomBaseline(best_of_counts(table, shape, space), gains)
        return self._baselines[key]

    def report(self, leaves: Sequence[SubSpace]) -> SplitReport:
        """Evaluate a split."""
        return self._report(tuple(leaves))

    def _evaluate(self, leaves: tuple[SubSpace, ...]) -> SplitReport:
        numbers = leaf_numbers(leaves, self.accuracy, self.threshold)
        shape = tree_shape(leaves)
        baseline = self.baseline(shape, space_of(leaves)) if shape else None
        return SplitReport(
            sub_spaces=len(leaves),
            threshold=self.threshold,
            top_entropy_bits=numbers.top_entropy_bits,
            gain_bits=numbers.gain_bits,
            gini=numbers.gini,
            optimum=numbers.optimum,
            best_mean=numbers.best_mean,
            optimum_in_best_mean=bool(set(numbers.optimum) & set(numbers.best_mean)),
            comparison=_compare(numbers.gain_bits, baseline) if baseline else None,
        )


def _compare(gain: float, baseline: RandomBaseline) -> BaselineComparison:
    best = baseline.best.gain_bits
    share, mean = gain / best if best else None, float(baseline.gains.mean())
    percentile = random_percentile(gain, baseline.gains)
    return BaselineComparison(best, share, mean, baseline.gains.size, *percentile)


def report_frame(
    splits: Mapping[str, Sequence[SubSpace]], evaluator: SplitEvaluator
) -> pd.DataFrame:
    """Evaluate several splits, by name, on one table, the most informative first.

    Returns:
        Columns split (its name) and the attributes of ``SplitReport`` and ``BaselineComparison``;
        the latter are missing where there is no comparison.
    """
    rows = []
    for name, leaves in splits.items():
        row = {"split": name, **asdict(evaluator.report(leaves))}
        rows.append(row | (row.pop("comparison") or {}))
    own = [item.name for item in fields(SplitReport) if item.name != "comparison"]
    compared = [item.name for item in fields(BaselineComparison)]
    frame = pd.DataFrame(rows, columns=["split", *own, *compared])
    frame = frame.astype(dict.fromkeys(compared, "float64") | {"random_trees": "Int64"})
    return frame.sort_values("gain_bits", ascending=False, kind="stable", ignore_index=True)


def report_split(
    metric: str,
    dataset: str,
    kind: str,
    table: str,
    leaves: Sequence[SubSpace],
    evaluator: SplitEvaluator,
) -> dict[str, Any]:
    """Make a JSON document of the informativeness of a split and the contents of its sub-spaces.

    Information is in bits, random_percentile and accuracies in percent, scores in another unit as
    they are in it; keep_k has, for each strategy, the best accuracy for k = 1, 2, ... sub-spaces.
    best_tree_bits, random_percentile and random_percentile_interval are None where the split has no
    shape; see ``tree_shape``.
    """
    report = evaluator.report(leaves)
    compared = report.comparison
    kept = keep_k(leaves, evaluator.accuracy).groupby("strategy", sort=False)["best"]
    described = describe_sub_spaces(leaves, evaluator.accuracy, evaluator.threshold)
    space = space_of(leaves)
    sign = space.dataset(dataset).sign
    return {
        "metric": metric,
        **({} if space == NAS_BENCH_201 else {"space": space.name}),
        "dataset": dataset,
        "accuracy": kind,
        "table": table,
        "threshold": evaluator.threshold,
        "information_gain_bits": report.gain_bits,
        "best_tree_bits": compared.best_bits if compared else None,
        "random_percentile": compared.percentile if compared else None,
        "random_percentile_interval": (
            [compared.percentile_low, compared.percentile_high] if compared else None
        ),
        "gini": report.gini,
        "optimum_in_best_mean": report.optimum_in_best_mean,
        "keep_k": {str(strategy): (sign * bests).to_list() for strategy, bests in kept},
        "sub_spaces": [
            {
                "rows": leaf.rows,
                "size": int(row["size"]),
                "top_count": int(row["top_count"]),
                "best": None if pd.isna(row["best"]) else sign * float(row["best"]),
                "mean": None if pd.isna(row["mean"]) else sign * float(row["mean"]),
            }
            for leaf, row in zip(leaves, described.to_dict("records"), strict=True)
        ],
    }


_PLACES = {
    "more": "more informative than most random trees",
    "middle": "in the middle of the random trees",
    "less": "less informative than most random trees",
    "unknown": "without random trees to compare with, having a different shape",
}


def conclusion(reports: pd.DataFrame) -> str:
    """Summarise in one sentence how informative splits are, compared with the baselines.

    A split is called more, or less, informative than most random trees only where all of the
    confidence interval of its percentile is above 50, or below. The reports are rows of
    ``report_frame``; with a column dataset there is one sentence for each data set. Raises
    TableError if splits of different thresholds are compared: each has another top.
    """
    if reports.empty:
        return "There are no splits to compare."
    if reports["threshold"].nunique() != 1:
        known = ", ".join(f"{100 * share:g}%" for share in reports["threshold"].unique())
        raise TableError(f"expected splits with the same top to compare, got the top {known}")
    if "dataset" not in reports:
        return _sentence(reports, "")
    groups = reports.groupby("dataset", sort=False)
    return " ".join(_sentence(of, f"on {dataset}, ") for dataset, of in groups)


def _sentence(reports: pd.DataFrame, place: str) -> str:
    ranked = reports.sort_values("gain_bits", ascending=False, kind="stable", ignore_index=True)
    top = f"about the top {100 * float(ranked['threshold'].iloc[0]):g}%"
    first = float(ranked["gain_bits"].iloc[0])
    if first <= SAME_GAIN:
        none = "the split is not" if len(ranked) == 1 else "none of the splits is"
        return _capital(f"{place}{none} informative {top}.")
    leading = ranked["gain_bits"] >= first - SAME_GAIN
    leaders, others = ranked[leading], ranked[~leading]
    clauses = [f"{place}{_lead(leaders, len(ranked), top)}"]
    places = [_place(row) for row in others.to_dict("records")]
    for name, text in _PLACES.items():
        of = others[[found == name for found in places]]
        if len(of):
            gains = [f"{row['split']} ({row['gain_bits']:.4f})" for row in of.to_dict("records")]
            clauses.append(f"{listed(gains)} {'is' if len(of) == 1 else 'are'} {text}")
    return _capital("; ".join(clauses) + ".")


def _lead(leaders: pd.DataFrame, count: int, top: str) -> str:
    """Describe the splits with the largest gain."""
    names, gain = listed(list(leaders["split"])), f"{leaders['gain_bits'].iloc[0]:.4f} bits"
    compared = _compared(leaders)
    if count == 1:
        return f"{names} has an information gain of {gain} {top}{compared}"
    if len(leaders) == count:
        splits = "both splits" if count == 2 else f"all {count} splits"
        return f"{splits} are equally informative {top}: {gain} each{compared}"
    verb, each = ("is", "") if len(leaders) == 1 else ("are", " each")
    return f"of {count} splits, {names} {verb} the most informative {top}: {gain}{each}{compared}"


def _compared(leaders: pd.DataFrame) -> str:
    """Compare the leaders with the baselines; empty where they differ."""
    row = leaders.iloc[0]
    if len(leaders[["share_of_best", "percentile"]].drop_duplicates()) > 1:
        return ""
    if pd.isna(row["percentile"]):
        return ", with a different tree shape" if len(leaders) == 1 else ""
    share = "" if pd.isna(row["share_of_best"]) else f", {_share(float(row['share_of_best']))}"
    return f"{share}, {_among(float(row['percentile']), int(row['random_trees']))}"


def _share(share: float) -> str:
    """Format a share of the best tree, never rounded up to 100%."""
    if share >= 1 - 1e-9:
        return "as much as the best tree of this shape"
    if share > 0.995:
        return "over 99% of the best tree of this shape"
    return f"{share:.0%} of the best tree of this shape"


def _among(percentile: float, trees: int) -> str:
    """Format a percentile, never rounded to 0 or 100."""
    if percentile >= 100:
        return f"above all of {trees:,} random trees"
    if percentile <= 0:
        return f"below all of {trees:,} random trees"
    return f"at percentile {np.clip(percentile, 0.1, 99.9):.1f} of {trees:,} random trees"


def _place(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["percentile"]):
        return "unknown"
    if row["percentile_low"] > 50:
        return "more"
    return "less" if row["percentile_high"] < 50 else "middle"


def _capital(sentence: str) -> str:
    """Capitalise a sentence, unless it starts with the name of a split."""
    own = ("of ", "on ", "all ", "both ", "none ", "the split ")
    return sentence[0].upper() + sentence[1:] if sentence.startswith(own) else sentence
