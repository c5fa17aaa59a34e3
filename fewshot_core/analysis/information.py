"""How much a split tells about where the top architectures are."""

from collections.abc import Sequence

import pandas as pd

from fewshot_core.analysis.leaf_numbers import leaf_numbers
from fewshot_core.space import SubSpace


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
