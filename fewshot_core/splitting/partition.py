"""Grouping operations so that the similarity between groups is smallest."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fewshot_core.errors import SplittingError

Groups = tuple[tuple[int, ...], ...]

TIE_TOLERANCE = 1e-6
"""Cuts that differ by less than this, relative to the smallest, are the same."""

MOST_OPERATIONS = 10
"""The most operations to group: all groupings are tried, 511 into two groups for ten."""

_ROUNDING = 1e-12
"""So are cuts that differ by less than this, relative to all similarities together: a sum of
similarities of both signs may be close to zero, and then two sums differ only by rounding."""


@dataclass(frozen=True)
class Partition:
    """The grouping with the smallest cut, and others with the same within ``TIE_TOLERANCE``.

    Groups hold row numbers of the similarity matrix, smaller groups first, then by first member.
    The cut is the sum of the similarities between members of different groups; it is not a number
    where a similarity is not finite.
    """

    groups: Groups
    cut: float
    ties: tuple[Groups, ...]


@dataclass(frozen=True)
class Candidate:
    """One grouping and its cut."""

    groups: Groups
    cut: float


def partition(similarity: npt.ArrayLike, groups: int = 2, balanced: bool = False) -> Partition:
    """Find the grouping whose similarity between groups is smallest, by trying them all.

    Eq. 3 of the paper asks for the smallest sum over pairs in different groups. It writes that
    sum over the distance of Eq. 2, which would put unlike operations together; as in its Eq. 1 and
    in GM-NAS, what is summed here is a similarity.

    Among equals the first in the order of ``set_partitions`` is chosen. A similarity that is not
    finite makes all groupings equal. Groups are not empty; in ``balanced`` ones, sizes differ by at
    most one (GM-NAS). The similarity has the shape (n, n), and its diagonal does not count. Raises
    SplittingError if it is not symmetric, or has fewer than ``groups`` rows.
    """
    best, *others = rank_candidates(similarity, groups, balanced)
    magnitude = float(np.abs(np.triu(_check(similarity), 1)).sum())
    tolerance = max(TIE_TOLERANCE * abs(best.cut), _ROUNDING * magnitude)
    ties = [other.groups for other in others if not other.cut - best.cut > tolerance]
    first, *equal = sorted((best.groups, *ties), key=_order)
    return Partition(first, best.cut, tuple(equal))


def rank_candidates(
    similarity: npt.ArrayLike, groups: int = 2, balanced: bool = False
) -> list[Candidate]:
    """Return every grouping with its cut, the smallest first; see ``partition``."""
    matrix = _check(similarity)
    finite = bool(np.isfinite(matrix[~np.eye(len(matrix), dtype=bool)]).all())
    candidates = [
        Candidate(grouping, _cut(matrix, grouping) if finite else float("nan"))
        for grouping in set_partitions(len(matrix), groups, balanced)
    ]
    return sorted(candidates, key=lambda item: item.cut) if finite else candidates


@lru_cache(maxsize=128)
def set_partitions(count: int, groups: int, balanced: bool = False) -> tuple[Groups, ...]:
    """Return all partitions of 0 to count - 1 into non-empty groups.

    There are 15 for five into two, and 127 for eight.

    Within each, smaller groups come first, then those with the smaller first member. In
    ``balanced`` ones, group sizes differ by at most one. Raises SplittingError if there are fewer
    items than groups, no group, or more than ``MOST_OPERATIONS`` items.
    """
    if count > MOST_OPERATIONS:
        raise SplittingError(f"expected at most {MOST_OPERATIONS} operations to group, got {count}")
    if not 1 <= groups <= count:
        raise SplittingError(f"expected 1 to {count} groups for {count} operations, got {groups}")
    found = [
        tuple(sorted(blocks, key=lambda block: (len(block), block)))
        for blocks in _blocks(count, groups)
        if not balanced or max(map(len, blocks)) - min(map(len, blocks)) <= 1
    ]
    return tuple(sorted(found, key=_order))


def _blocks(count: int, groups: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield the partitions of the first ``count`` numbers, adding the last number to each."""
    if groups == 0 or groups > count:
        if count == groups == 0:
            yield ()
        return
    last = count - 1
    for blocks in _blocks(last, groups - 1):
        yield (*blocks, (last,))
    for blocks in _blocks(last, groups):
        for position, block in enumerate(blocks):
            yield (*blocks[:position], (*block, last), *blocks[position + 1 :])


def _order(grouping: Groups) -> tuple[tuple[int, tuple[int, ...]], ...]:
    return tuple((len(group), group) for group in grouping)


def _cut(matrix: npt.NDArray[np.float64], grouping: Groups) -> float:
    group_of = np.empty(len(matrix), dtype=np.int64)
    for number, members in enumerate(grouping):
        group_of[list(members)] = number
    return float(matrix[group_of[:, None] != group_of].sum() / 2)


def _check(similarity: npt.ArrayLike) -> npt.NDArray[np.float64]:
    try:
        matrix = np.asarray(similarity, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SplittingError(f"expected a square matrix of numbers: {error}") from error
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise SplittingError(
            f"expected a square similarity matrix, got one of shape {matrix.shape}"
        )
    if not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0, equal_nan=True):
        raise SplittingError("expected a symmetric similarity matrix, got one that is not")
    return matrix
