"""The few numbers of each sub-space that judging a split takes, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.entropy import binary_entropy, gain_of_counts
from fewshot_core.analysis.sub_spaces import sub_space_names, sub_space_numbers
from fewshot_core.analysis.top import top_mask
from fewshot_core.errors import SpaceError, TableError
from fewshot_core.space import Architecture, SubSpace

_DECIMALS = 9
"""Accuracies and means that agree to so many decimals are the same."""


@dataclass(frozen=True, eq=False)
class LeafNumbers:
    """What each sub-space of a split holds; all arrays of shape (sub-spaces,).

    Attributes:
        size: Its architectures.
        known: Those with an accuracy.
        top: Those in the top.
        best: The best accuracy in percent; not a number where none is known.
        mean: The mean accuracy in percent, likewise.
    """

    size: npt.NDArray[np.int64]
    known: npt.NDArray[np.int64]
    top: npt.NDArray[np.int64]
    best: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]

    @property
    def top_entropy_bits(self) -> float:
        """H(top), in bits."""
        return float(binary_entropy(self.top.sum() / self.known.sum()))

    @property
    def gain_bits(self) -> float:
        """The information gain, in bits."""
        return gain_of_counts(self.known, self.top)

    @property
    def optimum(self) -> tuple[str, ...]:
        """The sub-spaces with an architecture of the best accuracy, like "S4"."""
        return _highest(self.best)

    @property
    def best_mean(self) -> tuple[str, ...]:
        """The sub-spaces with the highest mean accuracy."""
        return _highest(self.mean)

    @property
    def optimum_in_best_mean(self) -> bool:
        """Whether a sub-space with the highest mean also has the best accuracy."""
        return bool(set(self.optimum) & set(self.best_mean))


def leaf_numbers(
    leaves: Sequence[SubSpace], accuracy: pd.DataFrame, threshold: float = 0.01
) -> LeafNumbers:
    """Return the numbers of the sub-spaces of a split.

    Args:
        leaves: Sub-spaces that cover every architecture of the table once.
        accuracy: Columns architecture (index) and accuracy_mean (percent). It may be incomplete.
        threshold: The share of the known architectures that counts as top.

    Raises:
        TableError: If the table has no accuracy, or the threshold is out of range.
        SpaceError: If an architecture of the table is in no sub-space.
    """
    rows = accuracy[["architecture", "accuracy_mean"]].dropna()
    if rows.empty:
        raise TableError("expected accuracies to judge sub-spaces by, got none")
    values = rows["accuracy_mean"].to_numpy(dtype=np.float64)
    architectures = rows["architecture"].to_numpy(dtype=np.int64)
    member = sub_space_numbers(leaves)[architectures]
    if (member < 0).any():
        first = Architecture.from_index(int(architectures[member < 0][0])).to_string()
        raise SpaceError(f"expected sub-spaces that cover every architecture; {first} is in none")
    count = len(leaves)
    known = np.bincount(member, minlength=count)
    best = np.full(count, -np.inf)
    np.maximum.at(best, member, values)
    sums = np.bincount(member, weights=values, minlength=count)
    return LeafNumbers(
        size=np.array([leaf.size for leaf in leaves], dtype=np.int64),
        known=known,
        top=np.bincount(member[top_mask(values, threshold)], minlength=count),
        best=np.where(known > 0, best, np.nan),
        mean=np.divide(sums, known, out=np.full(count, np.nan), where=known > 0),
    )


def comparable(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return values without the rounding of sums, which would tell equal ones apart."""
    return values.round(_DECIMALS)


def _highest(values: npt.NDArray[np.float64]) -> tuple[str, ...]:
    rounded = comparable(values)
    names = sub_space_names(len(values))
    return tuple(names[place] for place in np.flatnonzero(rounded == np.nanmax(rounded)))
