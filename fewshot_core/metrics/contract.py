"""What a metric is asked and what it answers.

A metric is a function ``score(question: Question) -> Answer``. To score each sub-supernet by one
number, which is what most metrics do, write that number's function and let ``score_each`` do the
rest::

    def score(question: Question) -> Answer:
        return score_each(question, largest_weight)

    def largest_weight(supernet: Supernet, batch: Batch) -> float:
        return max(float(weight.abs().max()) for weight in probed_weights(supernet).values())

A metric leaves the supernet as it found it: weights, buffers, mode and gradients.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fewshot_core.errors import MetricError
from fewshot_core.images.batches import Batch
from fewshot_core.metrics.scores import Answer
from fewshot_core.nets import Supernet


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


def score_each(question: Question, value: Callable[[Supernet, Batch], float]) -> Answer:
    """Score each sub-supernet by one number, averaged over the batches."""
    if not question.batches:
        raise MetricError("expected a batch of images, got none: this metric needs images")
    values = tuple(
        float(np.mean([value(probe, batch) for batch in question.batches]))
        for probe in question.probes()
    )
    return Answer(values)
