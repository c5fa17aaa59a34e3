"""Entropy in bits, of the question whether an architecture is in the top."""

import numpy as np
import numpy.typing as npt


def binary_entropy(share: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the entropy of a yes-or-no question with that probability of yes, in bits."""
    yes = np.asarray(share, dtype=np.float64)
    no = 1 - yes
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(yes > 0, yes * np.log2(yes), 0) + np.where(no > 0, no * np.log2(no), 0)
    entropy: npt.NDArray[np.float64] = -terms
    return entropy


def gain_of_counts(known: npt.NDArray[np.int64], top: npt.NDArray[np.int64]) -> float:
    """Return H(top) minus the size-weighted mean of H(top | sub-space), in bits.

    Args:
        known: Architectures in each sub-space, shape (n,), not all zero.
        top: Top architectures among them, shape (n,).
    """
    filled = known > 0
    inside = binary_entropy(top[filled] / known[filled])
    expected = (known[filled] * inside).sum() / known.sum()
    # Rounding can leave a gain of nothing a hair below zero.
    return max(0.0, float(binary_entropy(top.sum() / known.sum()) - expected))
