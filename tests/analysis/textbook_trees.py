"""Splits by hand, random tables, and the textbook way to look at all trees of a shape."""

import math
from collections.abc import Iterator, Sequence
from functools import reduce

import numpy as np
import pandas as pd

from fewshot_core.analysis import top_mask
from fewshot_core.space import SubSpace
from fewshot_core.splitting import set_partitions

CONVOLUTION = ((3,), (0, 1, 2, 4))
"""The grouping that counting parameters gives: {nor_conv_3x3} against the rest."""


def grow(groupings: Sequence[tuple[int, tuple[tuple[int, ...], ...]]]) -> list[SubSpace]:
    """Return the leaves of a tree with the same grouping in all nodes of a level."""
    leaves = [SubSpace.full()]
    for edge, groups in groupings:
        leaves = [leaf.keep(edge, group) for leaf in leaves for group in groups]
    return leaves


def convolution_tree() -> list[SubSpace]:
    return grow([(edge, CONVOLUTION) for edge in range(3)])


def random_table(seed: int, known: int = 15625, values: int = 1000) -> pd.DataFrame:
    """Return accuracies of some architectures, with ties, in any order."""
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "architecture": generator.permutation(15625)[:known],
            "accuracy_mean": generator.integers(0, values, known).astype(float),
        }
    )


def all_trees(
    edges: Sequence[int], groups: Sequence[int], sub_space: SubSpace | None = None
) -> Iterator[list[SubSpace]]:
    """Yield the leaves of every tree of a shape, one after the other."""
    start = sub_space or SubSpace.full()
    if not edges:
        yield [start]
        return
    for grouping in set_partitions(5, groups[0]):
        below = [
            list(all_trees(edges[1:], groups[1:], start.keep(edges[0], group)))
            for group in grouping
        ]
        yield from reduce(_joined, below, [[]])


def _joined(some: list[list[SubSpace]], more: list[list[SubSpace]]) -> list[list[SubSpace]]:
    return [before + after for before in some for after in more]


class Textbook:
    """Information as the equations have it, counting architectures one by one."""

    def __init__(self, table: pd.DataFrame, threshold: float) -> None:
        top = top_mask(table["accuracy_mean"], threshold)
        self.top = dict(zip(table["architecture"].tolist(), top.tolist(), strict=True))
        self._remaining: dict[SubSpace, float] = {}

    def remaining(self, leaf: SubSpace) -> float:
        """Return what stays unknown inside a sub-space, in bits times architectures."""
        if leaf not in self._remaining:
            indices = leaf.architecture_indices().tolist()
            inside = [self.top[index] for index in indices if index in self.top]
            self._remaining[leaf] = len(inside) * entropy(sum(inside), len(inside))
        return self._remaining[leaf]

    def gain(self, leaves: Sequence[SubSpace]) -> float:
        """Return the information gain of a split, in bits."""
        whole = entropy(sum(self.top.values()), len(self.top))
        return whole - sum(map(self.remaining, leaves)) / len(self.top)


def entropy(part: int, whole: int) -> float:
    shares = [part / whole, 1 - part / whole] if whole else []
    return sum(-share * math.log2(share) for share in shares if share > 0)
