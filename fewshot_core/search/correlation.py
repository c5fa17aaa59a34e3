"""Rank correlation with confidence intervals: how well one ranking foretells another."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy import stats

from fewshot_core.search.errors import SearchError

_LEAST = 5
"""Pairs below which there is no interval: the variance of Kendall's tau is 0.437 / (n - 4)."""


@dataclass(frozen=True)
class Correlation:
    """A rank correlation.

    Attributes:
        value: From -1 to 1, or None where one of the rankings is a single tie.
        low: Lower end of its confidence interval, or None.
        high: Upper end, or None.
    """

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class RankCorrelation:
    """Two rank correlations of the same pairs.

    Attributes:
        kendall: Kendall's tau-b.
        spearman: Spearman's rho.
        pairs: How many pairs.
        confidence: Of the intervals, from 0 to 1.
    """

    kendall: Correlation
    spearman: Correlation
    pairs: int
    confidence: float


def rank_correlation(
    first: npt.ArrayLike, second: npt.ArrayLike, confidence: float = 0.95
) -> RankCorrelation:
    """Return how alike two rankings are.

    The intervals go through Fisher's transformation with the variances of Fieller, Hartley and
    Pearson (1957) for tau, 0.437 / (n - 4), and of Bonett and Wright (2000) for rho,
    (1 + rho^2 / 2) / (n - 3). They assume pairs drawn independently.

    Args:
        first: Numbers, (n,).
        second: Numbers, (n,).
        confidence: Of the intervals.

    Raises:
        SearchError: If the numbers are not as many, fewer than two, or not finite.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.ndim != 1 or one.shape != two.shape or len(one) < 2:
        raise SearchError(f"expected two or more pairs, got shapes {one.shape} and {two.shape}")
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise SearchError("expected finite numbers to rank, got some that are not")
    if not 0 < confidence < 1:
        raise SearchError(f"expected a confidence between 0 and 1, got {confidence!r}")
    count = len(one)
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        unknown = Correlation(None, None, None)
        return RankCorrelation(unknown, unknown, count, confidence)
    tau = float(stats.kendalltau(one, two).statistic)
    rho = float(stats.spearmanr(one, two).statistic)
    return RankCorrelation(
        _with_interval(tau, count, confidence, lambda value: 0.437 / (count - 4)),
        _with_interval(rho, count, confidence, lambda value: (1 + value**2 / 2) / (count - 3)),
        count,
        confidence,
    )


def _with_interval(
    value: float, count: int, confidence: float, variance: Callable[[float], float]
) -> Correlation:
    if count < _LEAST:
        return Correlation(value, None, None)
    if abs(value) > 1 - 1e-12:
        return Correlation(value, value, value)
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(variance(value))
    centre = math.atanh(value)
    return Correlation(value, math.tanh(centre - reach), math.tanh(centre + reach))
