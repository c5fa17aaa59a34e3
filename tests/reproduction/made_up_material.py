"""Splits and searches that no run has made."""

from collections.abc import Mapping, Sequence

import pandas as pd

from fewshot_core.reproduction import SearchedSplit
from fewshot_core.reproduction.material import SearchKind
from fewshot_core.space import SubSpace

NAMES = [f"S{number}" for number in range(1, 9)]
KIND = SearchKind("cifar10", "snas", "f", "SNAS, made up", "fewshot search --no-splitting")


def tree_leaves(*groups: Sequence[int]) -> tuple[SubSpace, ...]:
    """Return the eight sub-spaces of a tree with the same group against the rest on each edge."""
    leaves = [SubSpace.full()]
    for edge, group in enumerate(groups):
        rest = [operation for operation in range(5) if operation not in group]
        leaves = [leaf.keep(edge, part) for leaf in leaves for part in (group, rest)]
    return tuple(leaves)


ALONE = tree_leaves([3], [3], [3])
EVEN = tree_leaves([2, 3], [2, 3], [2, 3])


def searched(
    valid: Mapping[int, Sequence[float]], found: Sequence[float], metric: str = "params", seed=0
) -> SearchedSplit:
    """Return searches with these validation accuracies by epoch, which always find the same."""
    rows = [
        {
            "seed": seed,
            "sub_space": name,
            "epoch": epoch,
            "valid_accuracy": value,
            "test_accuracy": accuracy,
        }
        for epoch, values in valid.items()
        for name, value, accuracy in zip(NAMES, values, found, strict=True)
    ]
    return SearchedSplit((metric,), KIND, seed, pd.DataFrame(rows), (f"search-{metric}-{seed}",))
