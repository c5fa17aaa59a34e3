"""The five operations and six edges of a NAS-Bench-201 cell (Appendix A of the paper)."""

from collections.abc import Iterable

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")

EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
"""(target node, source node) of each edge, in the order of the architecture string."""

ARCHITECTURE_COUNT = len(OPERATIONS) ** len(EDGES)

OPERATION_LABELS = ("none", "skip", "1x1", "3x3", "pool")
"""The short names shown in the app, in the order of ``OPERATIONS``."""


def edge_label(edge: int) -> str:
    """Return how an edge is written: ``"2<-0"`` is the edge from node 0 to node 2."""
    target, source = EDGES[edge]
    return f"{target}<-{source}"


def operation_set_label(operations: Iterable[int]) -> str:
    """Return the short names of some operations, joined: ``"none skip pool"``."""
    return " ".join(OPERATION_LABELS[operation] for operation in operations)
