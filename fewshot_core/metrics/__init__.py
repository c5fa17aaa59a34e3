"""Splitting metrics: how alike the operations of an edge are.

A metric is one file with a function ``score(question) -> Answer`` and one record in
``fewshot_core.metrics.base``; see ``fewshot_core.metrics.contract``. Other packages add theirs
by an entry point; see ``fewshot_core.registry``.
"""

from fewshot_core.metrics.base import (
    METRICS,
    MetricInfo,
    OperationScores,
    list_metrics,
    most_sharing_first,
    score_operations,
)
from fewshot_core.metrics.score_cache import ScoreCache, ScoreKey

__all__ = [
    "METRICS",
    "MetricInfo",
    "OperationScores",
    "ScoreCache",
    "ScoreKey",
    "list_metrics",
    "most_sharing_first",
    "score_operations",
]
