"""Small statistics: entropies, intervals, the Gini coefficient, densities."""

from statistics import NormalDist

import numpy as np
import numpy.typing as npt


def binary_entropy(share: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the entropy of a yes-or-no question with that probability of yes, in bits."""
    yes = np.asarray(share, dtype=np.float64)
    no = 1 - yes
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(yes > 0, yes * np.log2(yes), 0) + np.where(no > 0, no * np.log2(no), 0)
    entropy: npt.NDArray[np.float64] = -terms
    return entropy


def gain_of_counts(known: npt.NDArray[np.int64], top: npt.NDArray[np.int64]) -> float:
    """Return H(top) minus the size-weighted mean of H(top | sub-space), in bits.

    Args:
        known: Architectures in each sub-space, shape (n,), not all zero.
        top: Top architectures among them, shape (n,).
    """
    filled = known > 0
    inside = binary_entropy(top[filled] / known[filled])
    expected = (known[filled] * inside).sum() / known.sum()
    # Rounding can leave a gain of nothing a hair below zero.
    return max(0.0, float(binary_entropy(top.sum() / known.sum()) - expected))


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


POINTS = 256
_MINIMUM_STEPS = 1.5


def density(
    values: npt.ArrayLike, grid: npt.ArrayLike, bandwidth: float | None = None
) -> npt.NDArray[np.float64]:
    """Return a Gaussian kernel density on an even grid.

    Mass that a kernel would put beyond the ends of the grid is reflected back, so that the
    density of values inside the grid integrates to one (by the trapezoid rule). Values outside
    the grid count in the total but are not drawn: the density then integrates to the share that
    is inside.

    Args:
        values: Shape (n,), n may be 0.
        grid: Ascending, evenly spaced, shape (m,) with m of at least 2.
        bandwidth: Standard deviation of the kernel, in the unit of the values; by default
            Silverman's rule, and never below 1.5 steps of the grid.

    Returns:
        Shape (m,), per unit of the values.
    """
    data = np.asarray(values, dtype=np.float64)
    points = np.asarray(grid, dtype=np.float64)
    step = (points[-1] - points[0]) / (len(points) - 1)
    inside = data[(data >= points[0]) & (data <= points[-1])]
    if inside.size == 0:
        return np.zeros_like(points)
    width = max(_silverman(inside) if bandwidth is None else bandwidth, _MINIMUM_STEPS * step)
    weights = _spread(inside, points[0], step, len(points))
    result: npt.NDArray[np.float64] = _smooth(weights, width / step) / (data.size * step)
    return result


def _silverman(values: npt.NDArray[np.float64]) -> float:
    """Return the bandwidth of Silverman's rule of thumb; 0 where all values are equal."""
    q25, q75 = np.quantile(values, [0.25, 0.75])
    spreads = [spread for spread in (values.std(), (q75 - q25) / 1.34) if spread > 0]
    return float(0.9 * min(spreads, default=0.0) * values.size**-0.2)


def _spread(
    values: npt.NDArray[np.float64], low: float, step: float, points: int
) -> npt.NDArray[np.float64]:
    """Share each value between the two grid points around it."""
    position = (values - low) / step
    left = np.clip(np.floor(position).astype(np.int64), 0, points - 2)
    right_share = position - left
    weights = np.zeros(points)
    weights += np.bincount(left, 1 - right_share, minlength=points)
    weights += np.bincount(left + 1, right_share, minlength=points)
    return weights


def _smooth(weights: npt.NDArray[np.float64], width: float) -> npt.NDArray[np.float64]:
    """Convolve with a Gaussian of ``width`` steps, reflecting at both ends."""
    points = len(weights)
    reach = min(int(np.ceil(4 * width)), points - 1)
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / width) ** 2)
    kernel /= kernel.sum()
    # A trapezoid's end points stand for half a step: reflecting without repeating them keeps that.
    doubled = weights.copy()
    doubled[[0, -1]] *= 2
    padded = np.pad(doubled, reach, mode="reflect")
    smoothed: npt.NDArray[np.float64] = np.convolve(padded, kernel, mode="valid")
    return smoothed
