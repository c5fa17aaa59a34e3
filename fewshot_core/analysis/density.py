"""Smooth distributions of accuracy, computed once on a grid."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.sub_spaces import sub_space_names, sub_space_numbers
from fewshot_core.space import SubSpace

WHOLE = "all"
"""The name of the whole space among the sub-spaces."""

POINTS = 256
_MINIMUM_STEPS = 1.5


def density(
    values: npt.ArrayLike, grid: npt.ArrayLike, bandwidth: float | None = None
) -> npt.NDArray[np.float64]:
    """Return a Gaussian kernel density on an even grid.

    Mass that a kernel would put beyond the ends of the grid is reflected back, so that the density
    of values inside the grid integrates to one. Values outside the grid count in the total but
    are not drawn: the density then integrates to the share that is inside.

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
    width = max(bandwidth or _silverman(inside), _MINIMUM_STEPS * step)
    weights = _spread(inside, points[0], step, len(points))
    result: npt.NDArray[np.float64] = _smooth(weights, width / step) / (data.size * step)
    return result


def distribution_frame(
    leaves: Sequence[SubSpace],
    accuracy: pd.DataFrame,
    low: float,
    high: float,
    points: int = POINTS,
) -> pd.DataFrame:
    """Return the density of each sub-space, and of the whole space as "all".

    Args:
        leaves: The sub-spaces.
        accuracy: Columns architecture and accuracy_mean (percent).
        low: The start of the grid, in percent.
        high: Its end.
        points: How many points it has.

    Returns:
        Columns sub_space, accuracy (percent), density (architectures per percent: the areas of
        sub-spaces are in proportion to their sizes) and share (the same, per architecture).
    """
    grid = np.linspace(low, high, points)
    member = sub_space_numbers(leaves)[accuracy["architecture"].to_numpy()]
    values = accuracy["accuracy_mean"].to_numpy()
    parts = [(WHOLE, values)] + [
        (name, values[member == position])
        for position, name in enumerate(sub_space_names(len(leaves)))
    ]
    frames = []
    for name, part in parts:
        share = density(part, grid)
        frames.append(
            pd.DataFrame(
                {
                    "sub_space": name,
                    "accuracy": grid,
                    "density": share * len(part),
                    "share": share,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _silverman(values: npt.NDArray[np.float64]) -> float:
    q25, q75 = np.quantile(values, [0.25, 0.75])
    spread = min(s for s in (values.std(), (q75 - q25) / 1.34, np.inf) if s > 0)
    return 0.0 if np.isinf(spread) else float(0.9 * spread * values.size**-0.2)


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
