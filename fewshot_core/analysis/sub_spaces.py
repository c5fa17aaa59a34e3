"""What each sub-space of a split holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.statistics import binary_entropy, gain_of_counts
from fewshot_core.errors import SpaceError, TableError
from fewshot_core.space import ARCHITECTURE_COUNT, Architecture, SubSpace


def top_threshold(accuracy: npt.ArrayLike, share: float = 0.01) -> float:
    """Return the accuracy from which on an architecture counts as top, in percent.

    It is the accuracy of rank ceil(share * n), the best being rank 1: rank 157 for 1% of all
    15,625 architectures.

    Args:
        accuracy: Accuracies in percent, shape (n,); missing ones (NaN) do not count.
        share: The share of architectures asked for, above 0 and at most 1.

    Raises:
        TableError: If there is no accuracy, or the share is out of range.
    """
    values = np.asarray(accuracy, dtype=np.float64)
    known = values[~np.isnan(values)]
    if not 0 < share <= 1:
        raise TableError(f"expected a share of the top above 0 and at most 1, got {share}")
    if known.size == 0:
        raise TableError("expected accuracies to find the top of, got none")
    # The share as it is written, so that 0.07 of 100 is 7 and not 7.000000000000001.
    rank = ceil(Fraction(str(share)) * known.size)
    return float(np.partition(known, known.size - rank)[known.size - rank])


def top_mask(accuracy: npt.ArrayLike, share: float = 0.01) -> npt.NDArray[np.bool_]:
    """Return which accuracies are top: at least ``top_threshold``, so that ties count in.

    Args:
        accuracy: Accuracies in percent, shape (n,); n may be 0.
        share: As for ``top_threshold``.

    Returns:
        Shape (n,); a missing accuracy is never top.
    """
    values = np.asarray(accuracy, dtype=np.float64)
    if np.isnan(values).all():
        return np.zeros(values.shape, dtype=np.bool_)
    return values >= top_threshold(values, share)


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


_DECIMALS = 9
"""Accuracies and means that agree to so many decimals are the same."""


@dataclass(frozen=True, eq=False)
class LeafNumbers:
    """What each sub-space of a split holds; all arrays of shape (sub-spaces,).

    Attributes:
        size: Its architectures.
        known: Those with an accuracy.
        top: Those in the top.
        best: The best accuracy in percent; not a number where none is known.
        mean: The mean accuracy in percent, likewise.
    """

    size: npt.NDArray[np.int64]
    known: npt.NDArray[np.int64]
    top: npt.NDArray[np.int64]
    best: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]

    @property
    def top_entropy_bits(self) -> float:
        """H(top), in bits."""
        return float(binary_entropy(self.top.sum() / self.known.sum()))

    @property
    def gain_bits(self) -> float:
        """The information gain, in bits."""
        return gain_of_counts(self.known, self.top)

    @property
    def optimum(self) -> tuple[str, ...]:
        """The sub-spaces with an architecture of the best accuracy, like "S4"."""
        return _highest(self.best)

    @property
    def best_mean(self) -> tuple[str, ...]:
        """The sub-spaces with the highest mean accuracy."""
        return _highest(self.mean)

    @property
    def optimum_in_best_mean(self) -> bool:
        """Whether a sub-space with the highest mean also has the best accuracy."""
        return bool(set(self.optimum) & set(self.best_mean))


def leaf_numbers(
    leaves: Sequence[SubSpace], accuracy: pd.DataFrame, threshold: float = 0.01
) -> LeafNumbers:
    """Return the numbers of the sub-spaces of a split.

    Args:
        leaves: Sub-spaces that cover every architecture of the table once.
        accuracy: Columns architecture (index) and accuracy_mean (percent). It may be incomplete.
        threshold: The share of the known architectures that counts as top.

    Raises:
        TableError: If the table has no accuracy, or the threshold is out of range.
        SpaceError: If an architecture of the table is in no sub-space.
    """
    rows = accuracy[["architecture", "accuracy_mean"]].dropna()
    if rows.empty:
        raise TableError("expected accuracies to judge sub-spaces by, got none")
    values = rows["accuracy_mean"].to_numpy(dtype=np.float64)
    architectures = rows["architecture"].to_numpy(dtype=np.int64)
    member = sub_space_numbers(leaves)[architectures]
    if (member < 0).any():
        first = Architecture.from_index(int(architectures[member < 0][0])).to_string()
        raise SpaceError(f"expected sub-spaces that cover every architecture; {first} is in none")
    count = len(leaves)
    known = np.bincount(member, minlength=count)
    best = np.full(count, -np.inf)
    np.maximum.at(best, member, values)
    sums = np.bincount(member, weights=values, minlength=count)
    return LeafNumbers(
        size=np.array([leaf.size for leaf in leaves], dtype=np.int64),
        known=known,
        top=np.bincount(member[top_mask(values, threshold)], minlength=count),
        best=np.where(known > 0, best, np.nan),
        mean=np.divide(sums, known, out=np.full(count, np.nan), where=known > 0),
    )


def comparable(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return values without the rounding of sums, which would tell equal ones apart."""
    return values.round(_DECIMALS)


def _highest(values: npt.NDArray[np.float64]) -> tuple[str, ...]:
    rounded = comparable(values)
    names = sub_space_names(len(values))
    return tuple(names[place] for place in np.flatnonzero(rounded == np.nanmax(rounded)))


def gini(leaves: Sequence[SubSpace], accuracy: pd.DataFrame, threshold: float = 0.01) -> float:
    """Return the Gini coefficient of the top's distribution over sub-spaces, given their sizes.

    It is one minus twice the area below the Lorenz curve that has the share of the space on one
    axis and the share of the top on the other, sub-spaces with the lowest density of top
    architectures first. A Gini coefficient of the counts alone would call a split uneven only
    because its sub-spaces differ in size: that large ones hold more of the top says nothing
    (Section 4.2 of the paper).

    Args:
        leaves: Sub-spaces that cover every architecture of the table once.
        accuracy: Columns architecture (index) and accuracy_mean (percent). It may be incomplete:
            sizes are then those of the known part.
        threshold: The share of the known architectures that counts as top.

    Returns:
        0 where every sub-space has the same density; one minus the share of the top, the most
        there can be, where whole sub-spaces hold the top and nothing else.

    Raises:
        TableError: If the table has no accuracy, or the threshold is out of range.
        SpaceError: If an architecture of the table is in no sub-space.
    """
    numbers = leaf_numbers(leaves, accuracy, threshold)
    return gini_of_counts(numbers.known, numbers.top)


def gini_of_counts(known: npt.NDArray[np.int64], top: npt.NDArray[np.int64]) -> float:
    """Return ``gini`` from the architectures and the top ones of each sub-space, shape (n,).

    There must be a top architecture, as there is in every table with an accuracy.
    """
    filled = known > 0
    space, best = known[filled] / known.sum(), top[filled] / top.sum()
    order = np.argsort(best / space, kind="stable")
    reached = np.cumsum(best[order])
    below = (space[order] * (2 * reached - best[order])).sum()
    # Rounding can leave a coefficient of nothing a hair below zero.
    return max(0.0, float(1 - below))
