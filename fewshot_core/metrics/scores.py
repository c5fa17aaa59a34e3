"""What scoring the operations of an edge gives."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewshot_core.errors import MetricError

EQUAL_TOLERANCE = 1e-6
"""Scores that differ by less than this, relative to the largest, are the same."""


@dataclass(frozen=True)
class Answer:
    """What a metric returns.

    Attributes:
        values: The score of each operation, or None where the metric compares only pairs.
        similarity: Shape (n, n), symmetric; None means minus the distance of the scores (Eq. 2).
        reason: Why the answer says nothing (a gradient of zero, a saturated count), or None.
    """

    values: tuple[float | None, ...]
    similarity: npt.NDArray[np.float64] | None = None
    reason: str | None = None


def averaged(answers: Sequence[Answer]) -> Answer:
    """Return the mean of a metric's answers about several batches."""
    if len(answers) == 1:
        return answers[0]
    values = tuple(_mean(scores) for scores in zip(*(one.values for one in answers), strict=True))
    matrices = [one.similarity for one in answers if one.similarity is not None]
    similarity = np.mean(matrices, axis=0) if matrices else None
    reasons = dict.fromkeys(one.reason for one in answers if one.reason)
    return Answer(values, similarity, "; ".join(reasons) or None)


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers else None


@dataclass(frozen=True)
class OperationScores:
    """The scores of the operations enabled on one edge.

    Attributes:
        operations: The operation numbers enabled on the edge, ascending.
        values: One score each, or None where the metric compares only pairs.
        similarity: Shape (n, n), float64: the larger, the more alike.
        degenerate: Whether the scores cannot tell the operations apart.
        reason: Why, or None.
    """

    operations: tuple[int, ...]
    values: tuple[float | None, ...]
    similarity: npt.NDArray[np.float64]
    degenerate: bool
    reason: str | None

    @classmethod
    def from_answer(cls, operations: tuple[int, ...], answer: Answer) -> "OperationScores":
        """Complete a metric's answer by its similarity and a check of what it says.

        Raises:
            MetricError: If the answer is not of these operations.
        """
        _check_shape(operations, answer)
        similarity = answer.similarity
        if similarity is None:
            similarity = minus_distance(answer.values)
        reason = answer.reason or _why_degenerate(answer.values, similarity)
        return cls(operations, answer.values, similarity, reason is not None, reason)


def minus_distance(values: Sequence[float | None]) -> npt.NDArray[np.float64]:
    """Return -abs(f_i - f_j) for all pairs of scores; not a number where a score is not finite."""
    numbers = np.array(values, dtype=np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    similarity: npt.NDArray[np.float64] = -np.abs(numbers[:, None] - numbers[None, :])
    return similarity


def _check_shape(operations: tuple[int, ...], answer: Answer) -> None:
    if not isinstance(answer, Answer):
        raise MetricError(f"expected an Answer from a metric, got {type(answer).__name__}")
    count = len(operations)
    shape = None if answer.similarity is None else answer.similarity.shape
    if len(answer.values) != count or shape not in (None, (count, count)):
        raise MetricError(
            f"expected {count} scores, one for each enabled operation, and a similarity of shape "
            f"{(count, count)} or none; got {len(answer.values)} scores and {shape}"
        )


def _why_degenerate(
    values: Sequence[float | None], similarity: npt.NDArray[np.float64]
) -> str | None:
    if len(values) < 2:
        return None
    numbers = [value for value in values if value is not None]
    broken = sum(not math.isfinite(value) for value in numbers)
    if broken:
        return f"{broken} of {len(values)} scores are not finite"
    if not np.isfinite(similarity).all():
        return "a similarity is not finite"
    if numbers and max(numbers) - min(numbers) <= EQUAL_TOLERANCE * max(map(abs, numbers)):
        return "all operations have the same score"
    return None
