"""The correlation of per-sample gradients (Eq. 5 and 6 of the paper; NASWOT, 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fewshot_core.metrics.base import (
    MetricInfo,
    MetricInput,
    MetricOutput,
    Probe,
    Score,
    score_each,
)
from fewshot_core.metrics.gradients import ZERO_GRADIENT, losses

if TYPE_CHECKING:
    from fewshot_core.metrics.per_sample import GradientProducts

EPSILON = 1e-5
"""Added to each eigenvalue; a correlation matrix may be singular."""


def score(metric_input: MetricInput) -> MetricOutput:
    """Score each sub-supernet by the eigenvalues of the correlations between its samples.

    The variant ``paper`` takes gradients of the loss with respect to the weights, ``inputs`` with
    respect to the image. NASWOT, where the latter is from, differentiates the sum of the logits
    instead of the loss.
    """
    if metric_input.variant == "paper":
        return score_each(metric_input, lambda probe: spread(probe.samples))
    return score_each(metric_input, lambda probe: spread(_of_images(probe)))


def _of_images(probe: Probe) -> GradientProducts:
    from fewshot_core.metrics.per_sample import image_gradient_products

    return image_gradient_products(probe.supernet, probe.batch.images, losses(probe.batch))


def spread(gradients: GradientProducts) -> Score:
    """Compute minus the sum of log(e) + 1/e over the eigenvalues e of the correlation matrix.

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
    """Compute the correlation between every two samples, (B, B), over the elements of a gradient.

    It is not finite where a gradient has no variance.
    """
    sums = gradients.sums
    covariances = gradients.products - np.outer(sums, sums) / gradients.length
    variances = np.diag(covariances).copy()
    variances[variances <= 0] = np.nan
    deviations = np.sqrt(variances)
    result: npt.NDArray[np.float64] = covariances / np.outer(deviations, deviations)
    return result


JACOBCOV = MetricInfo(
    name="jacobcov",
    label="jacobcov",
    description="How little the gradients of different images are correlated.",
    equation=(
        r"f(m) = -\sum_i \left( \log(\lambda_i + \epsilon) + \frac{1}{\lambda_i + \epsilon} "
        r"\right), \quad \lambda_i \text{ of } \mathrm{corr}\left(\nabla_w L_1, \dots, "
        r"\nabla_w L_B\right), \; \epsilon = 10^{-5}"
    ),
    source="Eq. 5 and 6 of the paper; Mellor et al., 2020 (NASWOT)",
    cost="one forward and one backward pass, and the gradients of single images",
    score=score,
    variants={
        "paper": "gradients of the loss with respect to the weights",
        "inputs": "gradients of the loss with respect to the images, after NASWOT",
    },
    passes={"paper": "samples"},
    uses_seed=False,
)
