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
        accuracy: Accuracies in percent, shape (n,); missing ones (NaN) do not count.
        share: The share of architectures asked for, above 0 and at most 1.

    Raises:
        TableError: If there is no accuracy, or the share is out of range.
    """
    values = np.asarray(accuracy, dtype=np.float64)
    known = values[~np.isnan(values)]
    if not 0 < share <= 1:
        raise TableError(f"expected a share of the top above 0 and at most 1, got {share}")
    if known.size == 0:
        raise TableError("expected accuracies to find the top of, got none")
    # The share as it is written, so that 0.07 of 100 is 7 and not 7.000000000000001.
    rank = ceil(Fraction(str(share)) * known.size)
    return float(np.partition(known, known.size - rank)[known.size - rank])


def top_mask(accuracy: npt.ArrayLike, share: float = 0.01) -> npt.NDArray[np.bool_]:
    """Return which accuracies are top: at least ``top_threshold``, so that ties count in.

    Args:
        accuracy: Accuracies in percent, shape (n,); n may be 0.
        share: As for ``top_threshold``.

    Returns:
        Shape (n,); a missing accuracy is never top.
    """
    values = np.asarray(accuracy, dtype=np.float64)
    if np.isnan(values).all():
        return np.zeros(values.shape, dtype=np.bool_)
    return values >= top_threshold(values, share)
