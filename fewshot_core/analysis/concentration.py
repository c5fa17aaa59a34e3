"""How unevenly the top architectures lie over the sub-spaces of a split."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.leaf_numbers import leaf_numbers
from fewshot_core.space import SubSpace


def gini(leaves: Sequence[SubSpace], accuracy: pd.DataFrame, threshold: float = 0.01) -> float:
    """Return the Gini coefficient of the top's distribution over sub-spaces, given their sizes.

    It is one minus twice the area below the Lorenz curve that has the share of the space on one
    axis and the share of the top on the other, sub-spaces with the lowest density of top
    architectures first. A Gini coefficient of the counts alone would call a split uneven only
    because its sub-spaces differ in size: that large ones hold more of the top says nothing
    (Section 4.2 of the paper).

    Args:
        leaves: Sub-spaces that cover every architecture of the table once.
        accuracy: Columns architecture (index) and accuracy_mean (percent). It may be incomplete:
            sizes are then those of the known part.
        threshold: The share of the known architectures that counts as top.

    Returns:
        0 where every sub-space has the same density; one minus the share of the top, the most
        there can be, where whole sub-spaces hold the top and nothing else.

    Raises:
        TableError: If the table has no accuracy, or the threshold is out of range.
        SpaceError: If an architecture of the table is in no sub-space.
    """
    numbers = leaf_numbers(leaves, accuracy, threshold)
    return gini_of_counts(numbers.known, numbers.top)


def gini_of_counts(known: npt.NDArray[np.int64], top: npt.NDArray[np.int64]) -> float:
    """Return ``gini`` from the architectures and the top ones of each sub-space, shape (n,).

    There must be a top architecture, as there is in every table with an accuracy.
    """
    filled = known > 0
    space, best = known[filled] / known.sum(), top[filled] / top.sum()
    order = np.argsort(best / space, kind="stable")
    reached = np.cumsum(best[order])
    below = (space[order] * (2 * reached - best[order])).sum()
    # Rounding can leave a coefficient of nothing a hair below zero.
    return max(0.0, float(1 - below))
