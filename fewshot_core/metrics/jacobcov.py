"""How little per-sample gradients are correlated (Eq. 5 and 6 of the paper; NASWOT, 2020)."""

import numpy as np
import numpy.typing as npt

from fewshot_core.metrics.base import Answer
from fewshot_core.metrics.contract import Probe, Question, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, losses
from fewshot_core.metrics.per_sample import GradientProducts, image_gradient_products

EPSILON = 1e-5
"""Added to each eigenvalue; a correlation matrix may well be singular."""


def score(question: Question) -> Answer:
    """Score each sub-supernet by the eigenvalues of the correlations between its samples.

    The variant ``paper`` takes gradients of the loss with respect to the weights, ``inputs`` with
    respect to the image. NASWOT, where the latter is from, differentiates the sum of the logits
    instead of the loss.
    """
    products = _of_weights if question.variant == "paper" else _of_images
    return score_each(question, lambda probe: spread(products(probe)))


def _of_weights(probe: Probe) -> GradientProducts:
    return probe.samples


def _of_images(probe: Probe) -> GradientProducts:
    return image_gradient_products(probe.supernet, probe.batch.images, losses(probe.batch))


def spread(gradients: GradientProducts) -> Score:
    """Return minus the sum of log(e) + 1/e over the eigenvalues e of the correlation matrix.

    Each eigenvalue has ``EPSILON`` added. Eq. 5 of the paper is a covariance between weights; the
    eigenvalues that Eq. 6 sums are, as in NASWOT and in the authors' code, those of the
    correlation between samples.
    """
    norms = np.diag(gradients.products)
    correlations = correlation(gradients)
    if not np.isfinite(correlations).all():
        return Score(float("nan"), ZERO_GRADIENT if (norms == 0).any() else None)
    eigenvalues = np.linalg.eigvalsh(correlations) + EPSILON
    return Score(-float(np.sum(np.log(eigenvalues) + 1 / eigenvalues)))


def correlation(gradients: GradientProducts) -> npt.NDArray[np.float64]:
    """Return the correlation between every two samples, (B, B), over the elements of a gradient.

    It is not finite where a gradient has no variance.
    """
    sums = gradients.sums
    covariances = gradients.products - np.outer(sums, sums) / gradients.length
    variances = np.diag(covariances).copy()
    variances[variances <= 0] = np.nan
    deviations = np.sqrt(variances)
    result: npt.NDArray[np.float64] = covariances / np.outer(deviations, deviations)
    return result
