"""Informativeness of a split: its information gain compared with the best and random trees.

Also how much it and other numbers of a split vary with the training seeds of a table.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from fewshot_core.space import (
    NAS_BENCH_201,
    ArchitectureSet,
    Part,
    SearchSpace,
    SubSpace,
    is_partition,
    space_of,
)
from fewshot_core.splitting.tree import TreeOptions

RANDOM_TREES = 10_000
"""Number of random trees that a split is compared with."""

REPORTS = 256
"""Number of cached reports of an evaluator."""

RESAMPLED = 100
"""Number of resampled tables."""


def information_gain(
    leaves: Sequence[Part], accuracy: pd.DataFrame, threshold: float = 0.01
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


def keep_k(leaves: Sequence[Part], accuracy: pd.DataFrame) -> pd.DataFrame:
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
    ) -> None:
        self.accuracy = accuracy
        self.threshold = threshold
        self._random_trees = random_trees
        self._baselines: dict[tuple[TreeOptions, SearchSpace], RandomBaseline] = {}
        self._report = lru_cache(maxsize=REPORTS)(self._evaluate)

    def baseline(self, shape: TreeOptions, space: SearchSpace = NAS_BENCH_201) -> RandomBaseline:
        """Compute the best tree and random trees of a shape, once for each shape."""
        key = shape, space
        if key not in self._baselines:
            table = count_table(self.accuracy, shape.edges, self.threshold, space)
            gains = np.sort(random_of_counts(table, shape, self._random_trees))
            self._baselines[key] = RandomBaseline(best_of_counts(table, shape, space), gains)
        return self._baselines[key]

    def best_tree(self, space: SearchSpace) -> BestTree:
        """The best tree of the default shape, which any partition is compared with."""
        levels = range(min(len(TreeOptions().edges), len(space.shape)))
        return self.baseline(TreeOptions.create(levels, space=space), space).best

    def report(self, leaves: Sequence[Part]) -> SplitReport:
        """Evaluate a split."""
        return self._report(tuple(leaves))

    def _evaluate(self, leaves: tuple[Part, ...]) -> SplitReport:
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


def report_frame(splits: Mapping[str, Sequence[Part]], evaluator: SplitEvaluator) -> pd.DataFrame:
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
    leaves: Sequence[Part],
    evaluator: SplitEvaluator,
) -> dict[str, Any]:
    """Make a JSON document of the informativeness of a split and the contents of its sub-spaces.

    Information is in bits, random_percentile and accuracies in percent, scores in another unit as
    they are in it; keep_k has, for each strategy, the best accuracy for k = 1, 2, ... sub-spaces.
    random_percentile and random_percentile_interval are None where the split has no shape (see
    ``tree_shape``), and so is best_tree_bits of sub-spaces. Of any other partition it is that of
    the best tree of the default shape, beside top_entropy_bits, the largest gain of any partition.
    """
    report = evaluator.report(leaves)
    compared = report.comparison
    kept = keep_k(leaves, evaluator.accuracy).groupby("strategy", sort=False)["best"]
    described = describe_sub_spaces(leaves, evaluator.accuracy, evaluator.threshold)
    space = space_of(leaves)
    best = compared.best_bits if compared else None
    if is_partition(leaves):
        best = evaluator.best_tree(space).gain_bits
    sign = space.dataset(dataset).sign
    return {
        "metric": metric,
        **({} if space == NAS_BENCH_201 else {"space": space.name}),
        "dataset": dataset,
        "accuracy": kind,
        "table": table,
        "threshold": evaluator.threshold,
        "information_gain_bits": report.gain_bits,
        "best_tree_bits": best,
        "top_entropy_bits": report.top_entropy_bits,
        "random_percentile": compared.percentile if compared else None,
        "random_percentile_interval": (
            [compared.percentile_low, compared.percentile_high] if compared else None
        ),
        "gini": report.gini,
        "optimum_in_best_mean": report.optimum_in_best_mean,
        "keep_k": {str(strategy): (sign * bests).to_list() for strategy, bests in kept},
        "sub_spaces": [
            {
                **_identity(leaf),
                "size": int(row["size"]),
                "top_count": int(row["top_count"]),
                "best": None if pd.isna(row["best"]) else sign * float(row["best"]),
                "mean": None if pd.isna(row["mean"]) else sign * float(row["mean"]),
            }
            for leaf, row in zip(leaves, described.to_dict("records"), strict=True)
        ],
    }


def _identity(part: Part) -> dict[str, Any]:
    """What a part is called in a JSON document."""
    if isinstance(part, ArchitectureSet):
        return {"label": part.label}
    return {"rows": part.rows} if isinstance(part, SubSpace) else {}


CHANCE = (2.5, 97.5)
"""Percentiles of random trees between which a split looks like chance."""

_PLACES = {
    "best": ("is the best possible", "are the best possible"),
    "all": ("beats all random splits", "beat all random splits"),
    "better": ("is better than chance", "are better than chance"),
    "chance": ("looks like chance", "look like chance"),
    "worse": ("is worse than chance", "are worse than chance"),
    "unknown": ("has no random splits of its shape", "have no random splits of their shape"),
}
_GOOD = ("best", "all", "better")
_NAMED = 3
"""How many splits that are not good are named; more of them are counted."""


def conclusion(reports: pd.DataFrame) -> str:
    """Summarise in one sentence how informative splits are, compared with random trees.

    A split looks like chance where its gain is among the middle 95% of random trees. The reports
    are rows of ``report_frame``. Raises TableError if splits of different thresholds are compared:
    each has another top.
    """
    if reports.empty:
        return "There are no splits to compare."
    if reports["threshold"].nunique() != 1:
        known = ", ".join(f"{100 * share:g}%" for share in reports["threshold"].unique())
        raise TableError(f"expected splits with the same top to compare, got the top {known}")
    ranked = reports.sort_values("gain_bits", ascending=False, kind="stable")
    places = [_place(row) for row in ranked.to_dict("records")]
    groups = {
        place: list(ranked["split"][[found == place for found in places]])
        for place in _PLACES
        if place in places
    }
    count, good = len(ranked), [place for place in groups if place in _GOOD]
    [first, *more] = groups
    if not more and count > 1:
        return f"{'Both' if count == 2 else f'All {count}'} {_PLACES[first][1]}."
    clauses = [f"{listed(names)} {_PLACES[p][len(names) > 1]}" for p, names in groups.items()]
    if count == 1:
        share = ranked["share_of_best"].iloc[0]
        compared = "" if pd.isna(share) else f", with {_share(share)} of the best tree's gain"
        return f"{clauses[0]}{compared}."
    rest = max(groups, key=lambda place: -1 if place in _GOOD else len(groups[place]))
    if len(groups[rest]) > _NAMED and rest not in _GOOD:
        del clauses[list(groups).index(rest)]
        clauses.append(f"the other {len(groups[rest])} {_PLACES[rest][1]}")
    if not good:
        return f"None is better than chance: {'; '.join(clauses)}."
    only = "Only " * (len(good) == 1 and 2 * len(groups[first]) < count)
    return f"{only}{'; '.join(clauses)}."


def _share(share: float) -> str:
    """Format a share of the best tree, never rounded up to 100%."""
    return "over 99.9%" if 0.9995 < share < 1 - SAME_GAIN else f"{share:.1%}"


def _place(row: Mapping[Any, Any]) -> str:
    percentile = row["percentile"]
    if pd.isna(percentile):
        return "unknown"
    if row["share_of_best"] >= 1 - SAME_GAIN:
        return "best"
    if percentile >= 100:
        return "all"
    low, high = CHANCE
    return "better" if percentile > high else "worse" if percentile < low else "chance"


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


def resampled_tables(seeds: pd.DataFrame, draws: int, seed: int = 0) -> Iterator[pd.DataFrame]:
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
    leaves: Sequence[Part], seeds: pd.DataFrame, threshold: float = 0.01, draws: int = RESAMPLED
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
        "resampled": seed_values(leaves, resampled_tables(seeds, draws), threshold),
    }
    frames = []
    for source, values in sources.items():
        summary = values.agg(["mean", "std", "min", "max"]).T.rename_axis("quantity").reset_index()
        summary.insert(0, "source", source)
        summary.insert(2, "tables", len(values))
        frames.append(summary[summary["tables"] > 0])
    return pd.concat(frames, ignore_index=True)
