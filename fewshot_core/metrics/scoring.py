"""Scoring the operations of an edge with any metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fewshot_core.errors import MetricError, SpaceError
from fewshot_core.metrics.info import MetricInfo
from fewshot_core.metrics.memory import ScoreMemory
from fewshot_core.metrics.registry import METRICS
from fewshot_core.metrics.scores import OperationScores, averaged
from fewshot_core.resolve import resolve
from fewshot_core.space import EDGES

if TYPE_CHECKING:
    from fewshot_core.images.batches import Batch
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
    image_size: int = 32,
    on_operation: Callable[[int], None] | None = None,
    memory: ScoreMemory | None = None,
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
        image_size: Height and width of an image; only ``synflow`` asks, and only where there is no
            batch that has them.
        on_operation: Called with the number of each operation before it is scored, for each batch.
        memory: Where scores are looked up, and kept with what came with them: those of the other
            metrics that are made of the same pass.

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
    several = _several(batch)
    if several:
        image_size = several[0].images.shape[-1]
    options = {
        "variant": variant,
        "seed": seed,
        "groups": groups,
        "balanced": balanced,
        "image_size": image_size,
        "report": on_operation or _ignore,
    }
    ask = resolve("fewshot_core.metrics.asking:ask")
    with supernet.probing(batch_norm):
        answers = [
            ask(info, supernet, edge, one, batch_norm, options, memory)
            for one in _counted(info, several)
        ]
    return OperationScores.from_answer(supernet.sub_space.enabled[edge], averaged(answers))


def _several(batch: Batch | Sequence[Batch] | None) -> tuple[Batch, ...]:
    if batch is None:
        return ()
    return tuple(batch) if isinstance(batch, Sequence) else (batch,)


def _counted(info: MetricInfo, batches: tuple[Batch, ...]) -> tuple[Batch | None, ...]:
    """Return the batches that a metric is asked about, one after the other."""
    if not info.needs_images:
        return (None,)
    if not batches:
        raise MetricError(f"{info.name} needs a batch of images, got none")
    return batches


def _ignore(operation: int) -> None:
    """Do nothing with a report of progress."""
