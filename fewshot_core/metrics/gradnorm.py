"""The norm of the gradient (Eq. 4 of the paper; Abdelfattah et al., 2021)."""

import math

from fewshot_core.images.batches import Batch
from fewshot_core.metrics.contract import Question, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, dot, loss_gradients
from fewshot_core.metrics.scores import Answer
from fewshot_core.nets import Supernet


def score(question: Question) -> Answer:
    """Score each sub-supernet by the norm of its gradient."""
    return score_each(question, gradient_norm)


def gradient_norm(supernet: Supernet, batch: Batch) -> Score:
    """Return the L2 norm of the gradient of the mean cross-entropy over all probed weights."""
    gradients = loss_gradients(supernet, batch)
    norm = math.sqrt(dot(gradients, gradients))
    return Score(norm, ZERO_GRADIENT if norm == 0 else None)
