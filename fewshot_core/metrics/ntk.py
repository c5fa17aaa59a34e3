"""The condition number of the neural tangent kernel (Eq. 10 and 11 of the paper; TE-NAS, 2021)."""

import numpy as np
import torch

from fewshot_core.images.batches import Batch
from fewshot_core.metrics.contract import Question, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT
from fewshot_core.metrics.per_sample import Quantity, weight_gradient_products
from fewshot_core.metrics.quantities import logit_sums, losses
from fewshot_core.metrics.scores import Answer
from fewshot_core.nets import Supernet

SINGULAR = "the kernel is singular"
"""The flaw of a kernel whose smallest eigenvalue cannot be told from zero."""


def score(question: Question) -> Answer:
    """Score each sub-supernet by the condition number of its kernel.

    The variant ``paper`` differentiates the loss of each image, ``logits`` the sum of its logits.
    """
    of_batch = losses if question.variant == "paper" else logit_sums
    return score_each(question, lambda supernet, batch: condition(supernet, batch, of_batch(batch)))


def condition(supernet: Supernet, batch: Batch, quantity: Quantity) -> Score:
    """Return the largest over the smallest eigenvalue of the products of per-sample gradients.

    With statistics of the batch, batch norm holds them constant, so that each sample has a
    gradient of its own. A singular kernel has an infinite condition number.
    """
    kernel = weight_gradient_products(supernet, batch.images, quantity).products
    if not np.isfinite(kernel).all():
        return Score(float("nan"))
    eigenvalues = np.linalg.eigvalsh(kernel)
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    if largest <= 0:
        return Score(float("nan"), ZERO_GRADIENT)
    if smallest <= _resolution(batch.images.dtype) * len(kernel) * largest:
        return Score(float("inf"), SINGULAR)
    return Score(largest / smallest)


def _resolution(precision: torch.dtype) -> float:
    """Return what rounding leaves of an eigenvalue of zero, for each one and of the largest.

    A gradient is rounded to its own precision, and the kernel, of products of two gradients, to
    float64.
    """
    return max(torch.finfo(precision).eps ** 2, torch.finfo(torch.float64).eps)
