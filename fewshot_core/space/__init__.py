"""The NAS-Bench-201 search space: operations, edges, architectures and sub-spaces."""

from fewshot_core.space.architecture import (
    ARCHITECTURE_COUNT,
    EDGES,
    OPERATION_LABELS,
    OPERATIONS,
    Architecture,
    edge_label,
    operation_set_label,
)
from fewshot_core.space.sub_space import SubSpace, check_partition

__all__ = [
    "ARCHITECTURE_COUNT",
    "EDGES",
    "OPERATIONS",
    "OPERATION_LABELS",
    "Architecture",
    "SubSpace",
    "check_partition",
    "edge_label",
    "operation_set_label",
]
