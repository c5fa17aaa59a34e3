"""The norm of the gradient (Eq. 4 of the paper; Abdelfattah et al., 2021)."""

import math

from fewshot_core.metrics.base import MetricInfo, Probe, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, dot


def gradient_norm(probe: Probe) -> Score:
    """Compute the L2 norm of the gradient of the mean cross-entropy over all probed weights."""
    norm = math.sqrt(dot(probe.gradient, probe.gradient))
    return Score(norm, ZERO_GRADIENT if norm == 0 else None)


GRADNORM = MetricInfo(
    name="gradnorm",
    label="gradnorm",
    description="How large the gradient of the loss is with only this operation on the edge.",
    equation=r"f(m) = \left\lVert \nabla_w L(m, w) \right\rVert_2",
    source="Eq. 4 of the paper; Abdelfattah et al., 2021",
    cost="one forward and one backward pass for each operation",
    score=lambda metric_input: score_each(metric_input, gradient_norm),
    passes={"paper": "gradient"},
    uses_seed=False,
)
