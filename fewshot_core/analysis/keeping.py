"""The best accuracy that remains within reach when only some sub-spaces are kept (Section 4.3)."""

from collections.abc import Callable, Mapping, Sequence
from math import comb

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.leaf_numbers import LeafNumbers, comparable, leaf_numbers
from fewshot_core.space import SubSpace

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
