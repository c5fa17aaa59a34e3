"""Random trees of a shape: how much a split tells by chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.counts import Counts, CountTable, count_table, remaining_bits
from fewshot_core.analysis.intervals import CONFIDENCE, wilson_interval
from fewshot_core.errors import SplittingError
from fewshot_core.space import OPERATIONS
from fewshot_core.splitting.options import TreeOptions
from fewshot_core.splitting.partition import set_partitions

Gains = npt.NDArray[np.float64]

_AT_ONCE = 1000
"""Trees computed together, so that what they need fits into the processor's cache."""

_SAME = 1e-12
"""Gains that differ by less than this, in bits, are the same."""


@dataclass(frozen=True)
class Percentile:
    """Where a split stands among random trees, in percent.

    Attributes:
        percent: The share of random trees that tell less, equal ones counted half.
        low: The lower end of the confidence interval.
        high: The upper end.
    """

    percent: float
    low: float
    high: float


def random_trees(
    accuracy: pd.DataFrame,
    count: int = 10_000,
    edges: Sequence[int] = (0, 1, 2),
    groups: int | Sequence[int] = (2, 2, 2),
    threshold: float = 0.01,
    seed: int = 0,
) -> Gains:
    """Return the information gains of random trees.

    The grouping of each node is drawn independently, each possible one with the same probability:
    one of 15 for two groups.

    Args:
        accuracy: Columns architecture (index) and accuracy_mean (percent); it may be incomplete.
        count: How many trees to draw.
        edges: The edge that each level splits.
        groups: Into how many groups, for all levels or for each.
        threshold: The share of the known architectures that counts as top.
        seed: The seed of the draws.

    Returns:
        Bits, shape (count,), in the order of drawing.

    Raises:
        TableError: If the table has no accuracy, or the threshold is out of range.
        SplittingError: If edges and groups are no shape of a tree, or no tree is asked for.
    """
    shape = TreeOptions.create(edges, groups)
    return random_of_counts(count_table(accuracy, shape.edges, threshold), shape, count, seed)


def random_of_counts(table: CountTable, shape: TreeOptions, count: int, seed: int = 0) -> Gains:
    """Return ``random_trees`` from a table of counts over the edges of the shape."""
    if count < 1:
        raise SplittingError(f"expected at least 1 random tree to draw, got {count}")
    drawn = _draw(shape, count, np.random.default_rng(seed))
    parts = [
        _remaining(table.counts, [level[start : start + _AT_ONCE] for level in drawn])
        for start in range(0, count, _AT_ONCE)
    ]
    return table.gain_bits(np.concatenate(parts))


def random_percentile(
    gain: float, gains: npt.ArrayLike, confidence: float = CONFIDENCE
) -> Percentile:
    """Return where a gain stands among those of random trees.

    A random tree with the same gain (within 1e-12 bits) counts half, so that a split that only does
    what chance does stands at 50. The interval is Wilson's for a share, which stays within 0 and
    100 and has a width even where no random tree was better, or none worse.

    Args:
        gain: The gain of a split, in bits.
        gains: The gains of random trees of its shape, shape (n,), n at least 1.
        confidence: The probability with which such intervals hold the percentile among all trees.

    Raises:
        SplittingError: If there is no random tree, or the confidence is not between 0 and 1.
    """
    among = np.asarray(gains, dtype=np.float64)
    if among.size == 0 or not 0 < confidence < 1:
        raise SplittingError(
            "expected random trees and a confidence between 0 and 1, "
            f"got {among.size} trees and {confidence}"
        )
    less = (among < gain - _SAME).sum()
    equal = (np.abs(among - gain) <= _SAME).sum()
    share = float(less + equal / 2) / among.size
    low, high = wilson_interval(share, among.size, confidence)
    return Percentile(100 * share, 100 * low, 100 * high)


def _draw(
    shape: TreeOptions, count: int, generator: np.random.Generator
) -> list[npt.NDArray[np.float64]]:
    """Return, for each level, who is in which group; shape (count, nodes, groups, 5)."""
    levels = []
    nodes = 1
    for groups in shape.groups:
        masks = _masks(groups)
        levels.append(masks[generator.integers(len(masks), size=(count, nodes))])
        nodes *= groups
    return levels


def _remaining(counts: Counts, levels: Sequence[npt.NDArray[np.float64]]) -> Gains:
    """Return the remaining bits of trees that are drawn, shape (trees,)."""
    trees, operations = len(levels[0]), len(OPERATIONS)
    inside = counts.astype(np.float64).reshape(1, 1, operations, -1)
    for level in levels:
        inside = level @ inside.reshape(len(inside), level.shape[1], operations, -1)
    # Sums of counts are whole numbers, which floating point numbers hold exactly.
    leaves = inside.reshape(trees, -1, 2).astype(np.int64)
    remaining: Gains = remaining_bits(leaves[..., 0], leaves[..., 1]).sum(axis=1)
    return remaining


def _masks(groups: int) -> npt.NDArray[np.float64]:
    """Return who is in which group of every grouping, shape (partitions, groups, 5)."""
    count = len(OPERATIONS)
    masks = [
        [[float(operation in group) for operation in range(count)] for group in grouping]
        for grouping in set_partitions(count, groups)
    ]
    return np.array(masks)
