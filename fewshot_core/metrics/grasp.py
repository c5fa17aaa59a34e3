"""What removing weights does to the gradient flow (Eq. 8 of the paper; Wang et al., 2020)."""

from fewshot_core.metrics.base import Answer
from fewshot_core.metrics.contract import Probe, Question, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, dot


def score(question: Question) -> Answer:
    """Score each sub-supernet by minus the sum of its weights times (H g)."""
    return score_each(question, lost_flow)


def lost_flow(probe: Probe) -> Score:
    """Return minus the sum of weight * (H g) over all probed weights."""
    gradient, product = probe.curvature.gradient, probe.curvature.product
    return Score(-product, ZERO_GRADIENT if dot(gradient, gradient) == 0 else None)
