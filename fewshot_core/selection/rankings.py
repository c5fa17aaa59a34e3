"""By what sub-supernets are ranked at a milestone: one record for each way.

Adding one is a function from what the curves have so far to a score, higher being better, and a
record here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fewshot_core.errors import SelectionError
from fewshot_core.registry import Registry
from fewshot_core.selection.curves import MEASURES, Curves, Floats

DEFAULT_WINDOW = 5
"""Epochs that a moving average is over, unless told otherwise."""

_NEWEST = 0.9
_DIGITS = 9


@dataclass(frozen=True)
class Ranking:
    """A way to rank the living sub-supernets.

    Attributes:
        name: Its name in every option.
        label: Its name in the app.
        description: What it does, in one line.
        column: The column of the curves it looks at.
        score: From the values recorded up to the milestone (those of the epochs that ``begins``
            admits, oldest first) to a score; higher is better.
        begins: From the milestone, the milestone before and the window to the epoch after which
            values count.
    """

    name: str
    label: str
    description: str
    column: str
    score: Callable[[Floats], float]
    begins: Callable[[int, int, int], int]


RANKINGS: Registry[Ranking] = Registry("ranking")


def _last(values: Floats) -> float:
    return float(values[-1])


def _mean(values: Floats) -> float:
    # Rounded, so that equal values in another order are equal still.
    return round(float(values.mean()), _DIGITS)


def _exponential(values: Floats) -> float:
    ages = np.arange(len(values))[::-1]
    weights = _NEWEST * (1 - _NEWEST) ** ages
    return round(float(weights @ values / weights.sum()), _DIGITS)


def _only_here(epoch: int, before: int, window: int) -> int:
    return epoch - 1


def _window(epoch: int, before: int, window: int) -> int:
    return epoch - window


def _since_before(epoch: int, before: int, window: int) -> int:
    return before


def _everything(epoch: int, before: int, window: int) -> int:
    return -1


RANKINGS.add(
    Ranking(
        "valid_accuracy",
        "validation accuracy",
        "the validation accuracy at the milestone, as in the paper",
        "valid_accuracy",
        _last,
        _only_here,
    )
)
RANKINGS.add(
    Ranking(
        "moving_average",
        "moving average",
        "the mean validation accuracy of the last epochs, as many as the window says",
        "valid_accuracy",
        _mean,
        _window,
    )
)
RANKINGS.add(
    Ranking(
        "best_so_far",
        "best so far",
        "the highest validation accuracy up to the milestone",
        "valid_accuracy",
        lambda values: float(values.max()),
        _everything,
    )
)
RANKINGS.add(
    Ranking(
        "valid_loss",
        "validation loss",
        "the validation loss at the milestone, the lowest being the best",
        "valid_loss",
        lambda values: -float(values[-1]),
        _only_here,
    )
)
RANKINGS.add(
    Ranking(
        "exponential_average",
        "exponential average",
        "the validation accuracies since the milestone before, each epoch weighing a tenth of the "
        "next one, as in the program of GM-NAS",
        "valid_accuracy",
        _exponential,
        _since_before,
    )
)


def checked_window(window: int) -> int:
    """Return a window.

    Raises:
        SelectionError: If it is shorter than one epoch.
    """
    if window < 1:
        raise SelectionError(f"expected a window of at least 1 epoch, got {window}")
    return window


def rank_scores(
    curves: Curves,
    living: tuple[int, ...],
    epoch: int,
    before: int,
    rank_by: str,
    window: int = DEFAULT_WINDOW,
) -> list[float]:
    """Return the score of each living sub-supernet at an epoch, higher being better.

    Epochs that a curve does not have are left out of averages, but it must have the one asked for.

    Args:
        curves: The curves.
        living: Positions of the living sub-supernets.
        epoch: The milestone.
        before: The milestone before, or -1 at the first.
        rank_by: The name of one of ``RANKINGS``.
        window: How many epochs a moving average is over.

    Raises:
        SelectionError: If a curve has nothing at the epoch, or a missing value among those that
            count; the message names sub-space and epoch.
    """
    ranking = RANKINGS.get(rank_by)
    first = ranking.begins(epoch, before, checked_window(window))
    low, high = curves.epochs.searchsorted([first, epoch], side="right")
    among = slice(int(low), int(high))
    return [ranking.score(_counted(curves, ranking.column, i, among, epoch)) for i in living]


def _counted(curves: Curves, column: str, sub_space: int, among: slice, epoch: int) -> Floats:
    """Return the values of a curve at some epochs, of which the last is the one asked for."""
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
