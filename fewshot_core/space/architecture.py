"""Operations, edges and architectures of the NAS-Bench-201 cell (Appendix A of the paper)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby

from fewshot_core.errors import SpaceError

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")

EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
"""(target node, source node) of each edge, in the order of the architecture string."""

ARCHITECTURE_COUNT = len(OPERATIONS) ** len(EDGES)

OPERATION_LABELS = ("none", "skip", "1x1", "3x3", "pool")
"""The short names shown in the app, in the order of ``OPERATIONS``."""


def edge_label(edge: int) -> str:
    """Label of an edge: ``"2<-0"`` is the edge from node 0 to node 2."""
    target, source = EDGES[edge]
    return f"{target}<-{source}"


def operation_set_label(operations: Iterable[int]) -> str:
    """Return the short names of some operations, joined: ``"none skip pool"``."""
    return " ".join(OPERATION_LABELS[operation] for operation in operations)


_EXAMPLE = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|"


@dataclass(frozen=True, order=True)
class Architecture:
    """An architecture: a number into ``OPERATIONS`` for each of the six ``EDGES``, in their order.

    Raises SpaceError if there are not six numbers from 0 to 4.
    """

    operations: tuple[int, ...]

    def __post_init__(self) -> None:
        valid = len(self.operations) == len(EDGES) and all(
            operation in range(len(OPERATIONS)) for operation in self.operations
        )
        if not valid:
            raise SpaceError(
                f"expected {len(EDGES)} operation numbers from 0 to {len(OPERATIONS) - 1}, "
                f"one for each edge, got {self.operations!r}"
            )

    @classmethod
    def from_string(cls, text: str) -> "Architecture":
        """Read an architecture string of NAS-Bench-201.

        Raises SpaceError if the string is not of the form of the example in the message.
        """
        if not isinstance(text, str):
            raise SpaceError(f"expected an architecture string like {_EXAMPLE!r}, got {text!r}")
        return cls(tuple(_read_items(text.strip())))

    @classmethod
    def from_index(cls, index: int) -> "Architecture":
        """Return the architecture of an index from 0 to 15,624.

        Raises SpaceError if the index is out of range.
        """
        if not 0 <= index < ARCHITECTURE_COUNT:
            raise SpaceError(
                f"expected an architecture index from 0 to {ARCHITECTURE_COUNT - 1}, got {index}"
            )
        base = len(OPERATIONS)
        return cls(tuple(int(index) // base**place % base for place in reversed(range(len(EDGES)))))

    @property
    def index(self) -> int:
        """The base-5 number of the operation numbers, edge 0 most significant."""
        index = 0
        for operation in self.operations:
            index = index * len(OPERATIONS) + operation
        return index

    def to_string(self) -> str:
        """Return the architecture string of NAS-Bench-201."""
        edges = zip(EDGES, self.operations, strict=True)
        nodes = [
            "".join(f"|{OPERATIONS[operation]}~{source}" for (_, source), operation in group) + "|"
            for _, group in groupby(edges, key=lambda item: item[0][0])
        ]
        return "+".join(nodes)


def _read_items(text: str) -> Iterator[int]:
    """Yield the operation numbers of an architecture string, checking its form."""
    nodes = text.split("+")
    wrapped = all(len(node) > 1 and node[0] == node[-1] == "|" for node in nodes)
    items = [node[1:-1].split("|") for node in nodes]
    if [len(of_node) for of_node in items] != [1, 2, 3] or not wrapped:
        raise SpaceError(
            f"expected an architecture string with 1, 2 and 3 operations, like {_EXAMPLE!r}, "
            f"got {text!r}"
        )
    for item, (target, source) in zip(chain.from_iterable(items), EDGES, strict=True):
        operation, _, origin = item.partition("~")
        if operation not in OPERATIONS or origin != str(source):
            raise SpaceError(
                f"expected operation~{source} into node {target}, with the operation one of "
                f"{', '.join(OPERATIONS)}, got {item!r} in {text!r}"
            )
        yield OPERATIONS.index(operation)
