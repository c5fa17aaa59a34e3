"""What the sub-spaces of a split contain, and how informative that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.errors import SpaceError, TableError
from fewshot_core.space import (
    NAS_BENCH_201,
    ArchitectureSet,
    Part,
    SearchSpace,
    group_numbers,
    space_of,
)

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

POOLED = "other"
"""The name of what ``pool_parts`` pools."""

_DECIMALS = 9
"""Accuracies and means that agree to this many decimals are equal."""

_COUNTS = ["size", "known", "top_count"]
_SHARES = ["share", "top_share", "enrichment"]
_STATISTICS = ["best", "mean", "median", "q25", "q75", "std"]
_RANKS = ["best_architecture", "best_rank"]
_COLUMNS = [
    *["sub_space", "size", "known", "share", "top_count", "top_share", "enrichment"],
    *["best", "best_architecture", "best_rank", "mean", "median", "q25", "q75", "std"],
]


def top_threshold(accuracy: npt.ArrayLike, share: float = 0.01) -> float:
    """Compute the smallest accuracy in the top, in percent.

    It is the accuracy of rank ceil(share * n), the best being rank 1: rank 157 for 1% of the 15,625
    architectures of NAS-Bench-201. Missing accuracies (NaN) do not count. Raises TableError if
    there is no accuracy, or the share is out of range.
    """
    values = np.asarray(accuracy, dtype=np.float64)
    known = values[~np.isnan(values)]
    if not 0 < share <= 1:
        raise TableError(f"expected a share of the top above 0 and at most 1, got {share}")
    if known.size == 0:
        raise TableError("expected accuracies to find the top of, got none")
    # The decimal number as written, so that 0.07 of 100 is 7 and not 7.000000000000001.
    rank = ceil(Fraction(str(share)) * known.size)
    return float(np.partition(known, known.size - rank)[known.size - rank])


def top_mask(accuracy: npt.ArrayLike, share: float = 0.01) -> npt.NDArray[np.bool_]:
    """Mark the accuracies of at least ``top_threshold``, ties included; NaN is never top."""
    values = np.asarray(accuracy, dtype=np.float64)
    if np.isnan(values).all():
        return np.zeros(values.shape, dtype=np.bool_)
    return values >= top_threshold(values, share)


def binary_entropy(share: npt.ArrayLike) -> Floats:
    """Compute the entropy in bits of events with these probabilities, any shape."""
    yes = np.asarray(share, dtype=np.float64)
    no = 1 - yes
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(yes > 0, yes * np.log2(yes), 0) + np.where(no > 0, no * np.log2(no), 0)
    entropy: Floats = -terms
    return entropy


def gini_of_counts(known: Counts, top: Counts) -> float:
    """Compute the Gini coefficient of the top's distribution over sub-spaces, given their sizes.

    It is one minus twice the area below the Lorenz curve of the share of the top against the share
    of the space, sub-spaces with the lowest density of top architectures first. A coefficient of
    the counts alone would call a split uneven only because its sub-spaces differ in size
    (Section 4.2 of the paper). It is 0 where every sub-space has the same density, and one minus
    the share of the top where whole sub-spaces contain the top and nothing else.
    """
    filled = known > 0
    space, best = known[filled] / known.sum(), top[filled] / top.sum()
    order = np.argsort(best / space, kind="stable")
    reached = np.cumsum(best[order])
    below = (space[order] * (2 * reached - best[order])).sum()
    # Rounding can make a coefficient of zero slightly negative.
    return max(0.0, float(1 - below))


def sub_space_names(count: int) -> list[str]:
    """List S1, S2, ... in tree order."""
    return [f"S{number}" for number in range(1, count + 1)]


def positions(leaves: Sequence[Part], architectures: Counts) -> Counts:
    """Find the position of the sub-space of some architectures, -1 for none."""
    if not leaves:
        return np.full(len(architectures), -1, dtype=np.int64)
    return group_numbers(leaves)[architectures]


def pool_parts(
    leaves: Sequence[Part], known: pd.DataFrame, most: int, also: str | None = None
) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """Pool the parts of a large partition that have the fewest top architectures into one, "other".

    Args:
        leaves: The parts.
        known: What ``describe_sub_spaces`` returns for them.
        most: How many parts are left, at most.
        also: The name of a part that is not pooled.

    Returns:
        The parts that are left, in order and the pooled one last, and their names.
    """
    names = sub_space_names(len(leaves))
    if len(leaves) <= most:
        return tuple(leaves), tuple(names)
    first = known.assign(also=known["sub_space"] == also)
    order = first.sort_values(["also", "top_count", "known"], ascending=False, kind="stable").index
    kept = sorted(order[: most - 1])
    space = space_of(leaves)
    pooled = np.flatnonzero(~np.isin(group_numbers(leaves), kept))
    parts = *(leaves[place] for place in kept), ArchitectureSet(POOLED, pooled, space)
    return parts, (*(names[place] for place in kept), POOLED)


def describe_sub_spaces(
    leaves: Sequence[Part], accuracy: pd.DataFrame, threshold: float = 0.01
) -> pd.DataFrame:
    """Describe each sub-space of a split; counts and statistics refer to the known architectures.

    Returns:
        One row per sub-space in the order given: sub_space (S1, ...), size, known (architectures
        with an accuracy), share (of the whole space), top_count, top_share (of all top
        architectures), enrichment (top_share over the share of known architectures), best
        (percent), best_architecture (index), best_rank (1 is the best of all), mean, median, q25,
        q75, std (percent). Unknown values are missing.
    """
    ranked = _ranked(accuracy, threshold)
    names = sub_space_names(len(leaves))
    rows = [
        {"sub_space": name, **_describe(leaf, ranked)}
        for name, leaf in zip(names, leaves, strict=True)
    ]
    types = dict.fromkeys(_COUNTS, "int64") | dict.fromkeys(_RANKS, "Int64")
    types |= dict.fromkeys([*_SHARES, *_STATISTICS], "float64")
    return pd.DataFrame(rows, columns=_COLUMNS).astype(types)


def architectures_of(leaf: Part, accuracy: pd.DataFrame, threshold: float = 0.01) -> pd.DataFrame:
    """List the known architectures of a sub-space, the best first.

    Returns:
        Columns architecture (index), string, accuracy_mean (percent), rank (in the whole space,
        ties sharing the smallest) and top.
    """
    return _listed(_inside(leaf, _ranked(accuracy, threshold)), leaf.space)


def top_architectures(
    leaves: Sequence[Part],
    accuracy: pd.DataFrame,
    threshold: float = 0.01,
    space: SearchSpace = NAS_BENCH_201,
) -> pd.DataFrame:
    """List the top architectures of the whole space with their sub-spaces, the best first.

    ``space`` is that of the table where there are no sub-spaces.

    Returns:
        Columns sub_space (missing where none contains it), architecture (index), string,
        accuracy_mean (percent) and rank.
    """
    ranked = _ranked(accuracy, threshold)
    listed = _listed(ranked[ranked["top"]], space_of(leaves) if leaves else space)
    names = np.array([*sub_space_names(len(leaves)), None], dtype=object)
    numbers = positions(leaves, listed["architecture"].to_numpy())
    listed.insert(0, "sub_space", names[numbers])
    return listed.drop(columns="top")


def _ranked(accuracy: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Add rank and top to the known architectures."""
    ranked = accuracy[["architecture", "accuracy_mean"]].dropna().astype({"architecture": "int64"})
    ranked["rank"] = ranked["accuracy_mean"].rank(method="min", ascending=False).astype("int64")
    ranked["top"] = top_mask(ranked["accuracy_mean"].to_numpy(), threshold)
    return ranked


def _inside(leaf: Part, ranked: pd.DataFrame) -> pd.DataFrame:
    inside: pd.DataFrame = ranked[positions([leaf], ranked["architecture"].to_numpy()) == 0]
    return inside


def _listed(ranked: pd.DataFrame, space: SearchSpace) -> pd.DataFrame:
    listed = ranked.sort_values(["rank", "architecture"], ignore_index=True)
    listed.insert(1, "string", space.format_many(listed["architecture"]))
    return listed


def _describe(leaf: Part, ranked: pd.DataFrame) -> dict[str, float | int]:
    inside = _inside(leaf, ranked)
    row: dict[str, float | int] = {
        "size": leaf.size,
        "known": len(inside),
        "share": leaf.size / leaf.space.size,
        "top_count": int(inside["top"].sum()),
    }
    if ranked.empty:
        return row
    row["top_share"] = row["top_count"] / int(ranked["top"].sum())
    if inside.empty:
        return row
    values = inside["accuracy_mean"].to_numpy()
    q25, median, q75 = np.quantile(values, [0.25, 0.5, 0.75])
    best = int(values.argmax())
    return row | {
        "enrichment": row["top_share"] / (len(inside) / len(ranked)),
        "best": float(values[best]),
        "best_architecture": int(inside["architecture"].iloc[best]),
        "best_rank": int(inside["rank"].iloc[best]),
        "mean": float(values.mean()),
        "median": float(median),
        "q25": float(q25),
        "q75": float(q75),
        "std": float(values.std()),
    }


@dataclass(frozen=True, eq=False)
class LeafNumbers:
    """Counts and accuracies of each sub-space of a split; all arrays of shape (sub-spaces,).

    ``known`` counts the architectures with an accuracy; the best and the mean accuracy are in
    percent, NaN where none is known.
    """

    size: Counts
    known: Counts
    top: Counts
    best: Floats
    mean: Floats

    @property
    def top_entropy_bits(self) -> float:
        """H(top), in bits."""
        return float(binary_entropy(self.top.sum() / self.known.sum()))

    @property
    def gain_bits(self) -> float:
        """H(top) minus the size-weighted mean of H(top | sub-space), in bits."""
        known, top = self.known[self.known > 0], self.top[self.known > 0]
        expected = float((known * binary_entropy(top / known)).sum() / known.sum())
        # Rounding can make a gain of zero slightly negative.
        return max(0.0, self.top_entropy_bits - expected)

    @property
    def gini(self) -> float:
        """Gini coefficient of the top given the sizes; see ``gini_of_counts``."""
        return gini_of_counts(self.known, self.top)

    @property
    def optimum(self) -> tuple[str, ...]:
        """Sub-spaces with an architecture of the best accuracy, like "S4"."""
        return _highest(self.best)

    @property
    def best_mean(self) -> tuple[str, ...]:
        """Sub-spaces with the highest mean accuracy."""
        return _highest(self.mean)


def leaf_numbers(
    leaves: Sequence[Part], accuracy: pd.DataFrame, threshold: float = 0.01
) -> LeafNumbers:
    """Count and summarise the architectures of each sub-space.

    Raises:
        TableError: If the table has no accuracy, or the threshold is out of range.
        SpaceError: If an architecture of the table is in no sub-space.
    """
    rows = accuracy[["architecture", "accuracy_mean"]].dropna()
    if rows.empty:
        raise TableError("expected accuracies of the sub-spaces, got none")
    values = rows["accuracy_mean"].to_numpy(dtype=np.float64)
    architectures = rows["architecture"].to_numpy(dtype=np.int64)
    member = positions(leaves, architectures)
    if (member < 0).any():
        first = space_of(leaves).format(int(architectures[member < 0][0]))
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


def comparable(values: Floats) -> Floats:
    """Round away the rounding errors of sums, so that equal values compare equal."""
    return values.round(_DECIMALS)


def _highest(values: Floats) -> tuple[str, ...]:
    rounded = comparable(values)
    names = sub_space_names(len(values))
    return tuple(names[place] for place in np.flatnonzero(rounded == np.nanmax(rounded)))
