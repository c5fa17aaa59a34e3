"""How much of a split is chance: the same split from other seeds."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fewshot_core.splitting import SplitNode, SplitTree

Groups = tuple[tuple[int, ...], ...]

_NODE_COLUMNS = ["path", "edge", "groups", "arrived", "same", "groupings", "commonest", "count"]
_SCORE_COLUMNS = ["operation", "scores", "mean", "std", "minimum", "maximum"]


def stability(trees: Sequence[SplitTree]) -> pd.DataFrame:
    """Return how often the decisions of the first tree recur in the others.

    A decision can recur only in a tree that comes to the same sub-space and splits the same edge
    there; in how many it does is told apart from in how many it is the same.

    Args:
        trees: Splits by the same metric that differ by their seeds, the one in question first.

    Returns:
        One row for each node of the first tree: path, edge, groups, arrived (trees that decide the
        same, the first included), same (of these, with the same groups), groupings (how many
        different ones they have), commonest (the most frequent of these, the first met among
        equals) and count (how often that is).
    """
    if not trees:
        return pd.DataFrame(columns=_NODE_COLUMNS)
    rows = []
    for node in trees[0].nodes:
        counts = Counter(other.groups for other in _same_question(trees, node))
        commonest, count = counts.most_common(1)[0]
        rows.append(
            {
                "path": node.path,
                "edge": node.edge,
                "groups": node.groups,
                "arrived": counts.total(),
                "same": counts[node.groups],
                "groupings": len(counts),
                "commonest": commonest,
                "count": count,
            }
        )
    return pd.DataFrame(rows, columns=_NODE_COLUMNS)


def score_spread(trees: Sequence[SplitTree], node: SplitNode) -> pd.DataFrame:
    """Return how the scores of a node's operations vary over trees that decide the same.

    Returns:
        One row for each operation: operation, scores (how many are finite), mean, std (of the
        sample; missing for one score), minimum and maximum; missing where there is no score.
    """
    values: dict[int, list[float]] = {operation: [] for operation in node.operations}
    for other in _same_question(trees, node):
        for operation, value in zip(other.operations, other.values, strict=True):
            if value is not None and np.isfinite(value):
                values[operation].append(value)
    rows = [_spread(operation, np.array(scores)) for operation, scores in values.items()]
    return pd.DataFrame(rows, columns=_SCORE_COLUMNS)


def _same_question(trees: Sequence[SplitTree], node: SplitNode) -> list[SplitNode]:
    """Return the nodes of all trees that split the same edge of the same sub-space."""
    return [
        other
        for tree in trees
        for other in tree.nodes
        if other.sub_space == node.sub_space and other.edge == node.edge
    ]


def _spread(operation: int, scores: "np.typing.NDArray[np.float64]") -> dict[str, float]:
    row: dict[str, float] = {"operation": operation, "scores": scores.size}
    if scores.size:
        row |= {"mean": scores.mean(), "minimum": scores.min(), "maximum": scores.max()}
    if scores.size > 1:
        row["std"] = scores.std(ddof=1)
    return row
