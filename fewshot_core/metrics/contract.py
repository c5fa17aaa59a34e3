"""What a metric is asked and what it answers.

A metric is a function ``score(question: Question) -> Answer``. To score each sub-supernet by one
number, which is what most metrics do, write that number's function and let ``score_each`` do the
rest::

    def score(question: Question) -> Answer:
        return score_each(question, largest_weight)

    def largest_weight(supernet: Supernet, batch: Batch) -> float:
        return max(float(weight.abs().max()) for weight in probed_weights(supernet).values())

Where a number says nothing, it is given with the reason, which then stands beside the split::

        return Score(0.0, "all weights are zero")

A metric leaves the supernet as it found it: weights, buffers, mode and gradients.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fewshot_core.errors import MetricError
from fewshot_core.images.batches import Batch
from fewshot_core.metrics.scores import Answer
from fewshot_core.nets import Supernet
from fewshot_core.space import OPERATION_LABELS


@dataclass(frozen=True)
class Question:
    """What a metric is asked: to score the operations enabled on one edge.

    Attributes:
        supernet: The supernet of the sub-space to split, with its batch norm set and its weights
            differentiable.
        edge: The probed edge.
        batches: Images and labels on the supernet's device; empty for a metric without images.
        variant: One of the metric's variants.
        seed: For metrics that draw random numbers.
        groups: How many groups the operations will be split into.
        balanced: Whether those must be of equal size, within one.
        report: Called with the number of each operation before it is scored.
    """

    supernet: Supernet
    edge: int
    batches: tuple[Batch, ...]
    variant: str
    seed: int
    groups: int
    balanced: bool
    report: Callable[[int], None]

    @property
    def operations(self) -> tuple[int, ...]:
        """The operation numbers enabled on the probed edge."""
        return self.supernet.sub_space.enabled[self.edge]

    def probes(self) -> Iterator[Supernet]:
        """Yield, for each operation, the sub-supernet with only it on the probed edge."""
        for operation in self.operations:
            self.report(operation)
            yield self.supernet.restrict(self.supernet.sub_space.keep(self.edge, [operation]))


class Metric(Protocol):
    """A splitting metric."""

    def __call__(self, question: Question) -> Answer:
        """Score the operations of an edge."""


@dataclass(frozen=True)
class Score:
    """The number of one sub-supernet.

    Attributes:
        value: The number; not finite where there is none.
        flaw: Why it says nothing, as in "the gradient is zero", or None.
    """

    value: float
    flaw: str | None = None


def score_each(question: Question, value: Callable[[Supernet, Batch], float | Score]) -> Answer:
    """Score each sub-supernet by one number, averaged over the batches.

    Raises:
        MetricError: If there are no images.
    """
    batches = required_batches(question)
    values = []
    flaws: dict[str, list[int]] = {}
    for operation, probe in zip(question.operations, question.probes(), strict=True):
        scores = [_as_score(value(probe, batch)) for batch in batches]
        values.append(float(np.mean([score.value for score in scores])))
        for flaw in dict.fromkeys(score.flaw for score in scores if score.flaw):
            flaws.setdefault(flaw, []).append(operation)
    return Answer(tuple(values), reason=flaws_in_words(flaws))


def required_batches(question: Question) -> tuple[Batch, ...]:
    """Return the batches of a question.

    Raises:
        MetricError: If there are none.
    """
    if not question.batches:
        raise MetricError("expected a batch of images, got none: this metric needs images")
    return question.batches


def flaws_in_words(flaws: Mapping[str, Sequence[int]]) -> str | None:
    """Return what is wrong with which operations: "a is wrong with only skip, pool on the edge"."""
    sentences = []
    for flaw, operations in flaws.items():
        labels = ", ".join(OPERATION_LABELS[operation] for operation in operations)
        sentences.append(f"{flaw} with only {labels} on the edge")
    return "; ".join(sentences) or None


def _as_score(value: float | Score) -> Score:
    return value if isinstance(value, Score) else Score(value)
