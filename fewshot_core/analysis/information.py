"""How much a split tells about where the top architectures are."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.sub_spaces import sub_space_numbers
from fewshot_core.analysis.top import top_mask
from fewshot_core.errors import SpaceError, TableError
from fewshot_core.space import Architecture, SubSpace


def binary_entropy(share: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the entropy of a yes-or-no question with that probability of yes, in bits."""
    yes = np.asarray(share, dtype=np.float64)
    no = 1 - yes
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(yes > 0, yes * np.log2(yes), 0) + np.where(no > 0, no * np.log2(no), 0)
    entropy: npt.NDArray[np.float64] = -terms
    return entropy


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
        TableError: If the table has no accuracy.
        SpaceError: If an architecture of the table is in no sub-space.
    """
    known = accuracy.dropna(subset=["accuracy_mean"])
    if known.empty:
        raise TableError("expected accuracies to compute an information gain from, got none")
    top = top_mask(known["accuracy_mean"].to_numpy(), threshold)
    architectures = known["architecture"].to_numpy()
    member = sub_space_numbers(leaves)[architectures]
    if (member < 0).any():
        first = Architecture.from_index(int(architectures[member < 0][0])).to_string()
        raise SpaceError(f"expected sub-spaces that cover every architecture; {first} is in none")
    sizes = np.bincount(member, minlength=len(leaves))
    counts = np.bincount(member, weights=top, minlength=len(leaves))
    filled = sizes > 0
    inside = binary_entropy(counts[filled] / sizes[filled])
    expected = (sizes[filled] * inside).sum() / sizes.sum()
    # Rounding can leave a gain of nothing a hair below zero.
    return max(0.0, float(binary_entropy(top.mean()) - expected))
