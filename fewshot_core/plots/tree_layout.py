"""What a drawing of a splitting tree consists of, and where each part of it is placed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

Path = tuple[int, ...]


@dataclass(frozen=True)
class TreeBranch:
    """A place in the tree, with the branch that leads there.

    Attributes:
        path: The number of the group taken at each level from the root; empty at the root.
        operations: The operation numbers on the branch that leads here; empty at the root.
        edge_label: The edge that is split here ("2<-0"), or None where none is (yet).
        scores: Pairs of operation number and score, of the edge that is split here, if known.
        degenerate: Whether the decision made here was arbitrary.
        reason: Why it was, or None.
        active: Whether the operations of the edge are being scored now.
    """

    path: Path
    operations: tuple[int, ...] = ()
    edge_label: str | None = None
    scores: tuple[tuple[int, float | None], ...] = ()
    degenerate: bool = False
    reason: str | None = None
    active: bool = False

    @property
    def depth(self) -> int:
        """The number of splits above."""
        return len(self.path)


@dataclass(frozen=True)
class TreeDrawing:
    """A tree to draw, complete or growing.

    Attributes:
        branches: Its places, the root included, in any order.
        leaves: What ``fewshot_core.analysis.describe_sub_spaces`` returns for its leaves in tree
            order, or None while it grows.
        levels: How many levels of splits it will have, or None for as many as are there.
    """

    branches: tuple[TreeBranch, ...]
    leaves: pd.DataFrame | None = None
    levels: int | None = None


@dataclass(frozen=True)
class TreeLayout:
    """Where the places of a tree are drawn.

    A level is one unit wide and a row one unit high; the first leaf is at the top.
    """

    drawing: TreeDrawing

    @cached_property
    def ordered(self) -> list[TreeBranch]:
        """All places in tree order, parents before children."""
        return sorted(self.drawing.branches, key=lambda branch: branch.path)

    @cached_property
    def children(self) -> Mapping[Path, list[TreeBranch]]:
        """The places below each place that has any."""
        below: dict[Path, list[TreeBranch]] = {}
        for branch in self.ordered:
            if branch.path:
                below.setdefault(branch.path[:-1], []).append(branch)
        return below

    @cached_property
    def ends(self) -> list[TreeBranch]:
        """The places with nothing below them, in tree order."""
        return [branch for branch in self.ordered if branch.path not in self.children]

    @cached_property
    def levels(self) -> int:
        """The number of columns."""
        deepest = max(branch.depth for branch in self.ordered)
        return max(deepest, self.drawing.levels or 1)

    @cached_property
    def rows(self) -> Mapping[Path, float]:
        """The height of each place: ends one below the other, parents in their middle."""
        rows = {end.path: float(len(self.ends) - 1 - i) for i, end in enumerate(self.ends)}
        for path in sorted(self.children, key=len, reverse=True):
            below = [rows[child.path] for child in self.children[path]]
            rows[path] = (below[0] + below[-1]) / 2
        return rows

    @cached_property
    def leaves(self) -> pd.DataFrame | None:
        """The description of the ends, if there is one row for each."""
        leaves = self.drawing.leaves
        return leaves if leaves is not None and len(leaves) == len(self.ends) else None
