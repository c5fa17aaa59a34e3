"""The effect of removing weights on the gradient flow (Eq. 8 of the paper; Wang et al., 2020)."""

from fewshot_core.metrics.base import MetricInfo, Probe, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, dot


def lost_flow(probe: Probe) -> Score:
    """Compute minus the sum of weight * (H g) over all probed weights."""
    gradient, product = probe.curvature.gradient, probe.curvature.product
    return Score(-product, ZERO_GRADIENT if dot(gradient, gradient) == 0 else None)


GRASP = MetricInfo(
    name="grasp",
    label="grasp",
    description="How much removing weights would disturb the flow of the gradient.",
    equation=r"f(m) = -\sum_i w_i \left( H g \right)_i, \quad g = \nabla_w L",
    source="Eq. 8 of the paper; Wang et al., 2020 (GraSP); Abdelfattah et al., 2021",
    cost="about five times a forward and backward pass for each operation",
    score=lambda metric_input: score_each(metric_input, lost_flow),
    passes={"paper": "curvature"},
    uses_seed=False,
)
