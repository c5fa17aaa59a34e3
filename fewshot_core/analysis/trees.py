"""Trees of a shape: the best one, random ones, and where a split lies between them.

All trees over the same edges only add up cells of this small table, so that their information
gains need not look at the architectures again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.statistics import CONFIDENCE, binary_entropy, wilson_interval
from fewshot_core.analysis.sub_spaces import top_mask
from fewshot_core.errors import SplittingError, TableError
from fewshot_core.space import ARCHITECTURE_COUNT, EDGES, OPERATIONS, SubSpace
from fewshot_core.splitting.partition import Groups, set_partitions
from fewshot_core.splitting.tree import Path, TreeOptions

_ALL = tuple(range(len(OPERATIONS)))

_Node = list[SubSpace]
_Levels = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Branching:
    """One decision of a tree, as its sub-spaces show it.

    Attributes:
        path: The number of the group taken at each level from the root; empty at the root.
        edge: The edge that is split here.
        sub_space: The sub-space that arrives here.
        groups: The operations of each branch.
    """

    path: Path
    edge: int
    sub_space: SubSpace
    groups: Groups


def tree_shape(leaves: Sequence[SubSpace]) -> TreeOptions | None:
    """Return the edges and numbers of groups of the tree that sub-spaces come from.

    Such a tree splits the same edge, into the same number of groups, in all nodes of a level. Where
    several orders of the edges give the same sub-spaces, it is the one whose tree has them in the
    order given; where none has, the one that starts with the smallest edges.

    Args:
        leaves: Sub-spaces of a split, in any order.

    Returns:
        The shape, or None where no such tree has these sub-spaces: an edge policy that chooses
        edges, a split by hand, or no split at all.
    """
    used = [
        edge for edge in range(len(EDGES)) if any(leaf.enabled[edge] != _ALL for leaf in leaves)
    ]
    if not used:
        return None
    found: _Levels | None = None
    for levels, order in _trees([list(leaves)], used):
        if order == list(leaves):
            found = levels
            break
        found = found or levels
    if found is None:
        return None
    return TreeOptions(tuple(edge for edge, _ in found), tuple(count for _, count in found))


def branchings(leaves: Sequence[SubSpace]) -> list[Branching] | None:
    """Return the decisions that lead to sub-spaces, parents before children.

    Returns:
        Every node of the tree of ``tree_shape``, groups in the order of the sub-spaces; None where
        there is no such tree.
    """
    shape = tree_shape(leaves)
    if shape is None:
        return None
    nodes: list[tuple[Path, SubSpace, _Node]] = [((), SubSpace.full(), list(leaves))]
    found = []
    for edge in shape.edges:
        below: list[tuple[Path, SubSpace, _Node]] = []
        for path, sub_space, members in nodes:
            parts = _by_operations(members, edge)
            found.append(Branching(path, edge, sub_space, tuple(parts)))
            below += [
                ((*path, number), sub_space.keep(edge, group), part)
                for number, (group, part) in enumerate(parts.items())
            ]
        nodes = below
    return found


def _trees(nodes: list[_Node], edges: list[int]) -> Iterator[tuple[_Levels, _Node]]:
    """Yield (edge, groups) of each level, and the leaves in tree order, for every fitting order."""
    if not edges:
        if all(len(node) == 1 for node in nodes):
            yield (), [leaf for node in nodes for leaf in node]
        return
    for edge in edges:
        parts = [_by_operations(node, edge) for node in nodes]
        count = len(parts[0])
        if all(len(part) == count and _is_partition(part) for part in parts):
            below = [members for part in parts for members in part.values()]
            for levels, order in _trees(below, [other for other in edges if other != edge]):
                yield ((edge, count), *levels), order


def _by_operations(leaves: _Node, edge: int) -> dict[tuple[int, ...], _Node]:
    """Return the leaves by what they enable on an edge, in the order of their first one."""
    parts: dict[tuple[int, ...], _Node] = {}
    for leaf in leaves:
        parts.setdefault(leaf.enabled[edge], []).append(leaf)
    return parts


def _is_partition(parts: dict[tuple[int, ...], _Node]) -> bool:
    operations = sorted(operation for group in parts for operation in group)
    return len(parts) > 1 and operations == list(_ALL)


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


Gains = npt.NDArray[np.float64]

_AT_ONCE_of_random_trees = 1000
"""Trees computed together, so that what they need fits into the processor's cache."""

_SAME = 1e-12
"""Gains that differ by less than this, in bits, are the same."""


@dataclass(frozen=True)
class Percentile:
    """Where a split stands among random trees, in percent.

    Attributes:
        percent: The share of random trees that tell less, equal ones counted half.
        low: The lower end of the confidence interval.
        high: The upper end.
    """

    percent: float
    low: float
    high: float


def random_trees(
    accuracy: pd.DataFrame,
    count: int = 10_000,
    edges: Sequence[int] = (0, 1, 2),
    groups: int | Sequence[int] = (2, 2, 2),
    threshold: float = 0.01,
    seed: int = 0,
) -> Gains:
    """Return the information gains of random trees.

    The grouping of each node is drawn independently, each possible one with the same probability:
    one of 15 for two groups.

    Args:
        accuracy: Columns architecture (index) and accuracy_mean (percent); it may be incomplete.
        count: How many trees to draw.
        edges: The edge that each level splits.
        groups: Into how many groups, for all levels or for each.
        threshold: The share of the known architectures that counts as top.
        seed: The seed of the draws.

    Returns:
        Bits, shape (count,), in the order of drawing.

    Raises:
        TableError: If the table has no accuracy, or the threshold is out of range.
        SplittingError: If edges and groups are no shape of a tree, or no tree is asked for.
    """
    shape = TreeOptions.create(edges, groups)
    return random_of_counts(count_table(accuracy, shape.edges, threshold), shape, count, seed)


def random_of_counts(table: CountTable, shape: TreeOptions, count: int, seed: int = 0) -> Gains:
    """Return ``random_trees`` from a table of counts over the edges of the shape."""
    if count < 1:
        raise SplittingError(f"expected at least 1 random tree to draw, got {count}")
    drawn = _draw(shape, count, np.random.default_rng(seed))
    parts = [
        _remaining(
            table.counts, [level[start : start + _AT_ONCE_of_random_trees] for level in drawn]
        )
        for start in range(0, count, _AT_ONCE_of_random_trees)
    ]
    return table.gain_bits(np.concatenate(parts))


def random_percentile(
    gain: float, gains: npt.ArrayLike, confidence: float = CONFIDENCE
) -> Percentile:
    """Return where a gain stands among those of random trees.

    A random tree with the same gain (within 1e-12 bits) counts half, so that a split that only does
    what chance does stands at 50. The interval is Wilson's for a share, which stays within 0 and
    100 and has a width even where no random tree was better, or none worse.

    Args:
        gain: The gain of a split, in bits.
        gains: The gains of random trees of its shape, shape (n,), n at least 1.
        confidence: The probability with which such intervals hold the percentile among all trees.

    Raises:
        SplittingError: If there is no random tree, or the confidence is not between 0 and 1.
    """
    among = np.asarray(gains, dtype=np.float64)
    if among.size == 0 or not 0 < confidence < 1:
        raise SplittingError(
            "expected random trees and a confidence between 0 and 1, "
            f"got {among.size} trees and {confidence}"
        )
    less = (among < gain - _SAME).sum()
    equal = (np.abs(among - gain) <= _SAME).sum()
    share = float(less + equal / 2) / among.size
    low, high = wilson_interval(share, among.size, confidence)
    return Percentile(100 * share, 100 * low, 100 * high)


def _draw(
    shape: TreeOptions, count: int, generator: np.random.Generator
) -> list[npt.NDArray[np.float64]]:
    """Return, for each level, who is in which group; shape (count, nodes, groups, 5)."""
    levels = []
    nodes = 1
    for groups in shape.groups:
        masks = _masks(groups)
        levels.append(masks[generator.integers(len(masks), size=(count, nodes))])
        nodes *= groups
    return levels


def _remaining(counts: Counts, levels: Sequence[npt.NDArray[np.float64]]) -> Gains:
    """Return the remaining bits of trees that are drawn, shape (trees,)."""
    trees, operations = len(levels[0]), len(OPERATIONS)
    inside = counts.astype(np.float64).reshape(1, 1, operations, -1)
    for level in levels:
        inside = level @ inside.reshape(len(inside), level.shape[1], operations, -1)
    # Sums of counts are whole numbers, which floating point numbers hold exactly.
    leaves = inside.reshape(trees, -1, 2).astype(np.int64)
    remaining: Gains = remaining_bits(leaves[..., 0], leaves[..., 1]).sum(axis=1)
    return remaining


def _masks(groups: int) -> npt.NDArray[np.float64]:
    """Return who is in which group of every grouping, shape (partitions, groups, 5)."""
    count = len(OPERATIONS)
    masks = [
        [[float(operation in group) for operation in range(count)] for group in grouping]
        for grouping in set_partitions(count, groups)
    ]
    return np.array(masks)
