"""The shape of a split: which edges its tree split, and into how many groups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fewshot_core.space import EDGES, OPERATIONS, SubSpace
from fewshot_core.splitting.options import TreeOptions
from fewshot_core.splitting.partition import Groups
from fewshot_core.splitting.tree import Path

_ALL = tuple(range(len(OPERATIONS)))

_Node = list[SubSpace]
_Levels = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Branching:
    """One decision of a tree, as its sub-spaces show it.

    Attributes:
        path: The number of the group taken at each level from the root; empty at the root.
        edge: The edge that is split here.
        sub_space: The sub-space that arrives here.
        groups: The operations of each branch.
    """

    path: Path
    edge: int
    sub_space: SubSpace
    groups: Groups


def tree_shape(leaves: Sequence[SubSpace]) -> TreeOptions | None:
    """Return the edges and numbers of groups of the tree that sub-spaces come from.

    Such a tree splits the same edge, into the same number of groups, in all nodes of a level. Where
    several orders of the edges give the same sub-spaces, it is the one whose tree has them in the
    order given; where none has, the one that starts with the smallest edges.

    Args:
        leaves: Sub-spaces of a split, in any order.

    Returns:
        The shape, or None where no such tree has these sub-spaces: an edge policy that chooses
        edges, a split by hand, or no split at all.
    """
    used = [
        edge for edge in range(len(EDGES)) if any(leaf.enabled[edge] != _ALL for leaf in leaves)
    ]
    if not used:
        return None
    found: _Levels | None = None
    for levels, order in _trees([list(leaves)], used):
        if order == list(leaves):
            found = levels
            break
        found = found or levels
    if found is None:
        return None
    return TreeOptions(tuple(edge for edge, _ in found), tuple(count for _, count in found))


def branchings(leaves: Sequence[SubSpace]) -> list[Branching] | None:
    """Return the decisions that lead to sub-spaces, parents before children.

    Returns:
        Every node of the tree of ``tree_shape``, groups in the order of the sub-spaces; None where
        there is no such tree.
    """
    shape = tree_shape(leaves)
    if shape is None:
        return None
    nodes: list[tuple[Path, SubSpace, _Node]] = [((), SubSpace.full(), list(leaves))]
    found = []
    for edge in shape.edges:
        below: list[tuple[Path, SubSpace, _Node]] = []
        for path, sub_space, members in nodes:
            parts = _by_operations(members, edge)
            found.append(Branching(path, edge, sub_space, tuple(parts)))
            below += [
                ((*path, number), sub_space.keep(edge, group), part)
                for number, (group, part) in enumerate(parts.items())
            ]
        nodes = below
    return found


def _trees(nodes: list[_Node], edges: list[int]) -> Iterator[tuple[_Levels, _Node]]:
    """Yield (edge, groups) of each level, and the leaves in tree order, for every fitting order."""
    if not edges:
        if all(len(node) == 1 for node in nodes):
            yield (), [leaf for node in nodes for leaf in node]
        return
    for edge in edges:
        parts = [_by_operations(node, edge) for node in nodes]
        count = len(parts[0])
        if all(len(part) == count and _is_partition(part) for part in parts):
            below = [members for part in parts for members in part.values()]
            for levels, order in _trees(below, [other for other in edges if other != edge]):
                yield ((edge, count), *levels), order


def _by_operations(leaves: _Node, edge: int) -> dict[tuple[int, ...], _Node]:
    """Return the leaves by what they enable on an edge, in the order of their first one."""
    parts: dict[tuple[int, ...], _Node] = {}
    for leaf in leaves:
        parts.setdefault(leaf.enabled[edge], []).append(leaf)
    return parts


def _is_partition(parts: dict[tuple[int, ...], _Node]) -> bool:
    operations = sorted(operation for group in parts for operation in group)
    return len(parts) > 1 and operations == list(_ALL)
