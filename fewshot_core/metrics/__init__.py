"""Splitting metrics: how similar the operations of an edge are.

Each of ours is one file, registered here; see ``fewshot_core.metrics.base`` for how to write one.
Other packages add theirs by an entry point; see ``fewshot_core.registry``.
"""

from fewshot_core.metrics.base import (
    METRICS,
    MetricInfo,
    OperationScores,
    list_metrics,
    most_sharing_first,
    score_operations,
)
from fewshot_core.metrics.gradientmatching import GRADIENTMATCHING
from fewshot_core.metrics.gradnorm import GRADNORM
from fewshot_core.metrics.grasp import GRASP
from fewshot_core.metrics.jacobcov import JACOBCOV
from fewshot_core.metrics.linear_regions import LINEAR_REGIONS
from fewshot_core.metrics.ntk import NTK
from fewshot_core.metrics.params import PARAMS
from fewshot_core.metrics.score_cache import ScoreCache
from fewshot_core.metrics.snip import SNIP
from fewshot_core.metrics.synflow import SYNFLOW

RANDOM = MetricInfo(
    name="random",
    label="random",
    description="The baseline: operations are grouped at random, without any measure.",
    equation=r"\Pr(U) = 1 / 15 \text{ for each of the fifteen bipartitions } U",
    source="Section 4.1 of the paper",
    cost="nothing: no images are used",
    score=None,
    needs_images=False,
    direction=0,
)

for _info in (
    GRADIENTMATCHING,
    GRADNORM,
    JACOBCOV,
    SNIP,
    GRASP,
    SYNFLOW,
    NTK,
    LINEAR_REGIONS,
    PARAMS,
    RANDOM,
):
    METRICS.add(_info)

__all__ = [
    "METRICS",
    "MetricInfo",
    "OperationScores",
    "ScoreCache",
    "list_metrics",
    "most_sharing_first",
    "score_operations",
]
