"""The norm of the gradient (Eq. 4 of the paper; Abdelfattah et al., 2021)."""

import math

from fewshot_core.metrics.base import Answer
from fewshot_core.metrics.contract import Probe, Question, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, dot


def score(question: Question) -> Answer:
    """Score each sub-supernet by the norm of its gradient."""
    return score_each(question, gradient_norm)


def gradient_norm(probe: Probe) -> Score:
    """Return the L2 norm of the gradient of the mean cross-entropy over all probed weights."""
    norm = math.sqrt(dot(probe.gradient, probe.gradient))
    return Score(norm, ZERO_GRADIENT if norm == 0 else None)
