"""How many architectures, and how many top ones, each choice on the split edges has.

All trees over the same edges only add up cells of this small table, so that their information
gains need not look at the architectures again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.entropy import binary_entropy
from fewshot_core.analysis.top import top_mask
from fewshot_core.errors import TableError
from fewshot_core.space import ARCHITECTURE_COUNT, EDGES, OPERATIONS

Counts = npt.NDArray[np.int64]

_NUMBERS = np.arange(ARCHITECTURE_COUNT + 1)
_N_LOG_N = _NUMBERS * np.log2(np.maximum(_NUMBERS, 1))


@dataclass(frozen=True)
class CountTable:
    """Architectures by their operations on some edges.

    Attributes:
        counts: Shape (5, ..., 5, 2), one axis of five operations for each edge; the last axis has
            the known architectures and the top ones among them.
    """

    counts: Counts

    @property
    def known(self) -> int:
        """How many architectures have an accuracy."""
        return int(self.counts[..., 0].sum())

    @property
    def top_entropy_bits(self) -> float:
        """H(top): what is to be learned about being in the top, in bits."""
        return float(binary_entropy(self.counts[..., 1].sum() / self.known))

    def gain_bits(self, remaining: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the gains of splits whose sub-spaces have ``remaining_bits`` in total."""
        # Rounding can leave a gain of nothing a hair below zero.
        return np.maximum(0.0, self.top_entropy_bits - np.asarray(remaining) / self.known)


def count_table(
    accuracy: pd.DataFrame, edges: Sequence[int] = (0, 1, 2), threshold: float = 0.01
) -> CountTable:
    """Count the architectures of a table by their operations on some edges.

    Args:
        accuracy: Columns architecture (index) and accuracy_mean (percent); it may be incomplete.
        edges: The edges, in the order of the axes.
        threshold: The share of the known architectures that counts as top.

    Raises:
        TableError: If the table has no accuracy, or the threshold is out of range.
    """
    known = accuracy[["architecture", "accuracy_mean"]].dropna()
    if known.empty:
        raise TableError("expected accuracies to count the top architectures of, got none")
    base = len(OPERATIONS)
    architectures = known["architecture"].to_numpy(dtype=np.int64)
    cell = np.zeros(len(known), dtype=np.int64)
    for edge in edges:
        cell = cell * base + architectures // base ** (len(EDGES) - 1 - edge) % base
    top = top_mask(known["accuracy_mean"].to_numpy(), threshold)
    pairs = np.bincount(2 * cell + top, minlength=2 * base ** len(edges)).reshape(-1, 2)
    counts = np.stack([pairs.sum(axis=1), pairs[:, 1]], axis=-1)
    return CountTable(counts.reshape(*(base,) * len(edges), 2))


def remaining_bits(known: Counts, top: Counts) -> npt.NDArray[np.float64]:
    """Return what stays unknown about being in the top inside sub-spaces: size times H(top).

    Args:
        known: Architectures in each sub-space, any shape.
        top: Top architectures among them, the same shape.

    Returns:
        Bits, the same shape. With n log n of counts read from a table, it takes no logarithm.
    """
    remaining: npt.NDArray[np.float64] = _N_LOG_N[known] - _N_LOG_N[top] - _N_LOG_N[known - top]
    return remaining
