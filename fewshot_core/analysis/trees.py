"""Trees of one shape: the best one, random ones, and the percentile of a split among them.

The information gain of every tree over the same edges is a sum over cells of one small table of
counts, so that no tree needs to look at the architectures again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import chain
from math import prod
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.sub_spaces import Counts, Floats, binary_entropy, top_mask
from fewshot_core.errors import SplittingError, TableError
from fewshot_core.space import NAS_BENCH_201, Part, SearchSpace, SubSpace, get_space, space_of
from fewshot_core.splitting.partition import Groups, set_partitions
from fewshot_core.splitting.tree import Path, TreeOptions

CONFIDENCE = 0.95
"""Default level of confidence intervals."""

_BLOCKS_AT_ONCE = 30_000
"""Combinations of groups of successive levels, the last one not counted, that are held in memory:
of two groups of five, those of three levels (30 x 30 x 30), of two groups of eight, of one."""

_TREES_AT_ONCE = 1000
"""Random trees computed together, so that they fit into the processor's cache."""

_CELLS_AT_ONCE = 4_000_000
"""Counts of these trees held in memory: fewer trees at a time where there are many cells."""

_ROUNDING = 1e-7
"""Sums of bits over all architectures that differ by less than this are equal."""

SAME_GAIN = 1e-12
"""Gains that differ by less than this, in bits, are equal."""

_Node = list[SubSpace]
_Levels = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Branching:
    """A decision of a tree, inferred from its sub-spaces; fields as in ``SplitNode``."""

    path: Path
    edge: int
    sub_space: SubSpace
    groups: Groups


def tree_shape(leaves: Sequence[Part]) -> TreeOptions | None:
    """Infer the edges and numbers of groups of the tree that has these sub-spaces.

    Such a tree splits the same edge, into the same number of groups, in all nodes of a level. Where
    several orders of the edges give the same sub-spaces, it is the one whose tree has them in the
    order given; where none has, the one that starts with the smallest edges. It is None where no
    such tree has these sub-spaces: an edge policy that chooses edges, a split by hand, a partition
    that is no tree, or no split.
    """
    shape = space_of(leaves).shape
    sub_spaces = [leaf for leaf in leaves if isinstance(leaf, SubSpace)]
    if len(sub_spaces) < len(leaves):
        return None
    used = [
        edge
        for edge, count in enumerate(shape)
        if any(len(leaf.enabled[edge]) != count for leaf in sub_spaces)
    ]
    if not used:
        return None
    places = {leaf: place for place, leaf in enumerate(sub_spaces)}
    for order in (places, None):
        for levels in _trees([sub_spaces], used, order):
            edges, counts = zip(*levels, strict=True)
            return TreeOptions(edges, counts)
    return None


def branchings(leaves: Sequence[Part]) -> list[Branching] | None:
    """List the nodes of the tree of ``tree_shape``, parents before children; None without one.

    Groups are in the order of the sub-spaces.
    """
    shape = tree_shape(leaves)
    if shape is None:
        return None
    whole = SubSpace.full(space_of(leaves))
    members = [leaf for leaf in leaves if isinstance(leaf, SubSpace)]
    nodes: list[tuple[Path, SubSpace, _Node]] = [((), whole, members)]
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


def _trees(
    nodes: list[_Node], edges: list[int], places: Mapping[SubSpace, int] | None
) -> Iterator[_Levels]:
    """Yield (edge, groups) of each level for every fitting order of the edges.

    With the places of the leaves, only for trees that have them in this order: those whose groups
    are consecutive leaves.
    """
    if not edges:
        if all(len(node) == 1 for node in nodes):
            yield ()
        return
    for edge in edges:
        parts = [_by_operations(node, edge) for node in nodes]
        count, every = len(parts[0]), list(range(nodes[0][0].space.shape[edge]))
        partitions = (len(part) == count and sorted(chain(*part)) == every for part in parts)
        if count < 2 or not all(partitions):
            continue
        below = [members for part in parts for members in part.values()]
        if places and any(places[node[-1]] - places[node[0]] >= len(node) for node in below):
            continue
        for levels in _trees(below, [other for other in edges if other != edge], places):
            yield ((edge, count), *levels)


def _by_operations(leaves: _Node, edge: int) -> dict[tuple[int, ...], _Node]:
    """Group the leaves by their operations on an edge, in the order of the first of each group."""
    parts: dict[tuple[int, ...], _Node] = {}
    for leaf in leaves:
        parts.setdefault(leaf.enabled[edge], []).append(leaf)
    return parts


def count_table(
    accuracy: pd.DataFrame,
    edges: Sequence[int] = (0, 1, 2),
    threshold: float = 0.01,
    space: SearchSpace = NAS_BENCH_201,
) -> Counts:
    """Count the architectures of a table by their operations on some edges.

    Returns:
        Shape (operations, ..., operations, 2), an axis for each edge; the last axis has the known
        architectures and the top ones among them.
    """
    known = accuracy[["architecture", "accuracy_mean"]].dropna()
    if known.empty:
        raise TableError("expected accuracies to count the top architectures of, got none")
    architectures = known["architecture"].to_numpy(dtype=np.int64)
    choices = np.unravel_index(architectures, space.shape)
    shape = tuple(space.shape[edge] for edge in edges)
    cell = np.ravel_multi_index([choices[edge] for edge in edges], shape)
    top = top_mask(known["accuracy_mean"].to_numpy(), threshold)
    pairs = np.bincount(2 * cell + top, minlength=2 * prod(shape)).reshape(-1, 2)
    counts = np.stack([pairs.sum(axis=1), pairs[:, 1]], axis=-1)
    return counts.reshape(*shape, 2)


def _gain_bits(counts: Counts, remaining: npt.ArrayLike) -> Floats:
    """Convert total ``remaining_bits`` of splits to information gains."""
    known, top = int(counts[..., 0].sum()), counts[..., 1].sum()
    # Rounding can make a gain of zero slightly negative.
    return np.maximum(0.0, float(binary_entropy(top / known)) - np.asarray(remaining) / known)


def remaining_bits(known: Counts, top: Counts) -> Floats:
    """Compute size times H(top) of sub-spaces, in bits, from known and top architectures in each.

    It needs no logarithms: n log n is looked up.
    """
    looked_up = _n_log_n(int(np.max(known)).bit_length())
    remaining: Floats = looked_up[known] - looked_up[top] - looked_up[known - top]
    return remaining


@lru_cache
def _n_log_n(bits: int) -> Floats:
    """Compute n log n of all numbers of so many bits."""
    numbers = np.arange(2**bits)
    values: Floats = numbers * np.log2(np.maximum(numbers, 1))
    return values


@dataclass(frozen=True)
class _Groupings:
    """All partitions of the operations of a decision into some number of groups.

    Attributes:
        partitions: In the order of ``set_partitions``.
        blocks: Masks of all groups that occur in one of them, shape (blocks, operations).
        members: Positions of each partition's groups in blocks, shape (partitions, groups).
    """

    partitions: tuple[Groups, ...]
    blocks: Counts
    members: Counts


@lru_cache
def _groupings(operations: int, groups: int) -> _Groupings:
    partitions = set_partitions(operations, groups)
    blocks = sorted({block for partition in partitions for block in partition})
    places = {block: place for place, block in enumerate(blocks)}
    members = [[places[block] for block in partition] for partition in partitions]
    masks = [[int(operation in block) for operation in range(operations)] for block in blocks]
    return _Groupings(partitions, np.array(masks, np.int64), np.array(members, np.int64))


@dataclass(frozen=True)
class BestTree:
    """A tree with the largest information gain of its shape, and its leaves in tree order."""

    gain_bits: float
    leaves: tuple[SubSpace, ...]


def best_tree(
    accuracy: pd.DataFrame,
    edges: Sequence[int] = (0, 1, 2),
    groups: int | Sequence[int] = 2,
    threshold: float = 0.01,
    space: SearchSpace | str = NAS_BENCH_201,
) -> BestTree:
    """Find the tree with the largest information gain, exactly.

    All trees of the shape compete: one edge at each level, any grouping of its operations at each
    node. The remaining entropy is a sum over sub-spaces, so the best tree below a node does not
    depend on the rest, and dynamic programming over the groups finds it: in NAS-Bench-201 in
    milliseconds for three levels, half a second for five, and 15 seconds for six. In a tie, every
    node has the first grouping in the order of ``set_partitions``. The number of groups is that of
    all levels or of each. Raises SplittingError if edges and groups are no shape of a tree.
    """
    found = get_space(space)
    shape = TreeOptions.create(edges, groups, space=found)
    return best_of_counts(count_table(accuracy, shape.edges, threshold, found), shape, found)


def product_gain(table: Counts, groups: Sequence[Groups]) -> float:
    """Compute the information gain of the tree that groups alike in all nodes of a level, in bits.

    There are groups of operations for each axis of a table of counts.
    """
    inside = table
    for level, grouping in enumerate(groups):
        parts = [inside.take(group, axis=level).sum(axis=level) for group in grouping]
        inside = np.stack(parts, axis=level)
    return float(_gain_bits(table, remaining_bits(inside[..., 0], inside[..., 1]).sum()))


def best_of_counts(
    table: Counts, shape: TreeOptions, space: SearchSpace = NAS_BENCH_201
) -> BestTree:
    """Find ``best_tree`` from a table of counts over the edges of the shape."""
    found = list(_grow(table, shape.edges, shape.groups, SubSpace.full(space)))
    remaining = sum(float(remaining_bits(*counts)) for counts, _ in found)
    return BestTree(float(_gain_bits(table, remaining)), tuple(leaf for _, leaf in found))


def _grow(
    counts: Counts, edges: Sequence[int], groups: Sequence[int], sub_space: SubSpace
) -> Iterator[tuple[Counts, SubSpace]]:
    """Yield the counts and the sub-spaces of the best tree below a node."""
    if not groups:
        yield counts, sub_space
        return
    remaining = _by_grouping(counts, groups)
    best = int(np.flatnonzero(remaining <= remaining.min() + _ROUNDING)[0])
    for group in _groupings(len(counts), groups[0]).partitions[best]:
        below = counts[list(group)].sum(axis=0)
        yield from _grow(below, edges[1:], groups[1:], sub_space.keep(edges[0], group))


def _by_grouping(counts: Counts, groups: Sequence[int]) -> Floats:
    """Compute the fewest remaining bits for each grouping on the first edge.

    Counts have the shape (operations, ..., operations, 2, *batch), an axis for each level; the
    result has the shape (*batch, partitions).
    """
    choices = _groupings(len(counts), groups[0])
    merged = np.moveaxis(np.tensordot(choices.blocks, counts, axes=1), 0, -1)
    levels = zip(counts.shape, groups[:-1], strict=False)
    if prod(len(_groupings(*level).blocks) for level in levels) > _BLOCKS_AT_ONCE:
        each = [_fewest(merged[..., i], groups[1:]) for i in range(merged.shape[-1])]
        by_block = np.stack(each, axis=-1)
    else:
        by_block = _fewest(merged, groups[1:])
    remaining: Floats = by_block[..., choices.members].sum(axis=-1)
    return remaining


def _fewest(counts: Counts, groups: Sequence[int]) -> Floats:
    """Compute the remaining bits of the best trees, shape (*batch,); see ``_by_grouping``."""
    if not groups:
        return remaining_bits(counts[0], counts[1])
    if len(groups) == 1:
        return _fewest_below(counts, groups[0])
    fewest: Floats = _by_grouping(counts, groups).min(axis=-1)
    return fewest


def _fewest_below(counts: Counts, groups: int) -> Floats:
    """Compute the remaining bits of the best grouping on one edge; see ``_by_grouping``.

    Entropy is concave, so a best grouping has the operations of each group side by side in the
    order of their share of the top (Breiman et al., 1984, Section 4.4 and 9.4; Burshtein et al.,
    1992, for more than two groups): seven groupings of eight operations instead of 127.
    """
    order = np.argsort(counts[:, 1] / np.maximum(counts[:, 0], 1), axis=0)
    sums = np.take_along_axis(counts, order[:, None], axis=0).cumsum(axis=0)

    def bits(first: int, last: int) -> Floats:
        inside = sums[last] - sums[first - 1] if first else sums[last]
        return remaining_bits(inside[0], inside[1])

    end = len(counts) - 1
    fewest = {last: bits(0, last) for last in range(end - groups + 2)}
    for number in range(2, groups + 1):  # the fewest bits of so many groups up to each operation
        ends = [end] if number == groups else range(number - 1, end - groups + number + 1)
        fewest = {
            last: reduce(np.minimum, [fewest[i] + bits(i + 1, last) for i in fewest if i < last])
            for last in ends
        }
    return fewest[end]


def random_trees(
    accuracy: pd.DataFrame,
    count: int = 10_000,
    edges: Sequence[int] = (0, 1, 2),
    groups: int | Sequence[int] = 2,
    threshold: float = 0.01,
    seed: int = 0,
    space: SearchSpace | str = NAS_BENCH_201,
) -> Floats:
    """Compute the information gains of random trees in bits, shape (count,).

    The grouping of each node is sampled independently and uniformly: one of 15 for two groups of
    five operations.
    Raises SplittingError if edges and groups are no shape of a tree, or ``count`` is below 1.
    """
    found = get_space(space)
    shape = TreeOptions.create(edges, groups, space=found)
    table = count_table(accuracy, shape.edges, threshold, found)
    return random_of_counts(table, shape, count, seed)


def random_of_counts(table: Counts, shape: TreeOptions, count: int, seed: int = 0) -> Floats:
    """Compute ``random_trees`` from a table of counts over the edges of the shape."""
    if count < 1:
        raise SplittingError(f"expected at least 1 random tree to draw, got {count}")
    generator = np.random.default_rng(seed)
    levels = []
    nodes, cells, most = 1, table.size, 1
    for operations, groups in zip(table.shape, shape.groups, strict=False):
        choices = _groupings(operations, groups)
        masks = choices.blocks[choices.members].astype(np.float64)
        levels.append((masks, generator.integers(len(masks), size=(count, nodes))))
        nodes, cells = nodes * groups, cells // operations
        most = max(most, nodes * cells)
    step = max(1, min(_TREES_AT_ONCE, _CELLS_AT_ONCE // most))
    parts = [
        _remaining(table, [masks[drawn[start : start + step]] for masks, drawn in levels])
        for start in range(0, count, step)
    ]
    return _gain_bits(table, np.concatenate(parts))


def _remaining(counts: Counts, levels: Sequence[Floats]) -> Floats:
    """Compute the remaining bits of trees, shape (trees,).

    Levels have the masks of the groups, shape (trees, nodes, groups, operations).
    """
    trees = len(levels[0])
    inside = counts.astype(np.float64)[None]
    for level in levels:
        inside = level @ inside.reshape(len(inside), level.shape[1], level.shape[3], -1)
    # Sums of counts are whole numbers, which floating point numbers represent exactly.
    leaves = inside.reshape(trees, -1, 2).astype(np.int64)
    remaining: Floats = remaining_bits(leaves[..., 0], leaves[..., 1]).sum(axis=1)
    return remaining


class Percentile(NamedTuple):
    """Percentile of a split among random trees, in percent, with its confidence interval."""

    percent: float
    low: float
    high: float


def random_percentile(
    gain: float, gains: npt.ArrayLike, confidence: float = CONFIDENCE
) -> Percentile:
    """Compute the share of random trees with a smaller gain, and Wilson's interval of it.

    Ties (within 1e-12 bits) count half, so that a typical random split has percentile 50. Raises
    SplittingError if there is no random tree, or the confidence is not between 0 and 1.
    """
    among = np.asarray(gains, dtype=np.float64)
    if among.size == 0 or not 0 < confidence < 1:
        raise SplittingError(
            "expected random trees and a confidence between 0 and 1, "
            f"got {among.size} trees and {confidence}"
        )
    less = (among < gain - SAME_GAIN).sum()
    equal = (np.abs(among - gain) <= SAME_GAIN).sum()
    share = float(less + equal / 2) / among.size
    low, high = wilson_interval(share, among.size, confidence)
    return Percentile(100 * share, 100 * low, 100 * high)


def wilson_interval(
    share: float, count: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Compute Wilson's interval of a share, which has a width even where the share is 0 or 1.

    Unlike ``scipy.stats``, it takes shares of ties counted half; its ends are within 0 and 1.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    weight = z**2 / count
    middle = share + weight / 2
    reach = (weight * share * (1 - share) + weight**2 / 4) ** 0.5
    low, high = (middle - reach) / (1 + weight), (middle + reach) / (1 + weight)
    return min(max(low, 0.0), share), max(min(high, 1.0), share)
