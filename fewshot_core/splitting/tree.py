"""The splitting tree: its shape, and which edge was split where, into which groups, and why."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any

from fewshot_core import limits
from fewshot_core.data_folder import json_number
from fewshot_core.documents import DamageError, read_document, refusing, shown
from fewshot_core.errors import SpaceError, SplittingError, UnknownNameError, check_name
from fewshot_core.space import (
    NAS_BENCH_201,
    Part,
    SearchSpace,
    SubSpace,
    check_partition,
    get_space,
    space_of,
    sub_spaces_of,
)
from fewshot_core.splitting.partition import Groups

EDGE_POLICIES: Mapping[str, str] = {
    "fixed": "the given edges, one for each level",
    "random": "at each node one of the edges not split yet, drawn with the seed",
    "gradient": "at each node the edge with the most separable groups (GM-NAS)",
}
"""How the edge of a node is chosen."""

WARM_UP_IMAGES = 2048
"""Training images of a warm-up by default: few, since each sub-supernet sees them."""


@dataclass(frozen=True)
class TreeOptions:
    """How a tree grows; see ``split``. ``edges`` and ``groups`` have a number for each level.

    Edges are numbers of decisions; ``check`` tells whether a space has them.
    Each sub-supernet is trained for ``warm_up_epochs`` before it is split further, from the weights
    that it has inherited, and sees ``warm_up_images`` in each of them.
    """

    edges: tuple[int, ...] = (0, 1, 2)
    groups: tuple[int, ...] = (2, 2, 2)
    balanced: bool = False
    policy: str = "fixed"
    warm_up_epochs: int = 0
    warm_up_images: int = WARM_UP_IMAGES

    def __post_init__(self) -> None:
        check_name("edge policy", self.policy, EDGE_POLICIES, SplittingError)
        for name, least in (("warm_up_epochs", 0), ("warm_up_images", 2)):
            got = getattr(self, name)
            if got < least:
                raise SplittingError(f"expected {name} of at least {least}, got {got}")

    @classmethod
    def create(
        cls,
        edges: Sequence[int] = (0, 1, 2),
        groups: int | Sequence[int] = 2,
        balanced: bool = False,
        policy: str = "fixed",
        warm_up_epochs: int = 0,
        warm_up_images: int = WARM_UP_IMAGES,
        space: SearchSpace = NAS_BENCH_201,
    ) -> TreeOptions:
        """Make options for a space; one number of groups stands for every level."""
        levels = (groups,) * len(edges) if isinstance(groups, int) else tuple(groups)
        options = cls(tuple(edges), levels, balanced, policy, warm_up_epochs, warm_up_images)
        options.check(space)
        return options

    def check(self, space: SearchSpace) -> None:
        """Raise SplittingError unless trees of a space can have this shape."""
        distinct = len(set(self.edges)) == len(self.edges)
        if not self.edges or not distinct or set(self.edges) - set(range(len(space.shape))):
            raise SplittingError(
                f"expected one or more distinct {space.noun}s from 0 to {len(space.shape) - 1}, "
                f"got {list(self.edges)}"
            )
        fixed = self.policy == "fixed"
        most = [space.shape[edge] if fixed else max(space.shape) for edge in self.edges]
        pairs = zip(self.groups, most, strict=False)
        if len(self.groups) != len(most) or not all(2 <= n <= limit for n, limit in pairs):
            limits = str(most[0]) if len(set(most)) == 1 else " or ".join(map(str, most))
            raise SplittingError(
                f"expected 2 to {limits} groups for each of {len(most)} levels, "
                f"got {list(self.groups)}"
            )

    @property
    def warm_ups(self) -> int:
        """Number of sub-supernets that are trained before they are split further."""
        if not self.warm_up_epochs:
            return 0
        return sum(math.prod(self.groups[:level]) for level in range(1, len(self.groups)))

    def edges_to_score(
        self, path: Path, sub_space: SubSpace, used: set[int], seed: int
    ) -> list[int]:
        """Choose the edges that compete to be split at a node; may raise SplittingError."""
        level = len(path)
        if self.policy == "fixed":
            return [self.edges[level]]
        free = [
            edge
            for edge, enabled in enumerate(sub_space.enabled)
            if edge not in used and len(enabled) >= self.groups[level]
        ]
        if not free:
            raise SplittingError(
                f"expected a {sub_space.space.noun} left with at least {self.groups[level]} "
                f"operations to split at level {level + 1}, got none"
            )
        if self.policy == "random":
            digest = hashlib.sha256(f"edge/{seed}/{path}".encode()).digest()
            return [free[int.from_bytes(digest[:8], "big") % len(free)]]
        return free

    def scorings(self, space: SearchSpace = NAS_BENCH_201) -> int:
        """Count the operations that will be scored for the whole tree, at most."""
        largest = sorted(space.shape, reverse=True)
        total = 0
        for level, edge in enumerate(self.edges):
            scored = space.shape[edge] if self.policy == "fixed" else largest[0]
            if self.policy == "gradient":
                scored = sum(largest[: len(largest) - level])
            total += math.prod(self.groups[:level]) * scored
        return total


FORMAT = "fewshot-split-tree/1"

Path = tuple[int, ...]
"""Where a node is: the number of the group taken at each level from the root."""


@dataclass(frozen=True)
class SplitNode:
    """One decision of a tree.

    Attributes:
        sub_space: The sub-space that is split here, on the ``edge``.
        operations: The operations enabled on the edge, ascending.
        values: The score of each, or None where the metric has none.
        similarity: Their similarity, n rows of n.
        groups: The operations of each branch, as operation numbers.
        cut, ties: The similarity between the groups, and the other groupings that have it.
        degenerate: Whether the choice was arbitrary, for the ``reason``.
        seconds: The time it took to score the operations.
    """

    path: Path
    edge: int
    sub_space: SubSpace
    operations: tuple[int, ...]
    values: tuple[float | None, ...]
    similarity: tuple[tuple[float, ...], ...]
    groups: Groups
    cut: float
    ties: tuple[Groups, ...] = ()
    degenerate: bool = False
    reason: str | None = None
    seconds: float = 0.0

    @property
    def children(self) -> list[SubSpace]:
        """The sub-space of each branch."""
        return [self.sub_space.keep(self.edge, group) for group in self.groups]


@dataclass(frozen=True)
class SplitTree:
    """A splitting tree, complete or growing: its nodes, parents before children.

    ``details`` is what else is known of it (variant, batch norm, network, images, options).
    """

    metric: str
    nodes: tuple[SplitNode, ...]
    details: Mapping[str, Any] = field(default_factory=dict)
    space: SearchSpace = NAS_BENCH_201

    @cached_property
    def leaves(self) -> list[SubSpace]:
        """The sub-spaces without a decision, first group first: S1, S2, ..."""
        return [sub_space for _, sub_space in self.open_paths()]

    @property
    def degenerate(self) -> bool:
        """Whether any decision was arbitrary."""
        return any(node.degenerate for node in self.nodes)

    def node(self, path: Path) -> SplitNode | None:
        """Return the decision at a path, or None where there is none."""
        return next((node for node in self.nodes if node.path == path), None)

    def open_paths(self) -> list[tuple[Path, SubSpace]]:
        """Return the path and the sub-space of every leaf, in tree order."""
        open_at: dict[Path, SubSpace] = {(): SubSpace.full(self.space)}
        for node in self.nodes:
            del open_at[node.path]
            open_at |= {(*node.path, number): child for number, child in enumerate(node.children)}
        return sorted(open_at.items())

    def to_json(self) -> str:
        """Return the tree as a JSON document on one line; with indentation it is twice as large."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the tree as plain lists, numbers and texts; the default space is not named."""
        return {
            "format": FORMAT,
            **({} if self.space == NAS_BENCH_201 else {"space": self.space.name}),
            "metric": self.metric,
            "details": dict(self.details),
            "nodes": [_node_to_dict(node) for node in self.nodes],
            "leaves": [leaf.rows for leaf in self.leaves],
        }

    @classmethod
    def from_json(cls, text: str, data_dir: FilePath | None = None) -> SplitTree:
        """Read a tree written by ``to_json``; a declared space is looked up in the data folder.

        Raises SplittingError if the text is not a tree, or contradicts itself.
        """
        with refusing(SplittingError, "the tree", "expected a splitting tree as JSON"):
            document = read_document(text)
        return cls.from_dict(document, data_dir)

    @classmethod
    def from_dict(cls, document: Any, data_dir: FilePath | None = None) -> SplitTree:
        """Read a tree written by ``to_dict``; raises as ``from_json``."""
        found = document.get("format") if isinstance(document, dict) else type(document).__name__
        if found != FORMAT:
            raise SplittingError(f"expected a tree of format {FORMAT!r}, got {found!r}")
        try:
            space = get_space(str(document.get("space", NAS_BENCH_201.name)), data_dir)
            if len(document["nodes"]) > limits.LEAVES:
                raise DamageError(f"it has more than {limits.LEAVES:,} nodes")
            nodes = tuple(_node_from_dict(node, space) for node in document["nodes"])
            tree = cls(str(document["metric"]), nodes, dict(document["details"]), space)
            leaves = [SubSpace.from_rows(rows, space) for rows in document["leaves"]]
        except UnknownNameError as error:
            raise SplittingError(f"the tree cannot be read: {error}") from error
        except (LookupError, TypeError, ValueError, OverflowError, SpaceError) as error:
            raise SplittingError(f"the tree's JSON is damaged: {shown(error)}") from error
        _check_consistent(tree, leaves)
        return tree


def _check_consistent(tree: SplitTree, leaves: Sequence[SubSpace]) -> None:
    """Check that nodes follow from each other and that the stored leaves follow from them."""
    reached: dict[Path, SubSpace] = {(): SubSpace.full(tree.space)}
    for node in tree.nodes:
        name = f"the node {list(node.path)} on {tree.space.decision_label(node.edge)}"
        if reached.pop(node.path, None) != node.sub_space:
            raise SplittingError(
                f"the tree contradicts itself: {name} does not follow from the nodes before it"
            )
        members = sorted(operation for group in node.groups for operation in group)
        enabled = node.sub_space.enabled[node.edge]
        if members != list(enabled) or node.operations != enabled or not all(node.groups):
            raise SplittingError(
                f"the tree contradicts itself: {name} must divide the operations {list(enabled)} "
                f"into non-empty groups, got {[list(group) for group in node.groups]}"
            )
        count = len(enabled)
        if [len(node.values), *map(len, node.similarity)] != [count] * (count + 1):
            raise SplittingError(
                f"the tree contradicts itself: {name} must have {count} values and {count} rows of "
                f"{count} similarities, one for each operation"
            )
        reached |= {(*node.path, number): child for number, child in enumerate(node.children)}
    if list(leaves) != tree.leaves:
        raise SplittingError("the tree contradicts itself: its leaves do not follow from its nodes")


def _node_to_dict(node: SplitNode) -> dict[str, Any]:
    """Convert to plain values; a sub-space becomes its ``rows``."""
    document = {name: _plain(value) for name, value in vars(node).items()}
    return {"rows" if name == "sub_space" else name: value for name, value in document.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, SubSpace):
        return value.rows
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return json_number(value) if isinstance(value, float) else value


def _node_from_dict(item: Mapping[str, Any], space: SearchSpace) -> SplitNode:
    edge, seconds, reason = int(item["edge"]), float(item["seconds"]), item["reason"]
    if edge not in range(len(space.shape)):
        raise ValueError(f"expected a number of {space.noun} below {len(space.shape)}, got {edge}")
    if not 0 <= seconds < math.inf:
        raise ValueError(f"expected a time in seconds, got {seconds}")
    if not isinstance(reason, str | None):
        raise TypeError(f"expected a reason or null, got {reason!r}")
    return SplitNode(
        path=tuple(int(number) for number in item["path"]),
        edge=edge,
        sub_space=SubSpace.from_rows(item["rows"], space),
        operations=tuple(int(operation) for operation in item["operations"]),
        values=tuple(None if value is None else float(value) for value in item["values"]),
        similarity=tuple(tuple(float(value) for value in row) for row in item["similarity"]),
        groups=_groups_in(item["groups"]),
        cut=float(item["cut"]),
        ties=tuple(_groups_in(groups) for groups in item["ties"]),
        degenerate=bool(item["degenerate"]),
        reason=reason,
        seconds=seconds,
    )


def _groups_in(groups: Sequence[Sequence[int]]) -> Groups:
    return tuple(tuple(int(operation) for operation in group) for group in groups)


@dataclass(frozen=True)
class NamedSplit:
    """A split of the whole space. Its name is its metric or, if that is not known, of its file.

    It may be any partition, whose groups have labels. ``source`` says what it was read from, if
    that is known. Raises SplittingError if the sub-spaces overlap or leave architectures out; the
    message counts them.
    """

    name: str
    dataset: str | None
    leaves: tuple[Part, ...]
    tree: SplitTree | None = field(default=None, compare=False)
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        try:
            check_partition(self.leaves)
        except SpaceError as error:
            raise SplittingError(f"{self.title}: {error}") from error

    @property
    def space(self) -> SearchSpace:
        """The space of the sub-spaces."""
        return space_of(self.leaves)

    @property
    def sub_spaces(self) -> tuple[SubSpace, ...]:
        """The sub-spaces; raises SplittingError for a partition that has no supernets."""
        try:
            return sub_spaces_of(self.leaves)
        except SpaceError as error:
            raise SplittingError(f"{self.title}: {error}") from error

    @property
    def title(self) -> str:
        """The name with the data set: "params on cifar10"."""
        return self.name if self.dataset is None else f"{self.name} on {self.dataset}"
