"""How much the loss depends on single weights (Eq. 7 of the paper; Lee et al., 2019)."""

from fewshot_core.metrics.base import Answer
from fewshot_core.metrics.contract import Probe, Question, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, saliency
from fewshot_core.nets import probed_weights


def score(question: Question) -> Answer:
    """Score each sub-supernet by the saliency of its weights."""
    return score_each(question, loss_saliency)


def loss_saliency(probe: Probe) -> Score:
    """Return the sum of abs(gradient of the mean cross-entropy * weight), over probed weights."""
    zero = not any(bool(gradient.any()) for gradient in probe.gradient.values())
    value = saliency(probe.gradient, probed_weights(probe.supernet))
    return Score(value, ZERO_GRADIENT if zero else None)
