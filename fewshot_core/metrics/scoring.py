"""Scoring the operations of an edge with any metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from fewshot_core.errors import MetricError, SpaceError
from fewshot_core.metrics.info import MetricInfo
from fewshot_core.metrics.registry import METRICS
from fewshot_core.metrics.scores import Answer, OperationScores
from fewshot_core.resolve import resolve
from fewshot_core.space import EDGES

if TYPE_CHECKING:
    from fewshot_core.images.batches import Batch
    from fewshot_core.metrics.contract import Question
    from fewshot_core.nets import Supernet


def score_operations(
    metric: str,
    supernet: Supernet,
    edge: int,
    batch: Batch | Sequence[Batch] | None,
    variant: str = "paper",
    batch_norm: str = "batch",
    seed: int = 0,
    *,
    groups: int = 2,
    balanced: bool = False,
    on_operation: Callable[[int], None] | None = None,
) -> OperationScores:
    """Score the operations that are enabled on one edge of a supernet.

    Each operation is probed by a sub-supernet that keeps only it on the edge and everything that
    is enabled elsewhere (Section 3.2 of the paper). The supernet is left as it was.

    Args:
        metric: The name of a metric; see ``list_metrics``.
        supernet: The supernet of the sub-space that is to be split.
        edge: The number of the probed edge.
        batch: Images and labels, or several such batches to average over; may be None for a metric
            that looks at no images.
        variant: One of the metric's variants.
        batch_norm: ``"batch"`` (statistics of the batch) or ``"running"`` (stored statistics).
        seed: For metrics that draw random numbers.
        groups: How many groups the operations are meant for; only ``random`` asks.
        balanced: Whether those will be balanced; only ``random`` asks.
        on_operation: Called with the number of each operation before it is scored.

    Raises:
        UnknownNameError: If there is no such metric.
        MetricError: If there is no such variant, or the images needed are missing.
        SpaceError: If there is no such edge.
    """
    info = METRICS.get(metric)
    if variant not in info.variants:
        known = ", ".join(info.variants)
        raise MetricError(f"unknown variant {variant!r} of {metric}: expected one of {known}")
    if edge not in range(len(EDGES)):
        raise SpaceError(f"expected an edge from 0 to {len(EDGES) - 1}, got {edge!r}")
    batches = _batches(info, supernet, batch)
    contract = import_module("fewshot_core.metrics.contract")
    with supernet.probing(batch_norm):
        question = contract.Question(
            supernet, edge, batches, variant, seed, groups, balanced, on_operation or _ignore
        )
        answer = _implementation(info)(question)
    return OperationScores.from_answer(question.operations, answer)


def _batches(
    info: MetricInfo, supernet: Supernet, batch: Batch | Sequence[Batch] | None
) -> tuple[Batch, ...]:
    """Return the batches on the supernet's device, or none where they do not count."""
    if not info.needs_images:
        return ()
    if batch is None:
        raise MetricError(f"{info.name} needs a batch of images, got none")
    device = next(supernet.parameters()).device
    several = tuple(batch) if isinstance(batch, Sequence) else (batch,)
    return tuple(item.to(device) for item in several)


def _implementation(info: MetricInfo) -> Callable[[Question], Answer]:
    """Import the score function of a metric; another package's record may be wrong about it."""
    try:
        return resolve(info.implementation)
    except (ImportError, AttributeError, ValueError) as error:
        raise MetricError(
            f"expected the score function of {info.name} at {info.implementation!r} "
            f"(module:function), which cannot be imported: {error}"
        ) from error


def _ignore(operation: int) -> None:
    """Do nothing with a report of progress."""
