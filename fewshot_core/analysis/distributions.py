"""Distributions of accuracy inside sub-spaces, in long form for plots (Section 4.2).

Every frame has the whole space, named ``WHOLE``, before the sub-spaces S1, S2, ... in tree order.
Values outside the limits are not drawn but counted, in the columns below and above.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.sub_spaces import Floats, positions, sub_space_names
from fewshot_core.space import Part

WHOLE = "all"
"""Name of the whole space among the sub-spaces."""

Limits = tuple[float, float]
"""First and last accuracy of an axis, in percent."""

POINTS, FEWEST_POINTS, ALL_POINTS = 256, 32, 4_096
"""Points of a curve, as many in all as long as each has the fewest."""
FEW = 20
"""Sub-spaces with fewer architectures have no density."""
_MARGIN = 0.01
_MINIMUM_STEPS = 1.5


def default_limits(accuracy: pd.DataFrame, tail: float = 0.05) -> Limits:
    """Choose the limits of an axis without the lowest architectures.

    More than 2% of all architectures are at chance level on CIFAR-10 (10%), and the next ones are
    far above: without a cut, nearly all of the axis would be empty. The limits are the quantile of
    ``tail`` and the largest accuracy; 0 and 100 for an empty table.
    """
    values = accuracy["accuracy_mean"].dropna().to_numpy()
    if values.size == 0:
        return 0.0, 100.0
    return float(np.quantile(values, tail)), float(values.max())


def distribution_frame(
    leaves: Sequence[Part],
    accuracy: pd.DataFrame,
    limits: Limits | None = None,
    points: int | None = None,
) -> pd.DataFrame:
    """Compute the density of the whole space and of each sub-space; see ``density``.

    The ends of the grid are by default ``default_limits``; those that are less than 0.02 apart are
    moved outwards by 0.01. For values below 1 in magnitude, these are shares of the largest.

    Returns:
        Columns sub_space, accuracy (percent), density (per percent, integrating to the share
        inside the limits), architectures (density times known: architectures per percent),
        known, below and above (architectures with an accuracy, and those outside the limits).
        A sub-space with fewer than ``FEW`` of them has a row for each, without a density.
    """

    def columns(values: Floats, ends: Limits) -> dict[str, Floats]:
        grid = np.linspace(*ends, points or _points(leaves))
        height = density(values, grid)
        return {"accuracy": grid, "density": height, "architectures": height * values.size}

    return _long(leaves, accuracy, limits, columns, FEW)


def histogram_frame(
    leaves: Sequence[Part], accuracy: pd.DataFrame, limits: Limits | None = None, bins: int = 48
) -> pd.DataFrame:
    """Count architectures in equal bins; arguments as for ``distribution_frame``.

    Returns:
        Columns sub_space, accuracy (middle of the bin, percent), count, share (of the known
        architectures), known, below and above.
    """

    def columns(values: Floats, ends: Limits) -> dict[str, Floats]:
        counts, edges = np.histogram(values, np.linspace(*ends, bins + 1))
        middles = (edges[:-1] + edges[1:]) / 2
        return {"accuracy": middles, "count": counts, "share": counts / max(values.size, 1)}

    return _long(leaves, accuracy, limits, columns)


def cumulative_frame(
    leaves: Sequence[Part],
    accuracy: pd.DataFrame,
    limits: Limits | None = None,
    points: int | None = None,
) -> pd.DataFrame:
    """Compute the exact share of architectures up to each accuracy, without smoothing.

    Returns:
        Columns sub_space, accuracy (percent), share (0 to 1, those below the limits included),
        known, below and above.
    """

    def columns(values: Floats, ends: Limits) -> dict[str, Floats]:
        grid = np.linspace(*ends, points or _points(leaves))
        counts = np.searchsorted(np.sort(values), grid, side="right")
        return {"accuracy": grid, "share": counts / max(values.size, 1)}

    return _long(leaves, accuracy, limits, columns)


DISTRIBUTION_FRAMES: Mapping[str, Callable[..., pd.DataFrame]] = {
    "ridgeline": distribution_frame,
    "violin": distribution_frame,
    "overlay": distribution_frame,
    "histogram": histogram_frame,
    "cumulative": cumulative_frame,
}
"""The frame that each style of ``fewshot_core.plots.distributions_figure`` draws."""


def _points(leaves: Sequence[Part]) -> int:
    """Choose the number of points of each curve: fewer where there are many."""
    return max(FEWEST_POINTS, min(POINTS, ALL_POINTS // (len(leaves) + 1)))


def _long(
    leaves: Sequence[Part],
    accuracy: pd.DataFrame,
    limits: Limits | None,
    columns: Callable[[Floats, Limits], dict[str, Floats]],
    few: int = 0,
) -> pd.DataFrame:
    """Stack the columns of all parts, with the counts outside the limits.

    A sub-space with fewer than ``few`` architectures has their accuracies instead.
    """
    low, high = limits or default_limits(accuracy)
    margin = _MARGIN * (min(1.0, max(abs(low), abs(high))) or 1.0)
    if high - low <= 2 * margin:
        low, high = low - margin, high + margin
    known = accuracy[["architecture", "accuracy_mean"]].dropna()
    all_values = known["accuracy_mean"].to_numpy(dtype=np.float64)
    member = positions(leaves, known["architecture"].to_numpy(dtype=np.int64))
    frames = []
    for position, name in enumerate([WHOLE, *sub_space_names(len(leaves))], start=-1):
        values = all_values if name == WHOLE else all_values[member == position]
        single = name != WHOLE and 0 < values.size < few
        found = {"accuracy": np.sort(values)} if single else columns(values, (low, high))
        frame = pd.DataFrame({"sub_space": name, **found})
        below, above = int((values < low).sum()), int((values > high).sum())
        frames.append(frame.assign(known=values.size, below=below, above=above))
    return pd.concat(frames, ignore_index=True)


def density(values: npt.ArrayLike, grid: npt.ArrayLike, bandwidth: float | None = None) -> Floats:
    """Compute a Gaussian kernel density on an even grid.

    Kernel mass beyond the ends of the grid is reflected back, so that the density of values inside
    the grid integrates to one (by the trapezoid rule). Values outside the grid count in the total
    but are not drawn: the density then integrates to the share that is inside.

    The bandwidth is the standard deviation of the kernel: by default that of Silverman's rule, and
    never below 1.5 steps of the grid.
    """
    data = np.asarray(values, dtype=np.float64)
    points = np.asarray(grid, dtype=np.float64)
    step = (points[-1] - points[0]) / (len(points) - 1)
    inside = data[(data >= points[0]) & (data <= points[-1])]
    if inside.size == 0:
        return np.zeros_like(points)
    width = max(_silverman(inside) if bandwidth is None else bandwidth, _MINIMUM_STEPS * step)
    weights = _binned(inside, points[0], step, len(points))
    result: Floats = _smooth(weights, width / step) / (data.size * step)
    return result


def _silverman(values: Floats) -> float:
    """Compute the bandwidth of Silverman's rule of thumb; 0 where all values are equal."""
    q25, q75 = np.quantile(values, [0.25, 0.75])
    spreads = [spread for spread in (values.std(), (q75 - q25) / 1.34) if spread > 0]
    return float(0.9 * min(spreads, default=0.0) * values.size**-0.2)


def _binned(values: Floats, low: float, step: float, points: int) -> Floats:
    """Share each value between the two grid points around it (linear binning)."""
    position = (values - low) / step
    left = np.clip(np.floor(position).astype(np.int64), 0, points - 2)
    right_share = position - left
    weights = np.zeros(points)
    weights += np.bincount(left, 1 - right_share, minlength=points)
    weights += np.bincount(left + 1, right_share, minlength=points)
    return weights


def _smooth(weights: Floats, width: float) -> Floats:
    """Convolve with a Gaussian of ``width`` steps, reflecting at both ends."""
    reach = min(int(np.ceil(4 * width)), len(weights) - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    # A trapezoid's end points stand for half a step: reflecting without repeating them keeps that.
    doubled = weights.copy()
    doubled[[0, -1]] *= 2
    padded = np.pad(doubled, reach, mode="reflect")
    smoothed: Floats = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return smoothed
