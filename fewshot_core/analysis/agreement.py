"""How far two splits agree: on all architectures, and node by node."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.sub_spaces import sub_space_numbers
from fewshot_core.analysis.trees import Branching, branchings
from fewshot_core.errors import SpaceError
from fewshot_core.space import OPERATIONS, SubSpace, check_partition
from fewshot_core.splitting.partition import Groups
from fewshot_core.splitting.tree import SplitTree

_COLUMNS = ["path", "edge_a", "edge_b", "groups_a", "groups_b", "same_sub_space", "same_grouping"]


def adjusted_rand_index(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the adjusted Rand index of two groupings of the same items (Hubert, Arabie, 1985).

    Args:
        first: The group number of each item, from 0, shape (n,), n at least 1.
        second: The same for the other grouping.

    Returns:
        1 for the same grouping, whatever the numbers; 0 where two items are together in both as
        often as by chance, given the sizes; below 0 where less often. Two groupings that cannot
        differ, each one group or each all apart, agree: 1.
    """
    a, b = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    together = np.bincount(a * (b.max() + 1) + b)
    # Whole numbers of Python, which do not overflow and do not round.
    both, in_a, in_b = (_pairs(sizes) for sizes in (together, np.bincount(a), np.bincount(b)))
    possible = a.size * (a.size - 1) // 2
    excess = both * possible - in_a * in_b
    most = (in_a + in_b) * possible - 2 * in_a * in_b
    return 2 * excess / most if most else 1.0


def agreement(leaves_a: Sequence[SubSpace], leaves_b: Sequence[SubSpace]) -> float:
    """Return how far two splits put the same architectures together.

    Args:
        leaves_a: Sub-spaces that cover all architectures once.
        leaves_b: Those of the other split.

    Returns:
        The adjusted Rand index over all 15,625 architectures; see ``adjusted_rand_index``.

    Raises:
        SpaceError: If sub-spaces overlap or leave architectures out.
    """
    check_partition(leaves_a)
    check_partition(leaves_b)
    return adjusted_rand_index(sub_space_numbers(leaves_a), sub_space_numbers(leaves_b))


def agreement_matrix(splits: Mapping[str, Sequence[SubSpace]]) -> pd.DataFrame:
    """Return the agreement of every pair of splits, with their names as index and columns."""
    names = list(splits)
    matrix = np.eye(len(names))
    for row, first in enumerate(names):
        for column in range(row):
            matrix[row, column] = agreement(splits[first], splits[names[column]])
            matrix[column, row] = matrix[row, column]
    return pd.DataFrame(matrix, index=names, columns=names)


def node_agreement(
    first: SplitTree | Sequence[SubSpace], second: SplitTree | Sequence[SubSpace]
) -> pd.DataFrame:
    """Compare two trees node by node.

    Nodes are matched by their path: which group was taken at each level. Below a node where the
    trees differ, the same path leads to different sub-spaces, which is said.

    Args:
        first: A tree, or the sub-spaces of one; see ``tree_shape``.
        second: The other one.

    Returns:
        One row for each path that either tree has, parents first: path (the groups taken from the
        root, counted from 0), edge_a, edge_b, groups_a, groups_b (tuples of operation numbers),
        same_sub_space (whether both trees get there with the same architectures), same_grouping
        (whether both split the same edge into the same groups) and rand_index (adjusted, of the
        two groupings; missing where the edges or the operations on them differ). What only one tree
        has is missing for the other.

    Raises:
        SpaceError: If sub-spaces are those of no tree with one edge for each level.
    """
    nodes_a, nodes_b = _nodes(first), _nodes(second)
    paths = sorted(nodes_a | nodes_b, key=lambda path: (len(path), path))
    rows = [_compare(path, nodes_a.get(path), nodes_b.get(path)) for path in paths]
    frame = pd.DataFrame(rows, columns=[*_COLUMNS, "rand_index"])
    return frame.astype({"edge_a": "Int64", "edge_b": "Int64", "rand_index": "float64"})


def _pairs(sizes: npt.NDArray[np.int64]) -> int:
    """Return how many pairs are together in groups of these sizes."""
    return int((sizes * (sizes - 1) // 2).sum())


def _nodes(split: SplitTree | Sequence[SubSpace]) -> dict[tuple[int, ...], Branching]:
    if isinstance(split, SplitTree):
        return {
            node.path: Branching(node.path, node.edge, node.sub_space, node.groups)
            for node in split.nodes
        }
    found = branchings(split)
    if found is None:
        raise SpaceError(
            "expected the sub-spaces of a tree that splits one edge at each level, got others; "
            "compare such splits by their trees, or as a whole"
        )
    return {node.path: node for node in found}


def _compare(path: tuple[int, ...], a: Branching | None, b: Branching | None) -> dict[str, object]:
    row: dict[str, object] = {"path": path}
    for name, node in (("a", a), ("b", b)):
        if node is not None:
            row |= {f"edge_{name}": node.edge, f"groups_{name}": node.groups}
    row |= {"same_sub_space": False, "same_grouping": False}
    if a is None or b is None:
        return row
    row["same_sub_space"] = a.sub_space == b.sub_space
    if a.edge == b.edge and a.sub_space.enabled[a.edge] == b.sub_space.enabled[b.edge]:
        row["same_grouping"] = set(a.groups) == set(b.groups)
        row["rand_index"] = adjusted_rand_index(_labels(a.groups), _labels(b.groups))
    return row


def _labels(groups: Groups) -> list[int]:
    """Return the group number of each grouped operation, in the order of the operations."""
    number = {operation: place for place, group in enumerate(groups) for operation in group}
    return [number[operation] for operation in range(len(OPERATIONS)) if operation in number]
