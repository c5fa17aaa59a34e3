"""Connections of the nodes in a cell of a sub-space, as plain data."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from fewshot_core.space import EDGES, OPERATIONS, SubSpace

KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
"""The operations that convolve, and the sizes of their kernels."""


@dataclass(frozen=True)
class Link:
    """The operations of an edge, from ``source`` to ``target``.

    ``skip`` and ``pool`` are the positions of these two among all operations of the cell, or None;
    ``convolutions`` are numbers of its convolutions among those of the cell.
    """

    target: int
    source: int
    skip: int | None
    pool: int | None
    convolutions: tuple[int, ...]


@dataclass(frozen=True)
class Wiring:
    """The edges of a cell.

    Attributes:
        links: One for each edge, those without any operation but ``none`` left out.
        convolutions: The names of the convolutions' modules, in the order of the nodes they read;
            links give positions in here.
        positions: The positions of the convolutions among all operations of the cell.
        uniform: The weights of all operations in the mean of each edge.
    """

    links: tuple[Link, ...]
    convolutions: tuple[str, ...]
    positions: tuple[int, ...]
    uniform: tuple[float, ...]

    def into(self, target: int) -> list[Link]:
        """Links that lead to a node."""
        return [link for link in self.links if link.target == target]

    def pools(self, source: int) -> bool:
        """Whether any link pools a node."""
        return any(link.source == source and link.pool is not None for link in self.links)

    def reading(self, source: int) -> range:
        """Numbers of the convolutions that read a node."""
        links = [link for link in self.links if link.source == source]
        numbers = [number for link in links for number in link.convolutions]
        return range(numbers[0], numbers[-1] + 1) if numbers else range(0)


def edge_name(edge: int) -> str:
    """Name of an edge inside parameter names: ``"edge_2_0"`` runs from 0 to 2."""
    target, source = EDGES[edge]
    return f"edge_{target}_{source}"


@lru_cache(maxsize=4096)
def wiring_of(sub_space: SubSpace, path: tuple[int, ...] | None = None) -> Wiring:
    """List the edges of a sub-space's cells.

    All enabled operations have a position: edge by edge, ascending. ``path`` is, for each edge, the
    place of the only one of its operations that is connected; None for all.
    """
    links: list[Link] = []
    names: list[str] = []
    positions: list[int] = []
    starts = list(accumulate(map(len, sub_space.enabled), initial=0))
    for edge in sorted(range(len(EDGES)), key=lambda edge: EDGES[edge][1]):
        target, source = EDGES[edge]
        enabled = [OPERATIONS[operation] for operation in sub_space.enabled[edge]]
        chosen = enabled if path is None else [enabled[path[edge]]]
        at = {name: starts[edge] + enabled.index(name) for name in chosen}
        own = [name for name in KERNELS if name in at]
        numbers = tuple(range(len(names), len(names) + len(own)))
        names += [f"{edge_name(edge)}.{name}" for name in own]
        positions += [at[name] for name in own]
        skip, pool = at.get("skip_connect"), at.get("avg_pool_3x3")
        if own or skip is not None or pool is not None:
            links.append(Link(target, source, skip, pool, numbers))
    uniform = tuple(1 / len(row) for row in sub_space.enabled for _ in row)
    return Wiring(tuple(links), tuple(names), tuple(positions), uniform)
