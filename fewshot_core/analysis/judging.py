"""What a split is worth: beside the best tree of its shape, and beside chance."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.best_tree import BestTree, best_of_counts
from fewshot_core.analysis.concentration import gini_of_counts
from fewshot_core.analysis.counts import count_table
from fewshot_core.analysis.leaf_numbers import leaf_numbers
from fewshot_core.analysis.random_trees import random_of_counts, random_percentile
from fewshot_core.analysis.shape import tree_shape
from fewshot_core.space import SubSpace
from fewshot_core.splitting.options import TreeOptions

RANDOM_TREES = 10_000
"""How many random trees a split is compared with."""

REPORTS = 256
"""How many reports a judge keeps."""


@dataclass(frozen=True, eq=False)
class Chance:
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
class Standing:
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
    standing: Standing | None


class SplitJudge:
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
        self._chances: dict[TreeOptions, Chance] = {}
        self._report = lru_cache(maxsize=REPORTS)(self._judge)

    def chance(self, shape: TreeOptions) -> Chance:
        """Return the best tree and random trees of a shape, computed when first asked for.

        Raises:
            TableError: If the table has no accuracy, or the threshold is out of range.
        """
        if shape not in self._chances:
            table = count_table(self.accuracy, shape.edges, self.threshold)
            gains = np.sort(random_of_counts(table, shape, self._random_trees, self._seed))
            self._chances[shape] = Chance(shape, best_of_counts(table, shape), gains)
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
            standing=_standing(numbers.gain_bits, self.chance(shape)) if shape else None,
        )


def split_report(
    leaves: Sequence[SubSpace], accuracy: pd.DataFrame, threshold: float = 0.01
) -> SplitReport:
    """Say how informative one split is; a ``SplitJudge`` is quicker for several."""
    return SplitJudge(accuracy, threshold).report(leaves)


def report_frame(splits: Mapping[str, Sequence[SubSpace]], judge: SplitJudge) -> pd.DataFrame:
    """Return the reports of several splits of a table, the most informative first.

    Args:
        splits: The sub-spaces of each split, by its name.
        judge: Who judges them.

    Returns:
        Columns split (its name) and the attributes of ``SplitReport`` and ``Standing``; those of a
        standing are missing where there is none.
    """
    rows = []
    for name, leaves in splits.items():
        row = {"split": name, **asdict(judge.report(leaves))}
        rows.append(row | (row.pop("standing") or {}))
    own = [item.name for item in fields(SplitReport) if item.name != "standing"]
    beside = [item.name for item in fields(Standing)]
    frame = pd.DataFrame(rows, columns=["split", *own, *beside])
    frame = frame.astype(dict.fromkeys(beside, "float64") | {"random_trees": "Int64"})
    return frame.sort_values("gain_bits", ascending=False, kind="stable", ignore_index=True)


def _standing(gain: float, chance: Chance) -> Standing:
    best = chance.best.gain_bits
    stands = random_percentile(gain, chance.gains)
    return Standing(
        best_bits=best,
        share_of_best=gain / best if best else None,
        random_mean_bits=float(chance.gains.mean()),
        random_trees=chance.gains.size,
        percentile=stands.percent,
        percentile_low=stands.low,
        percentile_high=stands.high,
    )
