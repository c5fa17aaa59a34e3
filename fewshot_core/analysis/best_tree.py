"""The best tree of a shape: how much a split could tell at most."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.counts import Counts, CountTable, count_table, remaining_bits
from fewshot_core.space import OPERATIONS, SubSpace
from fewshot_core.splitting.options import TreeOptions
from fewshot_core.splitting.partition import Groups, set_partitions

_AT_ONCE = 3
"""Levels whose combinations are all held in memory: 30 x 30 x 30 for two groups each."""

_ROUNDING = 1e-7
"""Sums of bits over all architectures that differ by less than this are the same."""


@dataclass(frozen=True)
class BestTree:
    """A tree with the largest information gain of its shape.

    Attributes:
        gain_bits: Its information gain in bits.
        leaves: Its sub-spaces in tree order.
    """

    gain_bits: float
    leaves: tuple[SubSpace, ...]


@dataclass(frozen=True)
class _Choices:
    """All ways to group five operations.

    Attributes:
        groupings: The partitions, in the order of ``set_partitions``.
        blocks: Which operations each group that occurs in one of them has, shape (blocks, 5).
        members: The blocks of each partition, shape (partitions, groups).
    """

    groupings: tuple[Groups, ...]
    blocks: Counts
    members: npt.NDArray[np.int64]


def best_tree(
    accuracy: pd.DataFrame,
    edges: Sequence[int] = (0, 1, 2),
    groups: int | Sequence[int] = (2, 2, 2),
    threshold: float = 0.01,
) -> BestTree:
    """Find the tree with the largest information gain, exactly.

    All trees of the shape compete: one edge at each level, any grouping of its five operations at
    each node. What remains unknown adds up over sub-spaces, so the best tree below a node does not
    depend on the rest, and dynamic programming over the groups finds it. Trees of an edge policy
    that chooses edges have no shape to compete in; see ``tree_shape``.

    Args:
        accuracy: Columns architecture (index) and accuracy_mean (percent); it may be incomplete.
        edges: The edge that each level splits.
        groups: Into how many groups, for all levels or for each.
        threshold: The share of the known architectures that counts as top.

    Returns:
        The tree; among equally good ones, at every node the first grouping in the order of
        ``set_partitions``. It takes milliseconds for three levels, half a second for five, and a
        quarter of a minute for six.

    Raises:
        TableError: If the table has no accuracy, or the threshold is out of range.
        SplittingError: If edges and groups are no shape of a tree.
    """
    shape = TreeOptions.create(edges, groups)
    return best_of_counts(count_table(accuracy, shape.edges, threshold), shape)


def best_of_counts(table: CountTable, shape: TreeOptions) -> BestTree:
    """Return ``best_tree`` from a table of counts over the edges of the shape."""
    found = list(_grow(table.counts, shape.edges, shape.groups, SubSpace.full()))
    remaining = sum(float(remaining_bits(*counts)) for counts, _ in found)
    return BestTree(float(table.gain_bits(remaining)), tuple(leaf for _, leaf in found))


def _grow(
    counts: Counts, edges: Sequence[int], groups: Sequence[int], sub_space: SubSpace
) -> Iterator[tuple[Counts, SubSpace]]:
    """Yield the counts and the sub-spaces of the best tree below a node."""
    if not groups:
        yield counts, sub_space
        return
    remaining = _by_grouping(counts, groups)
    best = int(np.flatnonzero(remaining <= remaining.min() + _ROUNDING)[0])
    for group in _choices(groups[0]).groupings[best]:
        below = counts[list(group)].sum(axis=0)
        yield from _grow(below, edges[1:], groups[1:], sub_space.keep(edges[0], group))


def _by_grouping(counts: Counts, groups: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return the fewest remaining bits for each grouping on the first edge.

    Args:
        counts: Shape (5, ..., 5, 2, *batch), one axis of five for each level.
        groups: The number of groups of each level.

    Returns:
        Shape (*batch, partitions).
    """
    choices = _choices(groups[0])
    merged = np.moveaxis(np.tensordot(choices.blocks, counts, axes=1), 0, -1)
    if len(groups) > _AT_ONCE:
        blocks = range(merged.shape[-1])
        each = [_fewest(merged[..., block], groups[1:]) for block in blocks]
        by_block = np.stack(each, axis=-1)
    else:
        by_block = _fewest(merged, groups[1:])
    remaining: npt.NDArray[np.float64] = by_block[..., choices.members].sum(axis=-1)
    return remaining


def _fewest(counts: Counts, groups: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return the remaining bits of the best trees, shape (*batch,); see ``_by_grouping``."""
    if not groups:
        return remaining_bits(counts[0], counts[1])
    fewest: npt.NDArray[np.float64] = _by_grouping(counts, groups).min(axis=-1)
    return fewest


@lru_cache
def _choices(groups: int) -> _Choices:
    count = len(OPERATIONS)
    groupings = set_partitions(count, groups)
    blocks = sorted({block for grouping in groupings for block in grouping})
    members = [[blocks.index(block) for block in grouping] for grouping in groupings]
    masks = [[int(operation in block) for operation in range(count)] for block in blocks]
    return _Choices(groupings, np.array(masks, dtype=np.int64), np.array(members, dtype=np.int64))
