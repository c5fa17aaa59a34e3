"""What each sub-space of a split holds."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.top import top_mask
from fewshot_core.space import ARCHITECTURE_COUNT, Architecture, SubSpace


def sub_space_names(count: int) -> list[str]:
    """Return S1, S2, ... in tree order."""
    return [f"S{number}" for number in range(1, count + 1)]


def sub_space_numbers(leaves: Sequence[SubSpace]) -> npt.NDArray[np.int64]:
    """Return for every architecture the position of its sub-space; int64, shape (15625,).

    An architecture in no sub-space has -1.
    """
    numbers = np.full(ARCHITECTURE_COUNT, -1, dtype=np.int64)
    for position, leaf in enumerate(leaves):
        numbers[leaf.architecture_indices()] = position
    return numbers


def describe_sub_spaces(
    leaves: Sequence[SubSpace], accuracy: pd.DataFrame, threshold: float = 0.01
) -> pd.DataFrame:
    """Describe each sub-space of a split.

    Args:
        leaves: The sub-spaces.
        accuracy: Columns architecture and accuracy_mean (percent); it need not be complete.
        threshold: The share of all architectures that counts as top.

    Returns:
        One row per sub-space in the order given: sub_space (S1, ...), size, known (architectures
        with an accuracy), share (of the whole space), top_count, top_share (of all top
        architectures), enrichment (top_share over the share of known architectures), best
        (percent), best_architecture (index), best_rank (1 is the best of all), mean, std, q25,
        median, q75 (percent). Statistics of a sub-space without known architectures are missing.
    """
    ranked = _ranked(accuracy, threshold)
    rows = [_describe(leaf, ranked) for leaf in leaves]
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    frame.insert(0, "sub_space", sub_space_names(len(leaves)))
    return frame.astype({"best_architecture": "Int64", "best_rank": "Int64"})


def architectures_of(
    leaf: SubSpace, accuracy: pd.DataFrame, threshold: float = 0.01
) -> pd.DataFrame:
    """Return the architectures of a sub-space, the best first.

    Returns:
        Columns architecture (index), string, accuracy_mean (percent), rank (in the whole space)
        and top.
    """
    ranked = _ranked(accuracy, threshold)
    inside = ranked[ranked["architecture"].isin(leaf.architecture_indices())]
    listed = inside.sort_values(["rank", "architecture"], ignore_index=True)
    strings = [Architecture.from_index(int(index)).to_string() for index in listed["architecture"]]
    listed.insert(1, "string", strings)
    return listed


_COLUMNS = [
    "size",
    "known",
    "share",
    "top_count",
    "top_share",
    "enrichment",
    "best",
    "best_architecture",
    "best_rank",
    "mean",
    "std",
    "q25",
    "median",
    "q75",
]


def _ranked(accuracy: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return architecture, accuracy_mean, rank and top."""
    ranked = accuracy[["architecture", "accuracy_mean"]].copy()
    ranked["rank"] = ranked["accuracy_mean"].rank(method="min", ascending=False).astype("int64")
    ranked["top"] = top_mask(ranked["accuracy_mean"].to_numpy(), threshold)
    return ranked


def _describe(leaf: SubSpace, ranked: pd.DataFrame) -> dict[str, float | int | None]:
    inside = ranked[ranked["architecture"].isin(leaf.architecture_indices())]
    top_count = int(inside["top"].sum())
    top_share = top_count / int(ranked["top"].sum())
    known_share = len(inside) / len(ranked)
    row: dict[str, float | int | None] = {
        "size": leaf.size,
        "known": len(inside),
        "share": leaf.size / ARCHITECTURE_COUNT,
        "top_count": top_count,
        "top_share": top_share,
        "enrichment": top_share / known_share if known_share else None,
    }
    if inside.empty:
        return row
    values = inside["accuracy_mean"]
    best = inside.iloc[int(values.to_numpy().argmax())]
    q25, median, q75 = np.quantile(values.to_numpy(), [0.25, 0.5, 0.75])
    return row | {
        "best": float(best["accuracy_mean"]),
        "best_architecture": int(best["architecture"]),
        "best_rank": int(best["rank"]),
        "mean": float(values.mean()),
        "std": float(values.std(ddof=0)),
        "q25": float(q25),
        "median": float(median),
        "q75": float(q75),
    }
