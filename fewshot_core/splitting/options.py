"""The shape of a splitting tree: which edges, how many groups, and who chooses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fewshot_core.errors import SplittingError
from fewshot_core.space import EDGES, SubSpace
from fewshot_core.splitting.tree import Path

EDGE_POLICIES: Mapping[str, str] = {
    "fixed": "the given edges, one for each level",
    "random": "at each node one of the edges not split yet, drawn with the seed",
    "gradient": "at each node the edge whose groups are easiest to tell apart (GM-NAS)",
}
"""How the edge of a node is chosen."""


@dataclass(frozen=True)
class TreeOptions:
    """The shape of a tree; see ``split``."""

    edges: tuple[int, ...] = (0, 1, 2)
    groups: tuple[int, ...] = (2, 2, 2)
    balanced: bool = False
    policy: str = "fixed"

    def __post_init__(self) -> None:
        if self.policy not in EDGE_POLICIES:
            known = ", ".join(EDGE_POLICIES)
            raise SplittingError(f"unknown edge policy {self.policy!r}: expected one of {known}")
        distinct = len(set(self.edges)) == len(self.edges)
        if not self.edges or not distinct or set(self.edges) - set(range(len(EDGES))):
            raise SplittingError(
                f"expected one or more distinct edges from 0 to {len(EDGES) - 1}, "
                f"got {list(self.edges)}"
            )
        if len(self.groups) != len(self.edges) or not all(2 <= n <= 5 for n in self.groups):
            raise SplittingError(
                f"expected 2 to 5 groups for each of {len(self.edges)} levels, "
                f"got {list(self.groups)}"
            )

    @classmethod
    def create(
        cls,
        edges: Sequence[int] = (0, 1, 2),
        groups: int | Sequence[int] = 2,
        balanced: bool = False,
        policy: str = "fixed",
    ) -> TreeOptions:
        """Return options, with one number of groups standing for every level."""
        levels = (groups,) * len(edges) if isinstance(groups, int) else tuple(groups)
        return cls(tuple(edges), levels, balanced, policy)

    @property
    def leaf_count(self) -> int:
        """How many sub-spaces the tree will have."""
        return int(np.prod(self.groups))

    def edges_to_score(
        self, path: Path, sub_space: SubSpace, used: set[int], seed: int
    ) -> list[int]:
        """Return the edges that compete to be split at a node."""
        level = len(path)
        if self.policy == "fixed":
            return [self.edges[level]]
        free = [
            edge
            for edge, enabled in enumerate(sub_space.enabled)
            if edge not in used and len(enabled) >= self.groups[level]
        ]
        if self.policy == "random":
            digest = hashlib.sha256(f"edge/{seed}/{path}".encode()).digest()
            return [free[int.from_bytes(digest[:8], "big") % len(free)]]
        return free

    def scorings(self) -> int:
        """Return how many operations will be scored for the whole tree."""
        total = 0
        nodes = 1
        for level, groups in enumerate(self.groups):
            edges = len(EDGES) - level if self.policy == "gradient" else 1
            total += nodes * edges * 5
            nodes *= groups
        return total
