"""The cosine between the gradients of two sub-supernets (Eq. 1 of the paper; GM-NAS, 2022)."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fewshot_core.metrics.base import MetricInfo, MetricInput, MetricOutput, Probe, join_reasons
from fewshot_core.metrics.gradients import ZERO_GRADIENT, Tensors, dot


def score(metric_input: MetricInput) -> MetricOutput:
    """Compare the gradients of all pairs of sub-supernets.

    The variant ``paper`` counts a weight that one network lacks as zero; ``shared`` counts only
    weights that both have and that are not on the probed edge (GM-NAS).
    """
    gradients = [_counted_gradient(metric_input, probe) for probe in metric_input.probes()]
    reasons = [None if dot(one, one) else ZERO_GRADIENT for one in gradients]
    reason = join_reasons(metric_input, reasons)
    return MetricOutput((None,) * len(gradients), cosines(gradients), reason)


def cosines(gradients: Sequence[Tensors]) -> npt.NDArray[np.float64]:
    """Compute the cosine of every pair, shape (n, n); zero where a gradient is zero."""
    count = len(gradients)
    products = np.empty((count, count))
    for row in range(count):
        for column in range(row + 1):
            product = dot(gradients[row], gradients[column])
            products[row, column] = products[column, row] = product
    norms = [math.sqrt(products[row, row]) or math.inf for row in range(count)]
    result: npt.NDArray[np.float64] = products / np.outer(norms, norms)
    return result


def _counted_gradient(metric_input: MetricInput, probe: Probe) -> Tensors:
    """Select the gradient of the weights that the variant counts."""
    if metric_input.variant == "paper":
        return probe.gradient
    choices = probe.supernet.choices().items()
    probed = tuple(f"{name}." for name, one in choices if one.decision == metric_input.edge)
    return {name: part for name, part in probe.gradient.items() if not name.startswith(probed)}


GRADIENTMATCHING = MetricInfo(
    name="gradientmatching",
    label="gradientmatching",
    description="Whether the gradients of two operations point the same way.",
    equation=r"S_{ij} = \cos\left(\nabla_w L(m_{o_i}, w),\; \nabla_w L(m_{o_j}, w)\right)",
    source="Eq. 1 of the paper; Hu et al., 2022 (GM-NAS)",
    cost="one forward and one backward pass for each operation",
    score=score,
    variants={
        "paper": "a weight that one network lacks counts as zero",
        "shared": "only weights of both networks that are not on the edge (GM-NAS)",
    },
    passes={"paper": "gradient", "shared": "gradient"},
    uses_seed=False,
    direction=0,
)
