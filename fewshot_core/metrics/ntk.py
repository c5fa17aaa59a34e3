"""The condition number of the neural tangent kernel (Eq. 10 and 11 of the paper; TE-NAS, 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fewshot_core.metrics.base import (
    MetricInfo,
    MetricInput,
    MetricOutput,
    Probe,
    Score,
    score_each,
)
from fewshot_core.metrics.gradients import ZERO_GRADIENT

if TYPE_CHECKING:
    from torch import dtype

    from fewshot_core.metrics.per_sample import GradientProducts

SINGULAR = "the kernel is singular"
"""Reason of a kernel whose smallest eigenvalue is zero within rounding."""


def score(metric_input: MetricInput) -> MetricOutput:
    """Score each sub-supernet by the condition number of its kernel.

    The variant ``paper`` differentiates the loss of each image, ``logits`` the sum of its logits.
    """

    def condition_number(probe: Probe) -> Score:
        products = probe.samples if metric_input.variant == "paper" else _of_logits(probe)
        return condition(products, probe.batch.images.dtype)

    return score_each(metric_input, condition_number)


def _of_logits(probe: Probe) -> GradientProducts:
    from fewshot_core.metrics.per_sample import weight_gradient_products

    images = probe.batch.images
    return weight_gradient_products(probe.supernet, images, lambda logits: logits.sum(dim=1))


def condition(gradients: GradientProducts, precision: dtype) -> Score:
    """Compute the largest over the smallest eigenvalue of the products of per-sample gradients.

    With statistics of the batch, batch norm holds them constant, so that each sample has a
    gradient of its own. A singular kernel has an infinite condition number.

    Args:
        gradients: The products.
        precision: What the gradients were computed in. Each is rounded to it, and the kernel, of
            products of two gradients, to float64: that is how far from zero an eigenvalue of zero
            may be.
    """
    from torch import finfo, float64

    kernel = gradients.products
    if not np.isfinite(kernel).all():
        return Score(float("nan"))
    eigenvalues = np.linalg.eigvalsh(kernel)
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    if largest <= 0:
        return Score(float("nan"), ZERO_GRADIENT)
    resolution = max(finfo(precision).eps ** 2, finfo(float64).eps)
    if smallest <= resolution * len(kernel) * largest:
        return Score(float("inf"), SINGULAR)
    return Score(largest / smallest)


NTK = MetricInfo(
    name="ntk",
    label="ntk",
    description="How unevenly the network would learn: the neural tangent kernel's condition.",
    equation=(
        r"f(m) = \frac{\lambda_{\max}(\Theta)}{\lambda_{\min}(\Theta)}, \quad "
        r"\Theta_{ij} = \nabla_w L_i \cdot \nabla_w L_j"
    ),
    source="Eq. 10 and 11 of the paper; Chen et al., 2021 (TE-NAS)",
    cost="one forward and one backward pass, and the gradients of single images",
    score=score,
    variants={
        "paper": "gradients of the loss",
        "logits": "gradients of the sum of the logits (TE-NAS)",
    },
    passes={"paper": "samples"},
    uses_seed=False,
    direction=-1,
)
