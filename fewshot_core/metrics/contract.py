"""What a metric is given and what it returns.

A metric is a function ``score(question: Question) -> Answer``. To score each sub-supernet by one
number, which is what most metrics do, write that number's function and let ``score_each`` do the
rest::

    def score(question: Question) -> Answer:
        return score_each(question, largest_weight)

    def largest_weight(probe: Probe) -> float:
        weights = probed_weights(probe.supernet)
        return max(float(weight.abs().max()) for weight in weights.values())

Where a number says nothing, it is given with the reason, which then stands beside the split::

        return Score(0.0, "all weights are zero")

A probe also has ``batch``, and what several metrics are made of: ``gradient``, ``curvature`` and
``samples``, which are computed when they are first asked for.

A metric is asked about one batch at a time; its answers are averaged. It leaves the supernet as it
found it: weights, buffers, mode and gradients.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from fewshot_core.errors import MetricError
from fewshot_core.images.batches import Batch
from fewshot_core.metrics.base import Answer
from fewshot_core.metrics.gradients import (
    Curvature,
    Tensors,
    loss_curvature,
    loss_gradients,
    losses,
)
from fewshot_core.metrics.per_sample import GradientProducts, weight_gradient_products
from fewshot_core.nets import Supernet
from fewshot_core.space import OPERATION_LABELS


class Probe:
    """A sub-supernet with one operation on the probed edge, and a batch.

    Metrics that are made of the same pass find it here. It is kept while the edge is scored: a
    gradient takes as much memory as the weights, 7 MB for each operation of the full supernet.

    Args:
        supernet: The sub-supernet, differentiable and with its batch norm set.
        batch: Images and labels on its device, or None for a metric without images.
    """

    def __init__(self, supernet: Supernet, batch: Batch | None = None) -> None:
        self.supernet = supernet
        self._batch = batch

    @property
    def batch(self) -> Batch:
        """The images and labels.

        Raises:
            MetricError: If there are none.
        """
        if self._batch is None:
            raise MetricError("expected a batch of images, got none: this metric needs images")
        return self._batch

    @cached_property
    def gradient(self) -> Tensors:
        """The gradient of the loss, for every probed weight by name."""
        if "curvature" in self.__dict__:
            return self.curvature.gradient
        return loss_gradients(self.supernet, self.batch)

    @cached_property
    def curvature(self) -> Curvature:
        """The gradient of the loss and its product with the Hessian, along the weights."""
        return loss_curvature(self.supernet, self.batch)

    @cached_property
    def samples(self) -> GradientProducts:
        """The inner products of the gradients of single images' losses."""
        return weight_gradient_products(self.supernet, self.batch.images, losses(self.batch))


@dataclass(frozen=True)
class Probes:
    """The probes of an edge by operation, each made when it is first asked for.

    Attributes:
        supernet: The supernet of the sub-space to split.
        edge: The probed edge.
        batch: Images and labels, or None.
    """

    supernet: Supernet
    edge: int
    batch: Batch | None
    _made: dict[int, Probe] = field(default_factory=dict)

    def __getitem__(self, operation: int) -> Probe:
        if operation not in self._made:
            sub_space = self.supernet.sub_space.keep(self.edge, [operation])
            self._made[operation] = Probe(self.supernet.restrict(sub_space), self.batch)
        return self._made[operation]


@dataclass(frozen=True)
class Question:
    """What a metric is asked: to score the operations enabled on one edge.

    Attributes:
        made: The probes of the edge, with what other metrics have found out of them.
        image_size: Height and width of an image, in pixels.
        variant: One of the metric's variants.
        seed: For metrics that draw random numbers.
        groups: How many groups the operations will be split into.
        balanced: Whether those must be of equal size, within one.
        report: Called with the number of each operation before it is scored.
    """

    made: Probes
    image_size: int
    variant: str
    seed: int
    groups: int
    balanced: bool
    report: Callable[[int], None]

    @property
    def supernet(self) -> Supernet:
        """The supernet of the sub-space to split: its batch norm is set, it is differentiable."""
        return self.made.supernet

    @property
    def edge(self) -> int:
        """The probed edge."""
        return self.made.edge

    @property
    def operations(self) -> tuple[int, ...]:
        """The operation numbers enabled on the probed edge."""
        return self.supernet.sub_space.enabled[self.edge]

    def probes(self) -> Iterator[Probe]:
        """Yield, for each operation, the sub-supernet with only it on the probed edge."""
        for operation in self.operations:
            self.report(operation)
            yield self.made[operation]


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


def score_each(question: Question, value: Callable[[Probe], float | Score]) -> Answer:
    """Score each sub-supernet by one number."""
    values = []
    flaws: dict[str, list[int]] = {}
    for operation, probe in zip(question.operations, question.probes(), strict=True):
        score = _as_score(value(probe))
        values.append(score.value)
        if score.flaw:
            flaws.setdefault(score.flaw, []).append(operation)
    return Answer(tuple(values), reason=flaws_in_words(flaws))


def flaws_in_words(flaws: Mapping[str, Sequence[int]]) -> str | None:
    """Return what is wrong with which operations: "a is wrong with only skip, pool on the edge"."""
    sentences = []
    for flaw, operations in flaws.items():
        labels = ", ".join(OPERATION_LABELS[operation] for operation in operations)
        sentences.append(f"{flaw} with only {labels} on the edge")
    return "; ".join(sentences) or None


def _as_score(value: float | Score) -> Score:
    return value if isinstance(value, Score) else Score(value)
