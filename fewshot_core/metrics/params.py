"""The number of trainable parameters."""

from fewshot_core.metrics.base import MetricInfo, Probe, score_each


def parameters(probe: Probe) -> float:
    """Count the trainable parameters."""
    from fewshot_core.nets import count_parameters

    return float(count_parameters(probe.supernet))


PARAMS = MetricInfo(
    name="params",
    label="#params",
    description="How many trainable parameters are left with only this operation on the edge.",
    equation=r"f(m) = \left|\, w \,\right|",
    source="Appendix B.8 of the paper",
    cost="nothing: no images are used",
    score=lambda metric_input: score_each(metric_input, parameters),
    needs_images=False,
    uses_seed=False,
)
