"""Search spaces, architectures and sub-spaces; NAS-Bench-201 is the default everywhere."""

from fewshot_core.space.architecture import (
    ARCHITECTURE_COUNT,
    EDGES,
    OPERATION_LABELS,
    OPERATIONS,
    Architecture,
    edge_label,
    operation_set_label,
)
from fewshot_core.space.partitions import (
    RULES,
    ArchitectureSet,
    Partition,
    partition_by_rule,
    partition_of,
    read_partition,
)
from fewshot_core.space.search_space import (
    KINDS,
    PERCENT,
    Decision,
    SearchSpace,
    Task,
    score_text,
)
from fewshot_core.space.spaces import (
    NAS_BENCH_201,
    SPACES,
    get_space,
    list_spaces,
    read_space,
    space_label,
    space_path,
    store_space,
)
from fewshot_core.space.sub_space import Part, SubSpace, check_partition, space_of

__all__ = [
    "ARCHITECTURE_COUNT",
    "EDGES",
    "KINDS",
    "NAS_BENCH_201",
    "OPERATIONS",
    "OPERATION_LABELS",
    "PERCENT",
    "RULES",
    "SPACES",
    "Architecture",
    "ArchitectureSet",
    "Decision",
    "Part",
    "Partition",
    "SearchSpace",
    "SubSpace",
    "Task",
    "check_partition",
    "edge_label",
    "get_space",
    "list_spaces",
    "operation_set_label",
    "partition_by_rule",
    "partition_of",
    "read_partition",
    "read_space",
    "score_text",
    "space_label",
    "space_of",
    "space_path",
    "store_space",
]
