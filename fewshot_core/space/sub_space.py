"""Sub-spaces: which operations are enabled on each edge."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from fewshot_core.errors import SpaceError
from fewshot_core.space.architecture import (
    ARCHITECTURE_COUNT,
    EDGES,
    OPERATIONS,
    Architecture,
    edge_label,
)

_FULL = tuple(range(len(OPERATIONS)))


@dataclass(frozen=True)
class SubSpace:
    """The architectures that use only enabled operations on every edge.

    ``enabled`` has their numbers for each of the six edges, ascending. Raises SpaceError if an edge
    has none, or the numbers are not valid.
    """

    enabled: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if len(self.enabled) != len(EDGES):
            raise SpaceError(
                f"expected the operations of {len(EDGES)} edges, got {len(self.enabled)}"
            )
        for edge, operations in enumerate(self.enabled):
            valid = bool(operations) and set(operations) <= set(_FULL)
            if not valid or list(operations) != sorted(set(operations)):
                raise SpaceError(
                    f"edge {edge_label(edge)}: expected at least one operation number from 0 to "
                    f"{len(OPERATIONS) - 1}, in ascending order, got {operations!r}"
                )

    @classmethod
    def full(cls) -> "SubSpace":
        """Return the whole space of 15,625 architectures."""
        return cls((_FULL,) * len(EDGES))

    @classmethod
    def from_rows(cls, rows: Sequence[str]) -> "SubSpace":
        """Read six strings, one per edge; character j is 1 where operation j is enabled.

        Raises SpaceError if there are not six rows of five characters 0 or 1, or one is all 0.
        """
        if isinstance(rows, str) or not isinstance(rows, Sequence) or len(rows) != len(EDGES):
            raise SpaceError(
                f"expected {len(EDGES)} rows, one for each edge, like '01110', got {rows!r}"
            )
        return cls(tuple(_read_row(edge, row) for edge, row in enumerate(rows)))

    @property
    def rows(self) -> list[str]:
        """Six strings, one per edge; character j is 1 where operation j is enabled."""
        return [
            "".join("1" if operation in operations else "0" for operation in _FULL)
            for operations in self.enabled
        ]

    @property
    def size(self) -> int:
        """How many architectures the sub-space holds."""
        return prod(len(operations) for operations in self.enabled)

    def keep(self, edge: int, operations: Iterable[int]) -> "SubSpace":
        """Return the sub-space in which ``edge`` keeps only the given operations.

        Raises SpaceError if the edge does not exist, no operation is given, or one of them is not
        enabled here.
        """
        if edge not in range(len(EDGES)):
            raise SpaceError(f"expected an edge from 0 to {len(EDGES) - 1}, got {edge!r}")
        kept = tuple(sorted(set(operations)))
        missing = [operation for operation in kept if operation not in self.enabled[edge]]
        if missing or not kept:
            raise SpaceError(
                f"edge {edge_label(edge)} has the operations {list(self.enabled[edge])}: expected "
                f"at least one of them to keep, got {list(kept)}"
            )
        return SubSpace((*self.enabled[:edge], kept, *self.enabled[edge + 1 :]))

    def contains(self, other: "SubSpace") -> bool:
        """Whether every architecture of ``other`` is also in this sub-space."""
        pairs = zip(self.enabled, other.enabled, strict=True)
        return all(set(theirs) <= set(ours) for ours, theirs in pairs)

    def architecture_indices(self) -> npt.NDArray[np.int64]:
        """Return the indices of all architectures, ascending; int64, shape (size,)."""
        indices = np.zeros(1, dtype=np.int64)
        for operations in self.enabled:
            digits = np.array(operations, dtype=np.int64)
            indices = (indices[:, None] * len(OPERATIONS) + digits).reshape(-1)
        return indices

    def __contains__(self, architecture: Architecture) -> bool:
        pairs = zip(architecture.operations, self.enabled, strict=True)
        return all(operation in operations for operation, operations in pairs)


def check_partition(leaves: Sequence[SubSpace]) -> None:
    """Check that sub-spaces cover all 15,625 architectures exactly once.

    Raises:
        SpaceError: If an architecture is missing or in more than one; the message names the first.
    """
    counts = np.zeros(ARCHITECTURE_COUNT, dtype=np.int64)
    for leaf in leaves:
        counts[leaf.architecture_indices()] += 1
    wrong = np.flatnonzero(counts != 1)
    if wrong.size:
        first = int(wrong[0])
        raise SpaceError(
            f"expected sub-spaces that cover all {ARCHITECTURE_COUNT:,} architectures once: "
            f"{int((counts == 0).sum()):,} are missing and {int((counts > 1).sum()):,} are in more "
            f"than one; the first, {Architecture.from_index(first).to_string()}, is in "
            f"{int(counts[first])}"
        )


def _read_row(edge: int, row: str) -> tuple[int, ...]:
    if not isinstance(row, str) or len(row) != len(OPERATIONS) or set(row) - set("01"):
        raise SpaceError(
            f"edge {edge_label(edge)}: expected {len(OPERATIONS)} characters 0 or 1, one for each "
            f"of {', '.join(OPERATIONS)}, got {row!r}"
        )
    if "1" not in row:
        raise SpaceError(
            f"edge {edge_label(edge)}: expected at least one enabled operation, got {row!r}"
        )
    return tuple(operation for operation, mark in enumerate(row) if mark == "1")
