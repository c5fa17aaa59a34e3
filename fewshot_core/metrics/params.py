"""The number of trainable parameters."""

from fewshot_core.metrics.base import MetricInfo, MetricInput, MetricOutput, score_each


def score(metric_input: MetricInput) -> MetricOutput:
    """Score each sub-supernet by its number of trainable parameters; no images are used."""
    from fewshot_core.nets import count_parameters

    return score_each(metric_input, lambda probe: float(count_parameters(probe.supernet)))


PARAMS = MetricInfo(
    name="params",
    label="#params",
    description="How many trainable parameters are left with only this operation on the edge.",
    equation=r"f(m) = \left|\, w \,\right|",
    source="Appendix B.8 of the paper",
    cost="nothing: no images are used",
    score=score,
    needs_images=False,
    uses_seed=False,
)
