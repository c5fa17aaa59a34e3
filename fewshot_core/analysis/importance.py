"""How much each decision (edge) and each operation matter for accuracy, from a complete table."""

from itertools import combinations

import numpy as np
import pandas as pd

from fewshot_core.analysis.sub_spaces import Floats, top_mask
from fewshot_core.errors import TableError
from fewshot_core.space import NAS_BENCH_201, SearchSpace


def importance(accuracy: pd.DataFrame, space: SearchSpace = NAS_BENCH_201) -> pd.DataFrame:
    """Decompose the variance of accuracy into main effects and interactions of edges.

    This is the functional analysis of variance over the uniform distribution of architectures
    (Hooker, 2007; Hutter et al., 2014), computed exactly: no surrogate model and no sampling. The
    table has the columns architecture (index) and accuracy_mean (percent) of all architectures.

    Returns:
        One row per edge and per pair of edges, the largest share first: first and second (edge
        numbers, equal for a main effect), share (of the variance; 0 where it is zero). What is
        missing to 1 are interactions of three or more edges.

    Raises:
        TableError: If an architecture has no accuracy.
    """
    values = _as_grid(accuracy, space)
    values = values - values.mean()
    variance = float((values**2).mean())
    main = [_mean_over_others(values, (edge,)) for edge in range(values.ndim)]
    rows = [(edge, edge, float((effect**2).mean())) for edge, effect in enumerate(main)]
    for first, second in combinations(range(values.ndim), 2):
        joint = _mean_over_others(values, (first, second))
        interaction = joint - main[first][:, None] - main[second][None, :]
        rows.append((first, second, float((interaction**2).mean())))
    table = pd.DataFrame(rows, columns=["first", "second", "share"])
    table["share"] = table["share"] / variance if variance else 0.0
    return table.sort_values("share", ascending=False, kind="stable", ignore_index=True)


def operation_effects(
    accuracy: pd.DataFrame, threshold: float = 0.01, space: SearchSpace = NAS_BENCH_201
) -> pd.DataFrame:
    """Compute the main effect of every operation on every edge; the table is as for ``importance``.

    Returns:
        One row per edge and operation: edge, operation (numbers), mean (accuracy of the
        architectures with it, percent), effect (mean minus the mean of all, percentage points),
        top_share (of the top architectures that have it).

    Raises:
        TableError: If an architecture has no accuracy, or the threshold is out of range.
    """
    values = _as_grid(accuracy, space)
    top = top_mask(values, threshold).astype(np.float64)
    rows = []
    for edge in range(values.ndim):
        means = _mean_over_others(values, (edge,))
        counts = _mean_over_others(top, (edge,)) / (top.mean() * values.shape[edge])
        for operation, (mean, share) in enumerate(zip(means, counts, strict=True)):
            rows.append((edge, operation, mean, mean - values.mean(), share))
    return pd.DataFrame(rows, columns=["edge", "operation", "mean", "effect", "top_share"])


def _as_grid(accuracy: pd.DataFrame, space: SearchSpace) -> Floats:
    """Arrange the accuracies by the operation of each decision, shape ``space.shape``."""
    values = np.full(space.size, np.nan)
    values[accuracy["architecture"].to_numpy()] = accuracy["accuracy_mean"].to_numpy()
    known = int((~np.isnan(values)).sum())
    if known < space.size:
        raise TableError(
            f"expected the accuracies of all {space.size:,} architectures to decompose "
            f"their variance, got {known:,}"
        )
    return values.reshape(space.shape)


def _mean_over_others(values: Floats, edges: tuple[int, ...]) -> Floats:
    others = tuple(edge for edge in range(values.ndim) if edge not in edges)
    means: Floats = values.mean(axis=others)
    return means
