"""Agreement of splits: over all architectures, and of single decisions over random seeds."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.space import Part, check_partition, group_numbers, space_of
from fewshot_core.splitting import SplitNode, SplitTree

_NODE_COLUMNS = ["path", "edge", "groups", "arrived", "same", "groupings", "commonest", "count"]
_SCORE_COLUMNS = ["operation", "scores", "mean", "std", "minimum", "maximum"]


def adjusted_rand_index(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Compute the adjusted Rand index of two groupings (Hubert and Arabie, 1985).

    A grouping has the group number of each item, from 0. The index is 1 for equal groupings,
    whatever the numbers; 0 where pairs agree as often as for random groupings of the same sizes;
    negative where less often. Two groupings that cannot differ, each one group or each all apart,
    have 1.
    """
    a, b = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    together = np.bincount(a * (b.max() + 1) + b)
    # Python integers neither overflow nor round.
    groups = together, np.bincount(a), np.bincount(b)
    both, in_a, in_b = (int((sizes * (sizes - 1) // 2).sum()) for sizes in groups)  # pairs inside
    possible = a.size * (a.size - 1) // 2
    excess = both * possible - in_a * in_b
    most = (in_a + in_b) * possible - 2 * in_a * in_b
    return 2 * excess / most if most else 1.0


def agreement(leaves_a: Sequence[Part], leaves_b: Sequence[Part]) -> float:
    """Compute the adjusted Rand index of two splits over all architectures of their space.

    Raises SpaceError if the sub-spaces of a split overlap or leave architectures out, or the splits
    are of different spaces.
    """
    check_partition(leaves_a)
    check_partition(leaves_b)
    space_of([*leaves_a, *leaves_b])
    return adjusted_rand_index(group_numbers(leaves_a), group_numbers(leaves_b))


def agreement_matrix(splits: Mapping[str, Sequence[Part]]) -> pd.DataFrame:
    """Compute the agreement of every pair of splits, with their names as index and columns."""
    names = list(splits)
    matrix = np.eye(len(names))
    for row, first in enumerate(names):
        for column in range(row):
            matrix[row, column] = agreement(splits[first], splits[names[column]])
            matrix[column, row] = matrix[row, column]
    return pd.DataFrame(matrix, index=names, columns=names)


def stability(trees: Sequence[SplitTree]) -> pd.DataFrame:
    """Count how often the decisions of the first tree recur in the others.

    A decision can recur only in a tree that reaches the same sub-space and splits the same edge
    there; both numbers are reported. The trees are splits by the same metric with other seeds.

    Returns:
        One row for each node of the first tree: path, edge, groups, arrived (trees that split the
        same edge of the same sub-space, the first included), same (of these, with the same
        groups), groupings (number of different ones among them), commonest (the most frequent of
        these, the first in a tie) and count (its frequency).
    """
    rows = []
    for node in trees[0].nodes if trees else ():
        counts = Counter(other.groups for other in _matching(trees, node))
        commonest, count = counts.most_common(1)[0]
        same = counts[node.groups]
        found = (node.path, node.edge, node.groups, counts.total(), same, len(counts))
        rows.append((*found, commonest, count))
    return pd.DataFrame(rows, columns=_NODE_COLUMNS)


def score_spread(trees: Sequence[SplitTree], node: SplitNode) -> pd.DataFrame:
    """Summarise the scores of a node's operations over trees that split the same there.

    Returns:
        One row for each operation: operation, scores (number of finite ones), mean, std (of the
        sample; missing for one score), minimum and maximum; missing where there is no score.
    """
    pairs = [
        (operation, np.nan if value is None or not np.isfinite(value) else value)
        for other in _matching(trees, node)
        for operation, value in zip(other.operations, other.values, strict=True)
    ]
    frame = pd.DataFrame(pairs, columns=["operation", "value"]).astype({"value": "float64"})
    scores = frame.groupby("operation")["value"]
    found = scores.agg(scores="count", mean="mean", std="std", minimum="min", maximum="max")
    return found.reindex(list(node.operations)).reset_index()[_SCORE_COLUMNS]


def _matching(trees: Sequence[SplitTree], node: SplitNode) -> list[SplitNode]:
    """Find the nodes of all trees that split the same edge of the same sub-space."""
    return [
        other
        for tree in trees
        for other in tree.nodes
        if other.sub_space == node.sub_space and other.edge == node.edge
    ]
