"""The sensitivity of the loss to single weights (Eq. 7 of the paper; Lee et al., 2019)."""

from fewshot_core.metrics.base import MetricInfo, Probe, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, saliency


def loss_saliency(probe: Probe) -> Score:
    """Compute the sum of abs(gradient of the mean cross-entropy * weight), over probed weights."""
    from fewshot_core.nets import probed_weights

    zero = not any(bool(gradient.any()) for gradient in probe.gradient.values())
    value = saliency(probe.gradient, probed_weights(probe.supernet))
    return Score(value, ZERO_GRADIENT if zero else None)


SNIP = MetricInfo(
    name="snip",
    label="snip",
    description="How much the loss depends on single weights being there.",
    equation=r"f(m) = \sum_i \left| \frac{\partial L}{\partial w_i} \, w_i \right|",
    source="Eq. 7 of the paper; Lee et al., 2019 (SNIP); Abdelfattah et al., 2021",
    cost="one forward and one backward pass for each operation",
    score=lambda metric_input: score_each(metric_input, loss_saliency),
    passes={"paper": "gradient"},
    uses_seed=False,
)
