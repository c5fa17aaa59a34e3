"""The shape of a splitting tree: which edges, how many groups, and who chooses."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fewshot_core.errors import SplittingError
from fewshot_core.space import EDGES, SubSpace
from fewshot_core.splitting.tree import Path

EDGE_POLICIES: Mapping[str, str] = {
    "fixed": "the given edges, one for each level",
    "random": "at each node one of the edges not split yet, drawn with the seed",
    "gradient": "at each node the edge whose groups are easiest to tell apart (GM-NAS)",
}
"""How the edge of a node is chosen."""

WARM_UP_IMAGES = 2048
"""Training images of a warm-up, unless told otherwise: few, since each sub-supernet sees them."""


@dataclass(frozen=True)
class TreeOptions:
    """How a tree grows; see ``split``.

    Attributes:
        edges: The edge to split at each level.
        groups: Into how many groups, at each level.
        balanced: Whether group sizes may differ by at most one.
        policy: How edges are chosen; see ``EDGE_POLICIES``.
        warm_up_epochs: Epochs that each sub-supernet is trained for before it is split further,
            from the weights that it has inherited.
        warm_up_images: Training images that it sees in each of them.
    """

    edges: tuple[int, ...] = (0, 1, 2)
    groups: tuple[int, ...] = (2, 2, 2)
    balanced: bool = False
    policy: str = "fixed"
    warm_up_epochs: int = 0
    warm_up_images: int = WARM_UP_IMAGES

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
        if self.warm_up_epochs < 0:
            raise SplittingError(
                f"expected warm_up_epochs of at least 0, got {self.warm_up_epochs}"
            )
        if self.warm_up_images < 2:
            raise SplittingError(
                f"expected warm_up_images of at least 2, got {self.warm_up_images}"
            )

    @classmethod
    def create(
        cls,
        edges: Sequence[int] = (0, 1, 2),
        groups: int | Sequence[int] = 2,
        balanced: bool = False,
        policy: str = "fixed",
        warm_up_epochs: int = 0,
        warm_up_images: int = WARM_UP_IMAGES,
    ) -> TreeOptions:
        """Return options, with one number of groups standing for every level."""
        levels = (groups,) * len(edges) if isinstance(groups, int) else tuple(groups)
        return cls(tuple(edges), levels, balanced, policy, warm_up_epochs, warm_up_images)

    @property
    def warm_ups(self) -> int:
        """How many sub-supernets will be trained before they are split further."""
        if not self.warm_up_epochs:
            return 0
        return sum(math.prod(self.groups[:level]) for level in range(1, len(self.groups)))

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
