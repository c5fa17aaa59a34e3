"""The top architectures of a table."""

from fractions import Fraction
from math import ceil

import numpy as np
import numpy.typing as npt

from fewshot_core.errors import TableError


def top_threshold(accuracy: npt.ArrayLike, share: float = 0.01) -> float:
    """Return the accuracy from which on an architecture counts as top, in percent.

    It is the accuracy of rank ceil(share * n), the best being rank 1: rank 157 for 1% of all
    15,625 architectures.

    Args:
        accuracy: Accuracies, in percent, shape (n,).
        share: The share of architectures asked for, above 0 and at most 1.

    Raises:
        TableError: If there is no accuracy, or the share is out of range.
    """
    values = np.asarray(accuracy, dtype=np.float64)
    if not 0 < share <= 1:
        raise TableError(f"expected a share of the top above 0 and at most 1, got {share}")
    if values.size == 0:
        raise TableError("expected accuracies to find the top of, got none")
    # As a decimal, so that 0.07 of 100 is 7 and not 7.000000000000001.
    rank = ceil(Fraction(str(share)) * values.size)
    return float(np.partition(values, values.size - rank)[values.size - rank])


def top_mask(accuracy: npt.ArrayLike, share: float = 0.01) -> npt.NDArray[np.bool_]:
    """Return which accuracies are top, those equal to the threshold counted in; see above."""
    values = np.asarray(accuracy, dtype=np.float64)
    return values >= top_threshold(values, share)
