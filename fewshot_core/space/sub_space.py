"""Architectures, and sub-spaces: which operations are enabled for each decision."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Protocol

import numpy as np

from fewshot_core.documents import shown
from fewshot_core.errors import SpaceError
from fewshot_core.space.search_space import Indices, SearchSpace
from fewshot_core.space.spaces import NAS_BENCH_201, get_space

OPERATIONS = NAS_BENCH_201.decisions[0].operations

EDGES = NAS_BENCH_201.edges
"""(target node, source node) of each edge, in the order of the architecture string."""

ARCHITECTURE_COUNT = NAS_BENCH_201.size

OPERATION_LABELS = NAS_BENCH_201.decisions[0].labels
"""The short names shown in the app, in the order of ``OPERATIONS``."""


def edge_label(edge: int) -> str:
    """Label of an edge of NAS-Bench-201: ``"2<-0"`` is the edge from node 0 to node 2."""
    return NAS_BENCH_201.decisions[edge].name


def operation_set_label(operations: Iterable[int]) -> str:
    """Short names of some operations of NAS-Bench-201, joined: ``"none skip pool"``."""
    return NAS_BENCH_201.decisions[0].describe(operations)


@dataclass(frozen=True, order=True)
class Architecture:
    """An architecture: the number of the operation that it chooses for each decision of its space.

    Raises SpaceError if there is not one number for each, or one is out of range.
    """

    operations: tuple[int, ...]
    space: SearchSpace = field(default=NAS_BENCH_201, repr=False)

    def __post_init__(self) -> None:
        self.space.check_choices(self.operations)

    @classmethod
    def from_string(cls, text: str, space: SearchSpace | str = NAS_BENCH_201) -> "Architecture":
        """Read the text of an architecture; raises SpaceError as ``SearchSpace.parse``."""
        found = get_space(space)
        return cls(found.decode(found.parse(text)), found)

    @classmethod
    def from_index(cls, index: int, space: SearchSpace | str = NAS_BENCH_201) -> "Architecture":
        """Return the architecture of an index; raises SpaceError if it is out of range."""
        found = get_space(space)
        return cls(found.decode(index), found)

    @property
    def index(self) -> int:
        """The mixed-radix number of the operation numbers, the first most significant."""
        return self.space.encode(self.operations)

    def to_string(self) -> str:
        """Return the text of the architecture: in NAS-Bench-201, its architecture string."""
        return self.space.text(self.operations)


class Part(Protocol):
    """A part of a split: a sub-space, or any other set of architectures of a space."""

    @property
    def space(self) -> SearchSpace:
        """The space."""

    @property
    def size(self) -> int:
        """The number of architectures."""

    def architecture_indices(self) -> Indices:
        """Return the indices of all architectures, ascending; int64, shape (size,)."""

    def __contains__(self, architecture: Architecture) -> bool: ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class SubSpace:
    """The architectures that use only enabled operations.

    ``enabled`` has their numbers for each decision of the space, ascending. Raises SpaceError if a
    decision has none, or the numbers are not valid.
    """

    enabled: tuple[tuple[int, ...], ...]
    space: SearchSpace = field(default=NAS_BENCH_201, repr=False)

    def __post_init__(self) -> None:
        shape = self.space.shape
        if len(self.enabled) != len(shape):
            raise SpaceError(
                f"expected the operations of {len(shape)} {self.space.noun}s, "
                f"got {len(self.enabled)}"
            )
        for number, (operations, count) in enumerate(zip(self.enabled, shape, strict=True)):
            if not _valid(operations, count):
                raise SpaceError(
                    f"{self.space.decision_label(number)}: expected at least one operation "
                    f"number from 0 to {count - 1}, in ascending order, got {operations!r}"
                )

    def __hash__(self) -> int:
        return hash(self.enabled)  # cheap: sub-spaces are parts of many keys

    @classmethod
    def full(cls, space: SearchSpace | str = NAS_BENCH_201) -> "SubSpace":
        """Return the whole space."""
        found = get_space(space)
        return cls(tuple(tuple(range(count)) for count in found.shape), found)

    @classmethod
    def from_rows(cls, rows: Sequence[str], space: SearchSpace | str = NAS_BENCH_201) -> "SubSpace":
        """Read a string for each decision; character j is 1 where operation j is enabled.

        Raises SpaceError if there is not one row for each, one is not as long as its decision has
        operations, has other characters than 0 and 1, or is all 0.
        """
        found = get_space(space)
        count = len(found.decisions)
        if isinstance(rows, str) or not isinstance(rows, Sequence) or len(rows) != count:
            raise SpaceError(
                f"expected {count} rows, one for each {found.noun}, like '01110', got {shown(rows)}"
            )
        return cls(tuple(_read_row(found, *item) for item in enumerate(rows)), found)

    @property
    def rows(self) -> list[str]:
        """A string for each decision; character j is 1 where operation j is enabled."""
        return [*map(_write_row, self.enabled, self.space.shape)]

    @property
    def size(self) -> int:
        """How many architectures the sub-space holds."""
        return prod(len(operations) for operations in self.enabled)

    def keep(self, edge: int, operations: Iterable[int]) -> "SubSpace":
        """Return the sub-space in which a decision keeps only the given operations.

        ``edge`` is its number. Raises SpaceError if it does not exist, no operation is given, or
        one of them is not enabled here.
        """
        last, noun = len(self.enabled) - 1, self.space.noun
        if edge not in range(last + 1):
            raise SpaceError(
                f"expected a{'n' * (noun == 'edge')} {noun} from 0 to {last}, got {edge!r}"
            )
        kept = tuple(sorted(set(operations)))
        missing = [operation for operation in kept if operation not in self.enabled[edge]]
        if missing or not kept:
            raise SpaceError(
                f"{self.space.decision_label(edge)} has the operations {list(self.enabled[edge])}: "
                f"expected at least one of them to keep, got {list(kept)}"
            )
        return SubSpace((*self.enabled[:edge], kept, *self.enabled[edge + 1 :]), self.space)

    def contains(self, other: "SubSpace") -> bool:
        """Whether every architecture of ``other`` is also in this sub-space."""
        if self.space != other.space:
            return False
        pairs = zip(self.enabled, other.enabled, strict=True)
        return all(set(theirs) <= set(ours) for ours, theirs in pairs)

    def architecture_indices(self) -> Indices:
        """Return the indices of all architectures, ascending; int64, shape (size,)."""
        indices = np.zeros(1, dtype=np.int64)
        for operations, count in zip(self.enabled, self.space.shape, strict=True):
            digits = np.array(operations, dtype=np.int64)
            indices = (indices[:, None] * count + digits).reshape(-1)
        return indices

    def __contains__(self, architecture: Architecture) -> bool:
        if architecture.space != self.space:
            return False
        pairs = zip(architecture.operations, self.enabled, strict=True)
        return all(operation in operations for operation, operations in pairs)


@lru_cache(maxsize=4096)
def _valid(operations: tuple[int, ...], count: int) -> bool:
    """Whether numbers of operations are ascending and below a count; cached, trees repeat them."""
    return bool(operations) and list(operations) == sorted({*operations} & {*range(count)})


def space_of(leaves: Sequence[Part]) -> SearchSpace:
    """The space of some sub-spaces, NAS-Bench-201 where there are none.

    Raises SpaceError if they are of several.
    """
    spaces = list(dict.fromkeys(leaf.space for leaf in leaves)) or [NAS_BENCH_201]
    if len(spaces) > 1:
        names = ", ".join(space.name for space in spaces)
        raise SpaceError(f"expected sub-spaces of one search space, got {names}")
    return spaces[0]


def sub_spaces_of(parts: Sequence[Part]) -> tuple[SubSpace, ...]:
    """Return parts as the sub-spaces that they are.

    Raises SpaceError if one is no product of operation sets, which a supernet needs.
    """
    found = tuple(filter(None, map(_as_product, parts)))
    if len(found) < len(parts):
        raise SpaceError(
            "a partition that is no product of operation sets has no supernets: a supernet with "
            "all operations of a group would contain architectures of other groups, too"
        )
    return found


def is_partition(parts: Sequence[Part]) -> bool:
    """Whether parts are groups of a partition, with labels, rather than sub-spaces."""
    return not all(isinstance(part, SubSpace) for part in parts)


def _as_product(part: Part) -> SubSpace | None:
    """Return the sub-space of a part's operations, if that has no other architectures."""
    if isinstance(part, SubSpace):
        return part
    choices = np.unravel_index(part.architecture_indices(), part.space.shape)
    enabled = tuple(tuple(np.unique(numbers).tolist()) for numbers in choices)
    found = SubSpace(enabled, part.space)
    return found if found.size == part.size else None


def check_partition(leaves: Sequence[Part]) -> None:
    """Check that sub-spaces cover all architectures of their space exactly once.

    Raises:
        SpaceError: If an architecture is missing or in more than one; the message names the first.
    """
    space = space_of(leaves)
    total = sum(leaf.size for leaf in leaves)
    if total > 10 * space.size:
        raise SpaceError(
            f"expected sub-spaces that cover all {space.size:,} architectures once, got {total:,} "
            "architectures in all"
        )
    counts = np.zeros(space.size, dtype=np.int64)
    for leaf in leaves:
        counts[leaf.architecture_indices()] += 1
    wrong = np.flatnonzero(counts != 1)
    if wrong.size:
        first = int(wrong[0])
        raise SpaceError(
            f"expected sub-spaces that cover all {space.size:,} architectures once: "
            f"{int((counts == 0).sum()):,} are missing and {int((counts > 1).sum()):,} are in more "
            f"than one; the first, {space.format(first)}, is in {int(counts[first])}"
        )


@lru_cache(maxsize=4096)
def _write_row(operations: tuple[int, ...], count: int) -> str:
    return "".join("1" if operation in operations else "0" for operation in range(count))


@lru_cache(maxsize=4096)
def _enabled(row: str) -> tuple[int, ...]:
    return tuple(operation for operation, mark in enumerate(row) if mark == "1")


def _read_row(space: SearchSpace, number: int, row: str) -> tuple[int, ...]:
    operations = space.decisions[number].operations
    if not isinstance(row, str) or len(row) != len(operations) or set(row) - set("01"):
        raise SpaceError(
            f"{space.decision_label(number)}: expected {len(operations)} characters 0 or 1, "
            f"one for each of {', '.join(operations)}, got {shown(row)}"
        )
    if "1" not in row:
        raise SpaceError(
            f"{space.decision_label(number)}: expected at least one enabled operation, got "
            f"{shown(row)}"
        )
    return _enabled(row)
