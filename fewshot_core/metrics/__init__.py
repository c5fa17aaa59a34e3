"""Splitting metrics: how alike the operations of an edge are.

A metric is one file with a function ``score(question) -> Answer`` and one record in
``fewshot_core.metrics.registry``; see ``fewshot_core.metrics.contract``. Other packages add theirs
by an entry point; see ``fewshot_core.plugins``.
"""

from fewshot_core.metrics.info import MetricInfo
from fewshot_core.metrics.memory import ScoreKey, ScoreMemory
from fewshot_core.metrics.registry import METRICS, list_metrics, most_sharing_first
from fewshot_core.metrics.scores import OperationScores
from fewshot_core.metrics.scoring import score_operations

__all__ = [
    "METRICS",
    "MetricInfo",
    "OperationScores",
    "ScoreKey",
    "ScoreMemory",
    "list_metrics",
    "most_sharing_first",
    "score_operations",
]
