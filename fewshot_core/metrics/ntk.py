"""The condition number of the neural tangent kernel (Eq. 10 and 11 of the paper; TE-NAS, 2021)."""

import numpy as np
import torch

from fewshot_core.metrics.base import Answer
from fewshot_core.metrics.contract import Probe, Question, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, logit_sums
from fewshot_core.metrics.per_sample import GradientProducts, weight_gradient_products

SINGULAR = "the kernel is singular"
"""The flaw of a kernel whose smallest eigenvalue cannot be told from zero."""


def score(question: Question) -> Answer:
    """Score each sub-supernet by the condition number of its kernel.

    The variant ``paper`` differentiates the loss of each image, ``logits`` the sum of its logits.
    """
    products = _of_losses if question.variant == "paper" else _of_logits
    return score_each(question, lambda probe: condition(products(probe), probe.batch.images.dtype))


def _of_losses(probe: Probe) -> GradientProducts:
    return probe.samples


def _of_logits(probe: Probe) -> GradientProducts:
    batch = probe.batch
    return weight_gradient_products(probe.supernet, batch.images, logit_sums(batch))


def condition(gradients: GradientProducts, precision: torch.dtype) -> Score:
    """Return the largest over the smallest eigenvalue of the products of per-sample gradients.

    With statistics of the batch, batch norm holds them constant, so that each sample has a
    gradient of its own. A singular kernel has an infinite condition number.

    Args:
        gradients: The products.
        precision: What the gradients were computed in.
    """
    kernel = gradients.products
    if not np.isfinite(kernel).all():
        return Score(float("nan"))
    eigenvalues = np.linalg.eigvalsh(kernel)
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    if largest <= 0:
        return Score(float("nan"), ZERO_GRADIENT)
    if smallest <= _resolution(precision) * len(kernel) * largest:
        return Score(float("inf"), SINGULAR)
    return Score(largest / smallest)


def _resolution(precision: torch.dtype) -> float:
    """Return what rounding leaves of an eigenvalue of zero, for each one and of the largest.

    A gradient is rounded to its own precision, and the kernel, of products of two gradients, to
    float64.
    """
    return max(torch.finfo(precision).eps ** 2, torch.finfo(torch.float64).eps)
