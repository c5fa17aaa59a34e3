"""Rankings of sub-supernets at a milestone, and how well they agree with what is found at the end.

To add a ranking, write a function from the values recorded so far to a score, higher being better,
and add a record.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.errors import SelectionError
from fewshot_core.registry import Registry
from fewshot_core.selection.curves import (
    MEASURES,
    Curves,
    Floats,
    SeveralCurves,
    checked_end,
    curves_by_seed,
)

DEFAULT_WINDOW = 5
"""Default number of epochs of a moving average."""

_NEWEST = 0.9
_DIGITS = 9
_COEFFICIENTS = ("kendall", "spearman")
_LEVEL = 0.05


@dataclass(frozen=True)
class Ranking:
    """A way to rank the remaining sub-supernets.

    Attributes:
        column: The column of the curves that is ranked by.
        score: From the values after the epoch ``begins`` up to the milestone, oldest first, to a
            score; higher is better.
        begins: From the milestone, the previous milestone and the window to the epoch after which
            values count.
    """

    name: str
    label: str
    description: str
    column: str
    score: Callable[[Floats], float]
    begins: Callable[[int, int, int], int]


def _mean(values: Floats) -> float:
    # Rounded, so that equal values in another order remain equal.
    return round(float(values.mean()), _DIGITS)


def _exponential(values: Floats) -> float:
    ages = np.arange(len(values))[::-1]
    weights = _NEWEST * (1 - _NEWEST) ** ages
    return round(float(weights @ values / weights.sum()), _DIGITS)


RANKINGS = Registry(
    "ranking",
    Ranking(
        "valid_accuracy",
        "validation accuracy",
        "the validation accuracy at the milestone, as in the paper",
        "valid_accuracy",
        score=lambda values: float(values[-1]),
        begins=lambda epoch, previous, window: epoch - 1,
    ),
    Ranking(
        "moving_average",
        "moving average",
        "the mean validation accuracy of the last epochs, as many as the window",
        "valid_accuracy",
        score=_mean,
        begins=lambda epoch, previous, window: epoch - window,
    ),
    Ranking(
        "best_so_far",
        "best so far",
        "the highest validation accuracy up to the milestone",
        "valid_accuracy",
        score=lambda values: float(values.max()),
        begins=lambda epoch, previous, window: -1,
    ),
    Ranking(
        "valid_loss",
        "validation loss",
        "the validation loss at the milestone, the lowest being the best",
        "valid_loss",
        score=lambda values: -float(values[-1]),
        begins=lambda epoch, previous, window: epoch - 1,
    ),
    Ranking(
        "exponential_average",
        "exponential average",
        "the validation accuracies since the last milestone, each epoch weighing a tenth of the "
        "next one, as in the program of GM-NAS",
        "valid_accuracy",
        score=_exponential,
        begins=lambda epoch, previous, window: previous,
    ),
)


def rank_scores(
    curves: Curves,
    remaining: tuple[int, ...],
    epoch: int,
    previous: int,
    rank_by: str,
    window: int = DEFAULT_WINDOW,
) -> list[float]:
    """Score each remaining sub-supernet at an epoch, higher being better.

    Epochs that a curve does not have are left out of averages, but it must have the milestone. The
    previous milestone is -1 at the first. Raises SelectionError if the window is shorter than one
    epoch, a curve has nothing at the epoch, or a missing value among those that count; the message
    names sub-space and epoch.
    """
    ranking = RANKINGS.get(rank_by)
    if window < 1:
        raise SelectionError(f"expected a window of at least 1 epoch, got {window}")
    first = ranking.begins(epoch, previous, window)
    low, high = curves.epochs.searchsorted([first, epoch], side="right")
    among = slice(int(low), int(high))
    return [ranking.score(_counted(curves, ranking.column, i, among, epoch)) for i in remaining]


def _counted(curves: Curves, column: str, sub_space: int, among: slice, epoch: int) -> Floats:
    """Select the recorded values of a curve at some epochs, of which the last is the milestone."""
    curves.value(column, sub_space, epoch)
    own = curves.recorded[sub_space, among]
    values: Floats = curves.column(column)[sub_space, among][own]
    missing = np.isnan(values)
    if missing.any():
        at = int(curves.epochs[among][own][missing][0])
        raise SelectionError(
            f"expected a {MEASURES[column]} of {curves.sub_spaces[sub_space]} at epoch {at}, got "
            "none: the value there is missing (NaN); rank by the value at the milestone alone"
        )
    return values


def proxy_correlation(curves: SeveralCurves, end: int | None = None) -> pd.DataFrame:
    """Correlate the ranking of sub-supernets at each epoch with that of what they find at the end.

    Returns:
        One row for each epoch up to the end at which every curve of some seed has a value: epoch,
        kendall (tau-b) and spearman (rho) of the validation accuracy there with the test accuracy
        at the end, as means over seeds; kendall_low, kendall_high, spearman_low and spearman_high,
        the extremes over seeds; seeds (those with a coefficient) and sub_spaces. A coefficient is
        missing where all sub-supernets are tied. Those that find an infeasible architecture do not
        count.

    Raises:
        SelectionError: If there are fewer than two sub-spaces, or the curves are damaged.
    """
    tables = curves_by_seed(curves)
    parts = [_of_one_seed(table, checked_end(table, end)) for table in tables.values()]
    found = pd.concat(parts, ignore_index=True).groupby("epoch", sort=True)
    columns: dict[str, pd.Series] = {}
    for name in _COEFFICIENTS:
        values = found[name]
        columns |= {name: values.mean(), f"{name}_low": values.min(), f"{name}_high": values.max()}
    columns |= {"seeds": found["kendall"].count(), "sub_spaces": found["sub_spaces"].min()}
    return pd.DataFrame(columns).reset_index()


def random_kendall_interval(count: int) -> float | None:
    """Compute the critical absolute value of Kendall's tau between two random rankings, exactly.

    It is the smallest value that the absolute tau of rankings of ``count`` items without ties
    reaches or exceeds with a probability of at most 5%; None where even identical rankings are
    more likely than that.
    """
    pairs = count * (count - 1) // 2
    # Number of permutations with 0, 1, ... inversions, in Python integers, which do not overflow.
    permutations: npt.NDArray[np.object_] = np.array([1], dtype=object)
    for size in range(2, count + 1):
        permutations = np.convolve(permutations, np.ones(size, dtype=object))
    for inversions in range(pairs // 2, -1, -1):
        if 2 * sum(permutations[: inversions + 1]) / factorial(count) <= _LEVEL:
            return (pairs - 2 * inversions) / pairs if pairs else None
    return None


def describe_proxy(correlation: pd.DataFrame, epochs: Sequence[int]) -> str:
    """Say how tau at the epochs of a selection compares with that of random rankings.

    Args:
        correlation: What ``proxy_correlation`` returns.
        epochs: The milestones and the end.
    """
    known = correlation.set_index("epoch")["kendall"].dropna()
    taus = [(epoch, known[epoch]) for epoch in epochs if epoch in known]
    count, seeds = int(correlation["sub_spaces"].min()), int(correlation["seeds"].max())
    bound = random_kendall_interval(count)
    if not taus or bound is None:
        return f"{count} sub-supernets with these curves are too few to tell."
    above = sum(tau >= bound for _, tau in taus)
    answer = "Yes" if above == len(taus) else "In part" if above else "No better than chance"
    listed = ", ".join(f"{tau:.2f} at epoch {epoch}" for epoch, tau in taus)
    mean = f", means of {seeds} seeds" * (seeds > 1)
    return (
        f"{answer}: Kendall's tau of validation accuracy with what is found at the end is {listed}"
        f"{mean}; 95% of random rankings of {count} are closer to 0 than {bound:.2f}."
    )


def _of_one_seed(curves: Curves, end: int) -> pd.DataFrame:
    feasible = curves.feasible_at(end)
    count = int(feasible.sum())
    if count < 2 and not feasible.all():
        raise SelectionError(
            f"expected at least two sub-supernets that find an architecture within the limit of "
            f"the cost by epoch {end}, got {count}"
        )
    if count < 2:
        raise SelectionError(
            f"expected at least two sub-spaces to rank, got {curves.sub_spaces[0]} alone"
        )
    values = curves.values["valid_accuracy"][feasible]
    usable = ~np.isnan(values).any(axis=0) & (curves.epochs <= end)
    tau, rho = rank_correlations(values[:, usable], curves.found(end)[feasible])
    epochs = curves.epochs[usable]
    return pd.DataFrame({"epoch": epochs, "kendall": tau, "spearman": rho, "sub_spaces": count})


def rank_correlations(values: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Compute tau-b and rho of every column of ``values``, shape (n, m), with ``target``, (n,).

    All columns at once: for 8 curves of 600 epochs this takes 0.01 s, ``scipy.stats`` 0.7 s. Both
    are cosines: tau-b of the signs of all differences, rho of their sums, which are twice the ranks
    less their mean.
    """
    signs, wanted = np.sign(values[:, None] - values), np.sign(target[:, None] - target)[..., None]
    return _cosine(signs, wanted, (0, 1)), _cosine(signs.sum(axis=1), wanted.sum(axis=1), (0,))


def _cosine(first: Floats, second: Floats, axis: tuple[int, ...]) -> Floats:
    """Compute cosines over some axes; NaN where a vector is zero."""
    products = (first * second).sum(axis=axis)
    norms = np.sqrt((first**2).sum(axis=axis) * (second**2).sum(axis=axis))
    cosines: Floats = np.divide(
        products, norms, out=np.full(products.shape, np.nan), where=norms > 0
    )
    return cosines
