"""How a learning rate or a temperature falls over the epochs: pure functions."""

import math
from collections.abc import Callable, Mapping

from fewshot_core.search.errors import SearchError


def cosine(start: float, end: float, progress: float) -> float:
    """Return the value of half a cosine wave from ``start`` (progress 0) to ``end`` (progress 1).

    Its source is Loshchilov and Hutter, 2017 (SGDR), Eq. 5, without restarts.
    """
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def linear(start: float, end: float, progress: float) -> float:
    """Return the value of a straight line from ``start`` (progress 0) to ``end`` (progress 1)."""
    return start + (end - start) * progress


SCHEDULES: Mapping[str, Callable[[float, float, float], float]] = {
    "cosine": cosine,
    "linear": linear,
}
"""The schedules there are, by name."""


def learning_rate(start: float, end: float, epoch: int, epochs: int) -> float:
    """Return the learning rate of an epoch, annealed by cosine (Appendix A of the paper).

    Args:
        start: The rate of the first epoch.
        end: The rate that would follow the last epoch, as in DARTS (Liu et al., 2019).
        epoch: The epoch, from 0.
        epochs: Epochs in all.
    """
    return cosine(start, end, epoch / epochs)


def temperature(schedule: str, start: float, end: float, epoch: int, epochs: int) -> float:
    """Return the temperature of an epoch (Appendix A.4 of the paper).

    Args:
        schedule: One of ``SCHEDULES``; the paper anneals by cosine.
        start: The temperature of the first epoch.
        end: The temperature of the last epoch.
        epoch: The epoch, from 0.
        epochs: Epochs in all; a single epoch has the first temperature.

    Raises:
        SearchError: If there is no such schedule.
    """
    if schedule not in SCHEDULES:
        known = ", ".join(SCHEDULES)
        raise SearchError(f"unknown temperature schedule {schedule!r}: expected one of {known}")
    return SCHEDULES[schedule](start, end, epoch / max(1, epochs - 1))
