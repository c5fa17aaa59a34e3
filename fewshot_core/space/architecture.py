"""Architectures, and the names of the NAS-Bench-201 cell (Appendix A of the paper)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from fewshot_core.space.search_space import SearchSpace
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
