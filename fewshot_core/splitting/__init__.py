"""Splitting: which operations go together, and the tree of sub-spaces that follows."""

from fewshot_core.splitting.partition import Partition, partition, rank_candidates, set_partitions
from fewshot_core.splitting.split import Progress, split
from fewshot_core.splitting.tree import (
    EDGE_POLICIES,
    WARM_UP_IMAGES,
    SplitNode,
    SplitTree,
    TreeOptions,
)

__all__ = [
    "EDGE_POLICIES",
    "WARM_UP_IMAGES",
    "Partition",
    "Progress",
    "SplitNode",
    "SplitTree",
    "TreeOptions",
    "partition",
    "rank_candidates",
    "set_partitions",
    "split",
]
