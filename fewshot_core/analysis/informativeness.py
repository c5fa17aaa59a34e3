"""Informativeness of a split: its information gain beside the best tree and random trees."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.sub_spaces import (
    LeafNumbers,
    comparable,
    describe_sub_spaces,
    gini_of_counts,
    leaf_numbers,
)
from fewshot_core.analysis.trees import (
    BestTree,
    best_of_counts,
    count_table,
    random_of_counts,
    random_percentile,
    tree_shape,
)
from fewshot_core.errors import TableError
from fewshot_core.space import SubSpace
from fewshot_core.splitting.tree import TreeOptions


def information_gain(
    leaves: Sequence[SubSpace], accuracy: pd.DataFrame, threshold: float = 0.01
) -> float:
    """Return H(top) minus the size-weighted mean of H(top | sub-space), in bits.

    Args:
        leaves: Sub-spaces that cover every architecture of the table once.
        accuracy: Columns architecture (index) and accuracy_mean (percent). It may be incomplete:
            sizes are then those of the known part.
        threshold: The share of all architectures that counts as top.

    Raises:
        TableError: If the table has no accuracy, or the threshold is out of range.
        SpaceError: If an architecture of the table is in no sub-space.
    """
    return leaf_numbers(leaves, accuracy, threshold).gain_bits


Values = npt.NDArray[np.float64]

_ORDERS: Mapping[str, Callable[[LeafNumbers], Values]] = {
    "oracle": lambda numbers: numbers.best,
    "mean": lambda numbers: numbers.mean,
    "size": lambda numbers: numbers.size.astype(np.float64),
    "random": lambda numbers: np.zeros(len(numbers.size)),
}

KEEP_STRATEGIES: Mapping[str, str] = {
    "oracle": "the sub-spaces with the best architectures",
    "mean": "the sub-spaces with the highest mean accuracy",
    "size": "the largest sub-spaces",
    "random": "any sub-spaces, each choice as likely as the others",
}
"""Which sub-spaces are kept."""


def keep_k(leaves: Sequence[SubSpace], accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return the best accuracy still within reach when k sub-spaces are kept, for every k.

    Where sub-spaces are equal in what a strategy looks at, which of them are kept is left to
    chance: the accuracy is then the exact mean over all choices, as it is for ``random``.

    Args:
        leaves: Sub-spaces that cover every architecture of the table once.
        accuracy: Columns architecture (index) and accuracy_mean (percent). Sub-spaces of which
            nothing is known are never kept.

    Returns:
        Columns k (from 1 to the number of sub-spaces with an accuracy), strategy (one of
        ``KEEP_STRATEGIES``), best (percent; expected) and regret (percentage points below the best
        of all sub-spaces).

    Raises:
        TableError: If the table has no accuracy.
        SpaceError: If an architecture of the table is in no sub-space.
    """
    numbers = leaf_numbers(leaves, accuracy)
    rows = [
        (k, strategy, _best_kept(numbers, strategy, k))
        for strategy in KEEP_STRATEGIES
        for k in range(1, int((numbers.known > 0).sum()) + 1)
    ]
    frame = pd.DataFrame(rows, columns=["k", "strategy", "best"])
    return frame.assign(regret=float(np.nanmax(numbers.best)) - frame["best"])


def _best_kept(numbers: LeafNumbers, strategy: str, k: int) -> float:
    filled = numbers.known > 0
    order = comparable(_ORDERS[strategy](numbers))
    return _expected_best(numbers.best[filled], order[filled], k)


def _expected_best(bests: Values, order: Values, k: int) -> float:
    """Return the expected largest of the k values that come first, equal ones in random order."""
    last = np.sort(order)[-k]
    certain, tied = bests[order > last], bests[order == last]
    if certain.size:
        tied = np.maximum(tied, certain.max())
    return _expected_largest(tied, k - certain.size)


def _expected_largest(values: Values, count: int) -> float:
    """Return the mean, over all choices of so many values, of the largest one chosen.

    The i-th largest value is the largest chosen in all choices of the others from those after it.
    """
    total = comb(len(values), count)
    falling = np.sort(values)[::-1]
    weights = np.array([comb(len(values) - 1 - i, count - 1) / total for i in range(len(values))])
    # Weights that sum to one up to rounding must not move a value away from itself.
    return float(falling[0] - (weights * (falling[0] - falling)).sum())


RANDOM_TREES = 10_000
"""How many random trees a split is compared with."""

REPORTS = 256
"""How many reports a judge keeps."""


@dataclass(frozen=True, eq=False)
class RandomBaseline:
    """What the trees of a shape can tell about a table.

    Attributes:
        shape: The shape: an edge and a number of groups for each level.
        best: The best tree.
        gains: The information gains of random trees in bits, ascending, shape (n,).
    """

    shape: TreeOptions
    best: BestTree
    gains: npt.NDArray[np.float64]


@dataclass(frozen=True)
class BaselineComparison:
    """Where a split stands among the trees of its shape.

    Attributes:
        best_bits: The information gain of the best tree, in bits.
        share_of_best: The split's gain over that of the best tree; None where that tells nothing.
        random_mean_bits: The mean gain of random trees, in bits.
        random_trees: How many random trees that is.
        percentile: The share of random trees that tell less, in percent; see ``random_percentile``.
        percentile_low: The lower end of its confidence interval of 95%.
        percentile_high: The upper end.
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
    """How informative a split is.

    Attributes:
        sub_spaces: How many sub-spaces it has.
        threshold: The share of the known architectures that counts as top.
        top_entropy_bits: H(top): what there is to be told, in bits.
        gain_bits: Its information gain, in bits.
        gini: How unevenly the top lies over the sub-spaces given their sizes, 0 to 1; see ``gini``.
        optimum: The sub-spaces that hold an architecture of the best accuracy, like "S4".
        best_mean: The sub-spaces with the highest mean accuracy.
        optimum_in_best_mean: Whether the two have a sub-space in common.
        standing: Where it stands among trees of its shape; None where it has no shape, see
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
    """Judges the splits of a table, and keeps what those of one shape have in common.

    Attributes:
        accuracy: Columns architecture (index) and accuracy_mean (percent); it may be incomplete.
        threshold: The share of the known architectures that counts as top.
    """

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
        self._chances: dict[TreeOptions, RandomBaseline] = {}
        self._report = lru_cache(maxsize=REPORTS)(self._judge)

    def chance(self, shape: TreeOptions) -> RandomBaseline:
        """Return the best tree and random trees of a shape, computed when first asked for.

        Raises:
            TableError: If the table has no accuracy, or the threshold is out of range.
        """
        if shape not in self._chances:
            table = count_table(self.accuracy, shape.edges, self.threshold)
            gains = np.sort(random_of_counts(table, shape, self._random_trees, self._seed))
            self._chances[shape] = RandomBaseline(shape, best_of_counts(table, shape), gains)
        return self._chances[shape]

    def report(self, leaves: Sequence[SubSpace]) -> SplitReport:
        """Say how informative a split is, computed when first asked for.

        Raises:
            TableError: If the table has no accuracy, or the threshold is out of range.
            SpaceError: If an architecture of the table is in no sub-space.
        """
        return self._report(tuple(leaves))

    def _judge(self, leaves: tuple[SubSpace, ...]) -> SplitReport:
        numbers = leaf_numbers(leaves, self.accuracy, self.threshold)
        shape = tree_shape(leaves)
        return SplitReport(
            sub_spaces=len(leaves),
            threshold=self.threshold,
            top_entropy_bits=numbers.top_entropy_bits,
            gain_bits=numbers.gain_bits,
            gini=gini_of_counts(numbers.known, numbers.top),
            optimum=numbers.optimum,
            best_mean=numbers.best_mean,
            optimum_in_best_mean=numbers.optimum_in_best_mean,
            comparison=_standing(numbers.gain_bits, self.chance(shape)) if shape else None,
        )


def split_report(
    leaves: Sequence[SubSpace], accuracy: pd.DataFrame, threshold: float = 0.01
) -> SplitReport:
    """Say how informative one split is; a ``SplitEvaluator`` is quicker for several."""
    return SplitEvaluator(accuracy, threshold).report(leaves)


def report_frame(
    splits: Mapping[str, Sequence[SubSpace]], evaluator: SplitEvaluator
) -> pd.DataFrame:
    """Return the reports of several splits of a table, the most informative first.

    Args:
        splits: The sub-spaces of each split, by its name.
        judge: Evaluator of the splits.

    Returns:
        Columns split (its name) and the attributes of ``SplitReport`` and
        ``BaselineComparison``; those of the
        latter are missing where there is no comparison.
    """
    rows = []
    for name, leaves in splits.items():
        row = {"split": name, **asdict(evaluator.report(leaves))}
        rows.append(row | (row.pop("comparison") or {}))
    own = [item.name for item in fields(SplitReport) if item.name != "comparison"]
    beside = [item.name for item in fields(BaselineComparison)]
    frame = pd.DataFrame(rows, columns=["split", *own, *beside])
    frame = frame.astype(dict.fromkeys(beside, "float64") | {"random_trees": "Int64"})
    return frame.sort_values("gain_bits", ascending=False, kind="stable", ignore_index=True)


def _standing(gain: float, chance: RandomBaseline) -> BaselineComparison:
    best = chance.best.gain_bits
    stands = random_percentile(gain, chance.gains)
    return BaselineComparison(
        best_bits=best,
        share_of_best=gain / best if best else None,
        random_mean_bits=float(chance.gains.mean()),
        random_trees=chance.gains.size,
        percentile=stands.percent,
        percentile_low=stands.low,
        percentile_high=stands.high,
    )


def report_split(
    metric: str,
    dataset: str,
    kind: str,
    table: str,
    leaves: Sequence[SubSpace],
    evaluator: SplitEvaluator,
) -> dict[str, Any]:
    """Return what a split tells, and what each of its sub-spaces holds, in their order.

    Args:
        metric: What the split is called.
        dataset: The data set of the accuracies.
        kind: Their kind.
        table: The table that they are from.
        leaves: The sub-spaces.
        judge: Evaluator with the accuracies and the threshold.

    Returns:
        A document for JSON. Information is in bits, random_percentile in percent, accuracies are in
        percent; keep_k has, for each strategy, the best accuracy for k = 1, 2, ... sub-spaces.
        best_tree_bits, random_percentile and random_percentile_interval are None where the split
        has no shape; see ``tree_shape``.

    Raises:
        TableError: If the table has no accuracy, or the threshold is out of range.
        SpaceError: If an architecture of the table is in no sub-space.
    """
    report = evaluator.report(leaves)
    comparison = report.comparison
    return {
        "metric": metric,
        "dataset": dataset,
        "accuracy": kind,
        "table": table,
        "threshold": evaluator.threshold,
        "information_gain_bits": report.gain_bits,
        "best_tree_bits": comparison.best_bits if comparison else None,
        "random_percentile": comparison.percentile if comparison else None,
        "random_percentile_interval": (
            [comparison.percentile_low, comparison.percentile_high] if comparison else None
        ),
        "gini": report.gini,
        "optimum_in_best_mean": report.optimum_in_best_mean,
        "keep_k": _keep_k(leaves, evaluator.accuracy),
        "sub_spaces": _sub_spaces(leaves, evaluator),
    }


def _keep_k(leaves: Sequence[SubSpace], accuracy: pd.DataFrame) -> dict[str, list[float]]:
    kept = keep_k(leaves, accuracy)
    return {
        strategy: kept.loc[kept["strategy"] == strategy, "best"].to_list()
        for strategy in KEEP_STRATEGIES
    }


def _sub_spaces(leaves: Sequence[SubSpace], evaluator: SplitEvaluator) -> list[dict[str, Any]]:
    described = describe_sub_spaces(leaves, evaluator.accuracy, evaluator.threshold)
    return [
        {
            "rows": leaf.rows,
            "size": int(row["size"]),
            "top_count": int(row["top_count"]),
            "best": None if pd.isna(row["best"]) else float(row["best"]),
            "mean": None if pd.isna(row["mean"]) else float(row["mean"]),
        }
        for leaf, row in zip(leaves, described.to_dict("records"), strict=True)
    ]


_SAME = 1e-12
"""Gains that differ by less than this, in bits, are the same."""

_VERDICTS = {
    "more": ("tells more than most random trees", "tell more than most random trees"),
    "middle": ("is in the middle of the random trees", "are in the middle of the random trees"),
    "less": ("tells less than most random trees", "tell less than most random trees"),
    "unknown": (
        "has a shape of its own, without random trees to compare with",
        "have shapes of their own, without random trees to compare with",
    ),
}


def conclusion(reports: pd.DataFrame) -> str:
    """Say which splits tell where the top is, beside the best tree and beside chance.

    A split is said to tell more, or less, than most random trees only where all of the confidence
    interval of its percentile is above 50, or below.

    Args:
        reports: What ``report_frame`` returns, one row for each split; with a column dataset where
            splits on several data sets are compared.

    Returns:
        One sentence in plain English; with several data sets, one for each of them. Splits keep
        their names.

    Raises:
        TableError: If splits of different thresholds are compared: each has another top.
    """
    if reports.empty:
        return "There are no splits to compare."
    if reports["threshold"].nunique() != 1:
        known = ", ".join(_percent(share) for share in reports["threshold"].unique())
        raise TableError(f"expected splits with the same top to compare, got the top {known}")
    if "dataset" not in reports:
        return _sentence(reports, "")
    groups = reports.groupby("dataset", sort=False)
    return " ".join(_sentence(of, f"on {dataset}, ") for dataset, of in groups)


def _sentence(reports: pd.DataFrame, place: str) -> str:
    ranked = reports.sort_values("gain_bits", ascending=False, kind="stable", ignore_index=True)
    top = f"where the top {_percent(float(ranked['threshold'].iloc[0]))} lies"
    first = float(ranked["gain_bits"].iloc[0])
    if first <= _SAME:
        nothing = "the split tells nothing" if len(ranked) == 1 else "none of the splits tells"
        anything = "" if len(ranked) == 1 else " anything"
        return _capital(f"{place}{nothing}{anything} about {top}.")
    leading = ranked["gain_bits"] >= first - _SAME
    leaders, others = ranked[leading], ranked[~leading]
    clauses = [f"{place}{_lead(leaders, len(ranked), top)}"]
    verdicts = others.apply(_verdict, axis=1) if len(others) else pd.Series(dtype=object)
    for name, (singular, plural) in _VERDICTS.items():
        of = others[verdicts == name]
        if len(of):
            listed = [f"{row['split']} ({row['gain_bits']:.4f})" for _, row in of.iterrows()]
            clauses.append(f"{_listing(listed)} {singular if len(of) == 1 else plural}")
    return _capital("; ".join(clauses) + ".")


def _lead(leaders: pd.DataFrame, count: int, top: str) -> str:
    """Return what is said of the splits with the largest gain."""
    names, gain = _listing(list(leaders["split"])), f"{leaders['gain_bits'].iloc[0]:.4f} bits"
    if count == 1:
        return f"{names} tells {gain} about {top}{_standing_of_conclusion(leaders)}"
    if len(leaders) == count:
        who = "both splits" if count == 2 else f"all {count} splits"
        return f"{who} tell the same about {top}: {gain} each{_standing_of_conclusion(leaders)}"
    verb, each = ("tells", "") if len(leaders) == 1 else ("tell", " each")
    most = f"{names} {verb} the most about {top}"
    return f"of {count} splits, {most}: {gain}{each}{_standing_of_conclusion(leaders)}"


def _standing_of_conclusion(leaders: pd.DataFrame) -> str:
    """Return where the leaders stand among trees; nothing where they stand in several places."""
    row = leaders.iloc[0]
    standings = leaders[["share_of_best", "percentile"]].drop_duplicates()
    if len(standings) > 1:
        return ""
    if pd.isna(row["percentile"]):
        return ", in a shape of its own" if len(leaders) == 1 else ""
    share = "" if pd.isna(row["share_of_best"]) else f", {_share(float(row['share_of_best']))}"
    return f"{share}, {_among(row)}"


def _share(share: float) -> str:
    """Return a share of the best tree, never rounded up to all of it."""
    if share >= 1 - 1e-9:
        return "as much as the best tree of this shape"
    if share > 0.995:
        return "over 99% of the best tree of this shape"
    return f"{share:.0%} of the best tree of this shape"


def _among(row: "pd.Series[float]") -> str:
    """Return a place among random trees, never rounded to beyond all of them."""
    trees = f"{int(row['random_trees']):,} random trees"
    percentile = float(row["percentile"])
    if percentile >= 100:
        return f"above all of {trees}"
    if percentile <= 0:
        return f"below all of {trees}"
    return f"at percentile {np.clip(percentile, 0.1, 99.9):.1f} of {trees}"


def _verdict(row: "pd.Series[float]") -> str:
    if pd.isna(row["percentile"]):
        return "unknown"
    if row["percentile_low"] > 50:
        return "more"
    return "less" if row["percentile_high"] < 50 else "middle"


def _listing(names: Sequence[str]) -> str:
    """Return names joined by commas and an "and"."""
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def _percent(share: float) -> str:
    return f"{100 * share:g}%"


def _capital(sentence: str) -> str:
    """Return a sentence that starts with a capital where it starts with a word of its own."""
    own = ("of ", "on ", "all ", "both ", "none ", "the split ")
    return sentence[0].upper() + sentence[1:] if sentence.startswith(own) else sentence
