"""Confidence intervals of shares."""

from statistics import NormalDist

CONFIDENCE = 0.95
"""The probability with which such intervals hold what they estimate, unless told otherwise."""


def wilson_interval(
    share: float, count: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return Wilson's interval of a share, which has a width even where the share is 0 or 1.

    Args:
        share: What was seen, from 0 to 1.
        count: Of how many, at least 1.
        confidence: The probability with which such intervals hold the true share.

    Returns:
        Its ends, within 0 and 1, with the share between them.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    weight = z**2 / count
    middle = share + weight / 2
    reach = (weight * share * (1 - share) + weight**2 / 4) ** 0.5
    low, high = (middle - reach) / (1 + weight), (middle + reach) / (1 + weight)
    return min(max(low, 0.0), share), max(min(high, 1.0), share)
