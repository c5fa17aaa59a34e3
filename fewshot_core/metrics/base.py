"""The contract of splitting metrics, their registry, and their evaluation.

Adding one is one file and one record here; from another package, see
``fewshot_core.registry``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fewshot_core.errors import MetricError, SpaceError
from fewshot_core.registry import PluginRegistry
from fewshot_core.resolve import resolve
from fewshot_core.space import EDGES

if TYPE_CHECKING:
    from fewshot_core.images.batches import Batch
    from fewshot_core.metrics.score_cache import ScoreCache
    from fewshot_core.nets import Supernet

PASSES: Mapping[str, frozenset[str]] = {
    "gradient": frozenset({"gradient"}),
    "curvature": frozenset({"curvature", "gradient"}),
    "samples": frozenset({"samples"}),
}
"""What several metrics are made of, and what else each comes with: the gradient of the loss, its
product with the Hessian, and the inner products of the gradients of single images."""


@dataclass(frozen=True)
class MetricInfo:
    """A metric's record.

    Attributes:
        name: Its name in every file and option.
        label: Its name in the paper's tables.
        description: What it measures, in one line.
        equation: Its equation, in LaTeX.
        source: Where it comes from.
        cost: What scoring one operation takes.
        implementation: ``"module:function"`` of its ``score`` function.
        needs_images: Whether it looks at images, and so at batch norm and the data set.
        variants: Other readings of the metric by name, with what they do; the first is the default.
        passes: Which of ``PASSES`` a variant is made of, where it is made of one: metrics and
            variants of the same are scored together.
        draws: Whether scores may depend on the seed, or on the groups that are asked for.
    """

    name: str
    label: str
    description: str
    equation: str
    source: str
    cost: str
    implementation: str
    needs_images: bool = True
    variants: Mapping[str, str] = field(default_factory=lambda: {"paper": "as in the paper"})
    passes: Mapping[str, str] = field(default_factory=dict)
    draws: bool = True

    def brings(self, variant: str) -> frozenset[str]:
        """Return what is known once a variant was scored, as names in ``PASSES``."""
        return PASSES[self.passes[variant]] if variant in self.passes else frozenset()


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
    def from_answer(cls, operations: tuple[int, ...], answer: Answer) -> OperationScores:
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


def _check(record: MetricInfo) -> None:
    if not record.variants:
        raise ValueError("expected at least one variant, got none")


METRICS = PluginRegistry("metric", "fewshot.metrics", MetricInfo, _check)

METRICS.add(
    MetricInfo(
        name="gradientmatching",
        label="gradientmatching",
        description="Whether the gradients of two operations point the same way.",
        equation=(r"S_{ij} = \cos\left(\nabla_w L(m_{o_i}, w),\; \nabla_w L(m_{o_j}, w)\right)"),
        source="Eq. 1 of the paper; Hu et al., 2022 (GM-NAS)",
        cost="one forward and one backward pass for each operation",
        implementation="fewshot_core.metrics.gradientmatching:score",
        variants={
            "paper": "a weight that one network lacks counts as zero",
            "shared": "only weights of both networks that are not on the edge (GM-NAS)",
        },
        passes={"paper": "gradient", "shared": "gradient"},
        draws=False,
    )
)
METRICS.add(
    MetricInfo(
        name="gradnorm",
        label="gradnorm",
        description="How large the gradient of the loss is with only this operation on the edge.",
        equation=r"f(m) = \left\lVert \nabla_w L(m, w) \right\rVert_2",
        source="Eq. 4 of the paper; Abdelfattah et al., 2021",
        cost="one forward and one backward pass for each operation",
        implementation="fewshot_core.metrics.gradnorm:score",
        passes={"paper": "gradient"},
        draws=False,
    )
)
METRICS.add(
    MetricInfo(
        name="jacobcov",
        label="jacobcov",
        description="How little the gradients of different images are correlated.",
        equation=(
            r"f(m) = -\sum_i \left( \log(\lambda_i + \epsilon) + \frac{1}{\lambda_i + \epsilon} "
            r"\right), \quad \lambda_i \text{ of } \mathrm{corr}\left(\nabla_w L_1, \dots, "
            r"\nabla_w L_B\right), \; \epsilon = 10^{-5}"
        ),
        source="Eq. 5 and 6 of the paper; Mellor et al., 2020 (NASWOT)",
        cost="one forward and one backward pass, and the gradients of single images",
        implementation="fewshot_core.metrics.jacobcov:score",
        variants={
            "paper": "gradients of the loss with respect to the weights",
            "inputs": "gradients of the loss with respect to the images, after NASWOT",
        },
        passes={"paper": "samples"},
        draws=False,
    )
)
METRICS.add(
    MetricInfo(
        name="snip",
        label="snip",
        description="How much the loss depends on single weights being there.",
        equation=(r"f(m) = \sum_i \left| \frac{\partial L}{\partial w_i} \, w_i \right|"),
        source="Eq. 7 of the paper; Lee et al., 2019 (SNIP); Abdelfattah et al., 2021",
        cost="one forward and one backward pass for each operation",
        implementation="fewshot_core.metrics.snip:score",
        passes={"paper": "gradient"},
        draws=False,
    )
)
METRICS.add(
    MetricInfo(
        name="grasp",
        label="grasp",
        description="How much removing weights would disturb the flow of the gradient.",
        equation=r"f(m) = -\sum_i w_i \left( H g \right)_i, \quad g = \nabla_w L",
        source="Eq. 8 of the paper; Wang et al., 2020 (GraSP); Abdelfattah et al., 2021",
        cost="about five times a forward and backward pass for each operation",
        implementation="fewshot_core.metrics.grasp:score",
        passes={"paper": "curvature"},
        draws=False,
    )
)
METRICS.add(
    MetricInfo(
        name="synflow",
        label="synflow",
        description="How strong all paths through the weights are together; no data is looked at.",
        equation=(
            r"f(m) = \sum_i \left| \frac{\partial R}{\partial w_i} \, w_i \right|, \quad "
            r"R = \mathbf{1}^\top m\left(\mathbf{1}, |w|\right)"
        ),
        source="Eq. 9 of the paper; Tanaka et al., 2020 (SynFlow); Abdelfattah et al., 2021",
        cost="one forward and one backward pass of one image of ones; no image is looked at",
        implementation="fewshot_core.metrics.synflow:score",
        needs_images=False,
        draws=False,
    )
)
METRICS.add(
    MetricInfo(
        name="ntk",
        label="ntk",
        description="How unevenly the network would learn: the neural tangent kernel's condition.",
        equation=(
            r"f(m) = \frac{\lambda_{\max}(\Theta)}{\lambda_{\min}(\Theta)}, \quad "
            r"\Theta_{ij} = \nabla_w L_i \cdot \nabla_w L_j"
        ),
        source="Eq. 10 and 11 of the paper; Chen et al., 2021 (TE-NAS)",
        cost="one forward and one backward pass, and the gradients of single images",
        implementation="fewshot_core.metrics.ntk:score",
        variants={
            "paper": "gradients of the loss",
            "logits": "gradients of the sum of the logits (TE-NAS)",
        },
        passes={"paper": "samples"},
        draws=False,
    )
)
METRICS.add(
    MetricInfo(
        name="linear_regions",
        label="#lr",
        description="How many linear pieces of the network's function the inputs fall into.",
        equation=(
            r"f(m) = \left| \left\{ \left(\mathrm{sign}\, a_1(x), \dots, \mathrm{sign}\, a_n(x)"
            r"\right) : x \in X \right\} \right|, \quad a_i \text{ the outputs of all ReLUs}"
        ),
        source="Appendix B.7 of the paper; Chen et al., 2021 (TE-NAS)",
        cost="three forward passes of a tiny network",
        implementation="fewshot_core.metrics.linear_regions:score",
        variants={
            "paper": "1,000 crops of 3x3 pixels through TE-NAS's thin network, three times",
            "batch": "the batch through the supernet itself; soon as many as there are images",
        },
    )
)
METRICS.add(
    MetricInfo(
        name="params",
        label="#params",
        description="How many trainable parameters are left with only this operation on the edge.",
        equation=r"f(m) = \left|\, w \,\right|",
        source="Appendix B.8 of the paper",
        cost="nothing: no image is looked at",
        implementation="fewshot_core.metrics.params:score",
        needs_images=False,
        draws=False,
    )
)
METRICS.add(
    MetricInfo(
        name="random",
        label="random",
        description="No measure at all: operations are sorted into groups by chance.",
        equation=r"\Pr(U) = 1 / 15 \text{ for each of the fifteen bipartitions } U",
        source="Section 4.1 of the paper",
        cost="nothing: no image is looked at",
        implementation="fewshot_core.metrics.random_groups:score",
        needs_images=False,
    )
)


def list_metrics() -> list[str]:
    """Return the names of all metrics, those of other packages last."""
    return METRICS.names()


def most_sharing_first(metrics: Iterable[str]) -> list[str]:
    """Return metrics in the order in which each leaves the most to remember for the next ones."""
    infos = [METRICS.get(name) for name in metrics]
    infos.sort(key=lambda info: -len(info.brings(next(iter(info.variants)))))
    return [info.name for info in infos]


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
    memory: ScoreCache | None = None,
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
    ask = resolve("fewshot_core.metrics.evaluation:ask")
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
