"""The contract of splitting metrics, their registry, and their evaluation.

A metric is one file: a function ``score(metric_input) -> MetricOutput`` and the ``MetricInfo``
record that carries it; ``fewshot_core.metrics`` registers ours, an entry point those of other
packages (see ``fewshot_core.registry``). To score each sub-supernet by one number, which is what
most metrics do, write that number's function and leave the rest to ``score_each``: the record has
``score=lambda metric_input: score_each(metric_input, largest_weight)``::

    def largest_weight(probe: Probe) -> float:
        from fewshot_core.nets import probed_weights  # a local import: it loads PyTorch

        weights = probed_weights(probe.supernet)
        return max(float(weight.abs().max()) for weight in weights.values())

A number that is not informative is returned with the reason, which is shown beside the split::

        return Score(0.0, "all weights are zero")

A probe also has ``batch``, and the passes that metrics share: ``gradient``, ``curvature`` and
``samples``, each computed on first use.

A metric is evaluated on one batch at a time, and its outputs are averaged. It leaves the supernet
as it found it: weights, buffers, mode and gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from fewshot_core.errors import MetricError, SpaceError
from fewshot_core.metrics.gradients import Curvature, Tensors, loss_curvature, loss_gradients
from fewshot_core.registry import PluginRegistry

if TYPE_CHECKING:
    from fewshot_core.images.sources import Batch
    from fewshot_core.metrics.per_sample import GradientProducts
    from fewshot_core.metrics.score_cache import ScoreCache
    from fewshot_core.nets import Supernet

PASSES: Mapping[str, tuple[str, ...]] = {
    "gradient": ("gradient",),
    "curvature": ("curvature", "gradient"),
    "samples": ("samples",),
}
"""The passes that metrics share, by the attribute of ``Probe``, each with those it includes."""

AT_ONCE = 4
"""Passes that are computed at a time, at most: each needs memory of its own."""

EQUAL_TOLERANCE = 1e-6
"""Scores that differ by less than this, relative to the largest, are equal."""


T = TypeVar("T")


def ignore(operation: int) -> None:
    """Do nothing with a report of progress."""


class Probe:
    """A sub-supernet with one operation on the probed edge, and a batch.

    It lives as long as the edge is scored; its gradient takes as much memory as its weights, 7 MB
    for each operation of the full supernet. The sub-supernet is differentiable and has its batch
    norm set.
    """

    def __init__(self, supernet: Supernet, batch: Batch | None = None) -> None:
        self.supernet = supernet
        self._batch = batch
        self._passes: dict[str, Any] = {}

    @property
    def batch(self) -> Batch:
        """Images and labels on the sub-supernet's device; raises MetricError if there are none."""
        if self._batch is None:
            raise MetricError("expected a batch of images, got none: this metric needs images")
        return self._batch

    @property
    def gradient(self) -> Tensors:
        """The gradient of the loss, for every probed weight by name."""
        if "curvature" in self._passes:
            return self.curvature.gradient
        return self._once("gradient", lambda: loss_gradients(self.supernet, self.batch))

    @property
    def curvature(self) -> Curvature:
        """The gradient of the loss and its product with the Hessian, along the weights."""
        return self._once("curvature", lambda: loss_curvature(self.supernet, self.batch))

    @property
    def samples(self) -> GradientProducts:
        """The inner products of the gradients of single images' losses."""
        from fewshot_core.metrics.gradients import losses
        from fewshot_core.metrics.per_sample import weight_gradient_products as products

        batch = self.batch
        return self._once("samples", lambda: products(self.supernet, batch.images, losses(batch)))

    def _once(self, name: str, compute: Callable[[], T]) -> T:
        """Compute a pass on first use. ``cached_property`` of Python 3.11 locks other probes."""
        if name not in self._passes:
            self._passes[name] = compute()
        found: T = self._passes[name]
        return found


@dataclass(frozen=True)
class MetricInput:
    """What a metric is given: an edge of a supernet, and one batch.

    Attributes:
        supernet: The supernet of the sub-space to split, differentiable, its batch norm set.
        batch: Images and labels on the supernet's device, or None for a metric without images.
        image_size: Height and width of an image.
        seed: Random seed, for metrics that draw random numbers.
        on_operation: Called with the number of each operation, once those before it are scored.
    """

    supernet: Supernet
    edge: int
    batch: Batch | None = None
    variant: str = "paper"
    image_size: int = 32
    seed: int = 0
    on_operation: Callable[[int], None] = ignore
    _probes: dict[int, Probe] = field(default_factory=dict, repr=False)

    @property
    def operations(self) -> tuple[int, ...]:
        """The operation numbers enabled on the probed edge."""
        return self.supernet.sub_space.enabled[self.edge]

    def probes(self) -> Iterator[Probe]:
        """Yield, for each operation, the sub-supernet with only it on the probed edge."""
        for operation in self.operations:
            self.on_operation(operation)
            yield self._probe(operation)

    def _probe(self, operation: int) -> Probe:
        if operation not in self._probes:
            sub_space = self.supernet.sub_space.keep(self.edge, [operation])
            probed = self.supernet
            if sub_space != probed.sub_space:
                probed = probed.restrict(sub_space)
            self._probes[operation] = Probe(probed, self.batch)
        return self._probes[operation]

    def compute(self, name: str) -> None:
        """Compute a pass of all probes.

        On a CPU, several of them share PyTorch's threads. That takes less time than one after the
        other on all threads, which many layers are too small for, and far less on a busy machine.
        An operation that is left over is computed on all threads.
        """
        import torch

        threads = torch.get_num_threads()
        at_once = min(max(2, threads // 2), threads, AT_ONCE)
        if next(self.supernet.parameters()).device.type != "cpu":
            at_once = 1
        probes = list(map(self._probe, self.operations))
        shared = len(probes) // at_once * at_once if at_once > 1 else 0
        pool = ThreadPoolExecutor(at_once, "pass", torch.set_num_threads, (threads // at_once,))
        try:
            passes = [pool.submit(getattr, probe, name) for probe in probes[:shared]]
            for operation, one in zip(self.operations, passes, strict=False):
                self.on_operation(operation)
                one.result()
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)
        for operation, probe in zip(self.operations[shared:], probes[shared:], strict=True):
            self.on_operation(operation)
            getattr(probe, name)


@dataclass(frozen=True)
class MetricOutput:
    """What a metric returns.

    Attributes:
        values: The score of each operation, or None where the metric compares only pairs.
        similarity: Shape (n, n), symmetric; None means minus the distance of the scores (Eq. 2).
        reason: Why the output is not informative (a zero gradient, a saturated count), or None.
    """

    values: tuple[float | None, ...]
    similarity: npt.NDArray[np.float64] | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Score:
    """The number of one sub-supernet; not finite where there is none.

    ``reason`` says why it is not informative, as in "the gradient is zero", or is None.
    """

    value: float
    reason: str | None = None


def score_each(
    metric_input: MetricInput, function: Callable[[Probe], float | Score]
) -> MetricOutput:
    """Score each sub-supernet by one number."""
    found = [function(probe) for probe in metric_input.probes()]
    scores = [score if isinstance(score, Score) else Score(score) for score in found]
    reason = join_reasons(metric_input, [score.reason for score in scores])
    return MetricOutput(tuple(score.value for score in scores), reason=reason)


def join_reasons(metric_input: MetricInput, reasons: Sequence[str | None]) -> str | None:
    """Join the reasons of operations: "the gradient is zero with only skip, pool on the edge"."""
    space = metric_input.supernet.sub_space.space
    names = space.decisions[metric_input.edge].labels
    labels: dict[str, list[str]] = {}
    for operation, reason in zip(metric_input.operations, reasons, strict=True):
        if reason is not None:
            labels.setdefault(reason, []).append(names[operation])
    place = "on the edge" if space.edges else "there"
    sentences = [f"{why} with only {', '.join(some)} {place}" for why, some in labels.items()]
    return "; ".join(sentences) or None


@dataclass(frozen=True)
class MetricInfo:
    """A metric's record.

    Attributes:
        name: Its name in every file and option.
        label: Its name in the paper's tables.
        equation: Its equation, in LaTeX.
        cost: What scoring one operation takes.
        score: The function that scores the operations of an edge; None for the baseline
            ``random``, which ``split`` groups at random.
        needs_images: Whether it needs images; then batch norm and the data set count, too.
        variants: Variants by name, with what they do; the first is the default.
        passes: The pass, one of ``PASSES``, that a variant uses and nothing else: all metrics and
            variants of a pass are scored together.
        uses_seed: Whether scores may depend on the random seed.
        direction: 1 where a larger score of an architecture promises a higher accuracy, -1 where a
            smaller one does, 0 where it scores no single architecture.
    """

    name: str
    label: str
    description: str
    equation: str
    source: str
    cost: str
    score: Callable[[MetricInput], MetricOutput] | None
    needs_images: bool = True
    variants: Mapping[str, str] = field(default_factory=lambda: {"paper": "as in the paper"})
    passes: Mapping[str, str] = field(default_factory=dict)
    uses_seed: bool = True
    direction: int = 1

    @property
    def baseline(self) -> bool:
        """Whether this is no metric but the baseline of random groups."""
        return self.score is None

    def check_variant(self, variant: str) -> None:
        """Check that there is a variant of that name; raises MetricError where there is not."""
        if variant not in self.variants:
            known = ", ".join(self.variants)
            raise MetricError(
                f"unknown variant {variant!r} of {self.name}: expected one of {known}"
            )

    def computed_passes(self, variant: str) -> tuple[str, ...]:
        """Names of the passes that have been computed once a variant was scored."""
        return PASSES[self.passes[variant]] if variant in self.passes else ()

    def evaluate(self, metric_input: MetricInput) -> MetricOutput:
        """Score the operations of an edge on one batch.

        Raises:
            MetricError: If this is the baseline, its code cannot be imported, or the output is of
                other operations.
        """
        if self.score is None:
            raise MetricError(
                f"{self.name} is a baseline that groups operations at random and scores none: "
                "use split()"
            )
        if metric_input.variant in self.passes:
            metric_input.compute(self.passes[metric_input.variant])
            metric_input = replace(metric_input, on_operation=ignore)
        try:
            output = self.score(metric_input)
        except ImportError as error:
            raise MetricError(f"the metric {self.name} cannot be imported: {error}") from error
        if not isinstance(output, MetricOutput):
            raise MetricError(
                f"expected a MetricOutput from {self.name}, got {type(output).__name__}"
            )
        count = len(metric_input.operations)
        shape = None if output.similarity is None else output.similarity.shape
        if len(output.values) != count or shape not in (None, (count, count)):
            raise MetricError(
                f"expected {count} scores, one for each enabled operation, and a similarity of "
                f"shape {(count, count)} or none; got {len(output.values)} scores and {shape}"
            )
        return output


def _check(record: MetricInfo) -> None:
    if not callable(record.score):
        raise ValueError(f"expected a score function, got {record.score!r}")
    if not record.variants:
        raise ValueError("expected at least one variant, got none")


METRICS = PluginRegistry("metric", "fewshot.metrics", MetricInfo, _check)


def list_metrics() -> list[str]:
    """Names of all metrics and of the baseline ``random``; those of other packages come last."""
    return METRICS.names()


def most_sharing_first(metrics: Iterable[str]) -> list[str]:
    """Sort metrics so that each leaves the most cached scores for those after it."""
    infos = [METRICS.get(name) for name in metrics]
    infos.sort(key=lambda info: -len(info.computed_passes(next(iter(info.variants)))))
    return [info.name for info in infos]


@dataclass(frozen=True)
class OperationScores:
    """The scores of the operations enabled on one edge, ascending by operation number.

    Attributes:
        values: One score each, or None where the metric compares only pairs.
        similarity: Shape (n, n), float64: the larger, the more similar.
        degenerate: Whether the scores do not distinguish the operations, for the ``reason``.
    """

    operations: tuple[int, ...]
    values: tuple[float | None, ...]
    similarity: npt.NDArray[np.float64]
    degenerate: bool
    reason: str | None

    @classmethod
    def from_output(cls, operations: tuple[int, ...], output: MetricOutput) -> OperationScores:
        """Complete a metric's output by its similarity and a check that it is informative."""
        similarity = output.similarity
        if similarity is None:
            similarity = minus_distance(output.values)
        reason = output.reason or _why_degenerate(output.values, similarity)
        return cls(operations, output.values, similarity, reason is not None, reason)


def minus_distance(values: Sequence[float | None]) -> npt.NDArray[np.float64]:
    """Compute -abs(f_i - f_j) for all pairs of scores; NaN where a score is not finite."""
    numbers = np.array(values, dtype=np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    similarity: npt.NDArray[np.float64] = -np.abs(numbers[:, None] - numbers[None, :])
    return similarity


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


def score_operations(
    metric: str,
    supernet: Supernet,
    edge: int,
    batch: Batch | Sequence[Batch] | None,
    variant: str = "paper",
    batch_norm: str = "batch",
    seed: int = 0,
    *,
    image_size: int = 32,
    on_operation: Callable[[int], None] = ignore,
    cache: ScoreCache | None = None,
) -> OperationScores:
    """Score the operations that are enabled on one edge of a supernet.

    Each operation is probed by a sub-supernet that keeps only it on the edge and everything that
    is enabled elsewhere (Section 3.2 of the paper). The supernet is left as it was.

    Args:
        metric: The name of a metric; see ``list_metrics``.
        supernet: The supernet of the sub-space that is to be split, on the ``edge``.
        batch: Images and labels, or several such batches to average over; may be None for a metric
            without images.
        variant: One of the metric's variants.
        batch_norm: ``"batch"`` (statistics of the batch) or ``"running"`` (stored statistics).
        seed: Random seed, for metrics that draw random numbers.
        image_size: Height and width of an image, where there is no batch; ``synflow`` uses it.
        on_operation: Called with the number of each operation, once those before it are scored,
            for each batch.
        cache: Where scores are looked up and stored, with those of all metrics of the same pass.

    Raises:
        UnknownNameError: If there is no such metric.
        MetricError: If there is no such variant, the images needed are missing, or the name is that
            of the baseline ``random``.
        SpaceError: If there is no such edge.
    """
    info = METRICS.get(metric)
    info.check_variant(variant)
    last = len(supernet.sub_space.enabled) - 1
    if edge not in range(last + 1):
        raise SpaceError(f"expected an edge from 0 to {last}, got {edge!r}")
    batches = [] if batch is None else list(batch) if isinstance(batch, Sequence) else [batch]
    if batches:
        image_size = batches[0].images.shape[-1]
    elif info.needs_images:
        raise MetricError(f"{metric} needs a batch of images, got none")
    device = next(supernet.parameters()).device
    counted = [one.to(device) for one in batches] if info.needs_images else [None]
    evaluate = info.evaluate if cache is None else lambda one: cache.evaluate(info, one)
    with supernet.probing(batch_norm):
        outputs = [
            evaluate(MetricInput(supernet, edge, one, variant, image_size, seed, on_operation))
            for one in counted
        ]
    return OperationScores.from_output(supernet.sub_space.enabled[edge], _average(outputs))


def _average(outputs: Sequence[MetricOutput]) -> MetricOutput:
    """Average a metric's outputs over several batches."""
    if len(outputs) == 1:
        return outputs[0]
    scores = zip(*(one.values for one in outputs), strict=True)
    values = tuple(None if None in some else float(np.mean(some)) for some in scores)
    matrices = [one.similarity for one in outputs if one.similarity is not None]
    similarity = np.mean(matrices, axis=0) if matrices else None
    reasons = dict.fromkeys(one.reason for one in outputs if one.reason)
    return MetricOutput(values, similarity, "; ".join(reasons) or None)
