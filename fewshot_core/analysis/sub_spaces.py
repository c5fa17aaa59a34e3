"""What each sub-space of a split holds."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.top import top_mask
from fewshot_core.space import ARCHITECTURE_COUNT, Architecture, SubSpace

_COLUMNS = [
    "sub_space",
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
    "median",
    "q25",
    "q75",
    "std",
]


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
        accuracy: Columns architecture (index) and accuracy_mean (percent). It may be incomplete
            or empty: counts and statistics are then those of the known part.
        threshold: The share of all known architectures that counts as top.

    Returns:
        One row per sub-space in the order given: sub_space (S1, ...), size, known (architectures
        with an accuracy), share (of the whole space), top_count, top_share (of all top
        architectures), enrichment (top_share over the share of known architectures), best
        (percent), best_architecture (index), best_rank (1 is the best of all), mean, median, q25,
        q75, std (percent). What cannot be known is missing.
    """
    ranked = _ranked(accuracy, threshold)
    names = sub_space_names(len(leaves))
    rows = [
        {"sub_space": name, **_describe(leaf, ranked)}
        for name, leaf in zip(names, leaves, strict=True)
    ]
    numbers = dict.fromkeys(_COLUMNS[3:], "float64")
    whole = {"size": "int64", "known": "int64", "top_count": "int64"}
    optional = {"best_architecture": "Int64", "best_rank": "Int64"}
    return pd.DataFrame(rows, columns=_COLUMNS).astype(numbers | whole | optional)


def architectures_of(
    leaf: SubSpace, accuracy: pd.DataFrame, threshold: float = 0.01
) -> pd.DataFrame:
    """Return the known architectures of a sub-space, the best first.

    Returns:
        Columns architecture (index), string, accuracy_mean (percent), rank (in the whole space,
        equal ones sharing the smallest) and top.
    """
    inside = _inside(leaf, _ranked(accuracy, threshold))
    listed = inside.sort_values(["rank", "architecture"], ignore_index=True)
    listed.insert(1, "string", _strings(listed["architecture"]))
    return listed


def top_architectures(
    leaves: Sequence[SubSpace], accuracy: pd.DataFrame, threshold: float = 0.01
) -> pd.DataFrame:
    """Return the top architectures of the whole space with their sub-spaces, the best first.

    Returns:
        Columns sub_space (missing where no sub-space has it), architecture (index), string,
        accuracy_mean (percent) and rank.
    """
    ranked = _ranked(accuracy, threshold)
    listed = ranked[ranked["top"]].sort_values(["rank", "architecture"], ignore_index=True)
    names = np.array([*sub_space_names(len(leaves)), None], dtype=object)
    numbers = sub_space_numbers(leaves)[listed["architecture"].to_numpy()]
    listed.insert(0, "sub_space", names[numbers])
    listed.insert(2, "string", _strings(listed["architecture"]))
    return listed.drop(columns="top")


def _ranked(accuracy: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return architecture, accuracy_mean, rank and top of what is known."""
    ranked = accuracy[["architecture", "accuracy_mean"]].dropna().astype({"architecture": "int64"})
    ranked["rank"] = ranked["accuracy_mean"].rank(method="min", ascending=False).astype("int64")
    ranked["top"] = top_mask(ranked["accuracy_mean"].to_numpy(), threshold)
    return ranked


def _inside(leaf: SubSpace, ranked: pd.DataFrame) -> pd.DataFrame:
    mask = np.zeros(ARCHITECTURE_COUNT, dtype=np.bool_)
    mask[leaf.architecture_indices()] = True
    inside: pd.DataFrame = ranked[mask[ranked["architecture"].to_numpy()]]
    return inside


def _strings(architectures: "pd.Series[int]") -> list[str]:
    return [Architecture.from_index(int(index)).to_string() for index in architectures]


def _describe(leaf: SubSpace, ranked: pd.DataFrame) -> dict[str, float | int]:
    inside = _inside(leaf, ranked)
    top_count, all_top = int(inside["top"].sum()), int(ranked["top"].sum())
    row: dict[str, float | int] = {
        "size": leaf.size,
        "known": len(inside),
        "share": leaf.size / ARCHITECTURE_COUNT,
        "top_count": top_count,
    }
    if all_top:
        row["top_share"] = top_count / all_top
    if inside.empty:
        return row
    row["enrichment"] = row["top_share"] / (len(inside) / len(ranked))
    return row | _statistics(inside)


def _statistics(inside: pd.DataFrame) -> dict[str, float | int]:
    values = inside["accuracy_mean"].to_numpy()
    q25, median, q75 = np.quantile(values, [0.25, 0.5, 0.75])
    best = int(values.argmax())
    return {
        "best": float(values[best]),
        "best_architecture": int(inside["architecture"].iloc[best]),
        "best_rank": int(inside["rank"].iloc[best]),
        "mean": float(values.mean()),
        "median": float(median),
        "q25": float(q25),
        "q75": float(q75),
        "std": float(values.std()),
    }
