"""Rankings of sub-supernets at a milestone, one record for each.

To add one, write a function from the values recorded so far to a score, higher being better, and
add a record.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fewshot_core.errors import SelectionError
from fewshot_core.registry import Registry
from fewshot_core.selection.curves import MEASURES, Curves, Floats

DEFAULT_WINDOW = 5
"""Default number of epochs of a moving average."""

_NEWEST = 0.9
_DIGITS = 9


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
