"""Distributions of accuracy inside sub-spaces, in long form, ready to be drawn (Section 4.2).

Every frame has the whole space, named ``WHOLE``, before the sub-spaces S1, S2, ... in tree order.
What lies outside the limits is not drawn but counted, in the columns below and above.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.statistics import POINTS, density
from fewshot_core.analysis.sub_spaces import sub_space_names, sub_space_numbers
from fewshot_core.space import SubSpace

WHOLE = "all"
"""The name of the whole space among the sub-spaces."""

Limits = tuple[float, float]
"""The first and the last accuracy of an axis, in percent."""

Values = npt.NDArray[np.float64]

_MARGIN = 0.01
_QUANTILES = {
    "minimum": 0.0,
    "q01": 0.01,
    "q05": 0.05,
    "q25": 0.25,
    "median": 0.5,
    "q75": 0.75,
    "q95": 0.95,
    "maximum": 1.0,
}


class DistributionFrame(Protocol):
    """A function that describes distributions on an axis of accuracy."""

    def __call__(
        self, leaves: Sequence[SubSpace], accuracy: pd.DataFrame, limits: Limits | None = None
    ) -> pd.DataFrame:
        """Return rows of sub_space, accuracy and what is drawn there."""


def default_limits(accuracy: pd.DataFrame, tail: float = 0.05) -> Limits:
    """Return the limits of an axis that leaves out the lowest architectures.

    More than 2% of all architectures are at chance on CIFAR-10 (10%), and the next ones are far
    above: without a cut, nearly all of the axis would be empty.

    Args:
        accuracy: Column accuracy_mean (percent).
        tail: The share of the whole space below the axis; 0 leaves nothing out.

    Returns:
        The quantile of ``tail`` and the largest accuracy.
    """
    values = accuracy["accuracy_mean"].dropna().to_numpy()
    if values.size == 0:
        return 0.0, 100.0
    return float(np.quantile(values, tail)), float(values.max())


def distribution_frame(
    leaves: Sequence[SubSpace],
    accuracy: pd.DataFrame,
    limits: Limits | None = None,
    points: int = POINTS,
    bandwidth: float | None = None,
) -> pd.DataFrame:
    """Return the density of the whole space and of each sub-space.

    Args:
        leaves: The sub-spaces.
        accuracy: Columns architecture (index) and accuracy_mean (percent).
        limits: The ends of the grid; by default ``default_limits``. Ends that are less than 0.02
            apart are moved outwards by 0.01.
        points: How many points it has.
        bandwidth: As for ``density``.

    Returns:
        Columns sub_space, accuracy (percent), density (per percent, integrating to the share
        inside the limits), architectures (the same times known: architectures per percent),
        known, below and above (architectures with an accuracy, and those outside the limits).
    """
    low, high = _widened(limits or default_limits(accuracy))
    grid = np.linspace(low, high, points)

    def columns(values: Values) -> dict[str, Values]:
        curve = density(values, grid, bandwidth)
        return {"accuracy": grid, "density": curve, "architectures": curve * values.size}

    return _long(leaves, accuracy, (low, high), columns)


def histogram_frame(
    leaves: Sequence[SubSpace],
    accuracy: pd.DataFrame,
    limits: Limits | None = None,
    bins: int = 48,
) -> pd.DataFrame:
    """Return counts in equal bins; arguments as for ``distribution_frame``.

    Returns:
        Columns sub_space, accuracy (middle of the bin, percent), count, share (of the known
        architectures), known, below and above.
    """
    low, high = _widened(limits or default_limits(accuracy))
    edges = np.linspace(low, high, bins + 1)
    middles = (edges[:-1] + edges[1:]) / 2

    def columns(values: Values) -> dict[str, Values]:
        counts = np.histogram(values, edges)[0]
        return {"accuracy": middles, "count": counts, "share": counts / max(values.size, 1)}

    return _long(leaves, accuracy, (low, high), columns)


def cumulative_frame(
    leaves: Sequence[SubSpace],
    accuracy: pd.DataFrame,
    limits: Limits | None = None,
    points: int = POINTS,
) -> pd.DataFrame:
    """Return the exact share of architectures up to each accuracy, without smoothing.

    Returns:
        Columns sub_space, accuracy (percent), share (0 to 1, those below the limits included),
        known, below and above.
    """
    low, high = _widened(limits or default_limits(accuracy))
    grid = np.linspace(low, high, points)

    def columns(values: Values) -> dict[str, Values]:
        counts = np.searchsorted(np.sort(values), grid, side="right")
        return {"accuracy": grid, "share": counts / max(values.size, 1)}

    return _long(leaves, accuracy, (low, high), columns)


def quantile_frame(leaves: Sequence[SubSpace], accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return what a box plot needs, one row for the whole space and for each sub-space.

    Returns:
        Columns sub_space, known, mean, minimum, q01, q05, q25, median, q75, q95 and maximum
        (percent); missing where nothing is known.
    """
    rows = []
    for name, values in _parts(leaves, accuracy):
        row: dict[str, object] = {"sub_space": name, "known": values.size}
        if values.size:
            quantiles = np.quantile(values, list(_QUANTILES.values()))
            row |= {"mean": float(values.mean()), **dict(zip(_QUANTILES, quantiles, strict=True))}
        rows.append(row)
    return pd.DataFrame(rows, columns=["sub_space", "known", "mean", *_QUANTILES])


DISTRIBUTION_FRAMES: Mapping[str, DistributionFrame] = {
    "ridgeline": distribution_frame,
    "violin": distribution_frame,
    "overlay": distribution_frame,
    "histogram": histogram_frame,
    "cumulative": cumulative_frame,
}
"""What each style of ``fewshot_core.plots.distributions_figure`` draws."""


def _widened(limits: Limits) -> Limits:
    """Return limits that are apart, so that equal accuracies have an axis too."""
    low, high = limits
    return (low, high) if high - low > 2 * _MARGIN else (low - _MARGIN, high + _MARGIN)


def _parts(leaves: Sequence[SubSpace], accuracy: pd.DataFrame) -> Iterator[tuple[str, Values]]:
    """Yield names and known accuracies: the whole space, then each sub-space."""
    known = accuracy[["architecture", "accuracy_mean"]].dropna()
    values = known["accuracy_mean"].to_numpy(dtype=np.float64)
    member = sub_space_numbers(leaves)[known["architecture"].to_numpy(dtype=np.int64)]
    yield WHOLE, values
    for position, name in enumerate(sub_space_names(len(leaves))):
        yield name, values[member == position]


def _long(
    leaves: Sequence[SubSpace],
    accuracy: pd.DataFrame,
    limits: Limits,
    columns: Callable[[Values], dict[str, Values]],
) -> pd.DataFrame:
    """Return the columns of each part below each other, with what the limits leave out."""
    low, high = limits
    frames = []
    for name, values in _parts(leaves, accuracy):
        frame = pd.DataFrame({"sub_space": name, **columns(values)})
        below, above = int((values < low).sum()), int((values > high).sum())
        frames.append(frame.assign(known=values.size, below=below, above=above))
    return pd.concat(frames, ignore_index=True)
