"""The metrics there are. Adding one is one file and one record here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fewshot_core.registry import Registry


@dataclass(frozen=True)
class MetricInfo:
    """What is known of a metric without computing it.

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


METRICS: Registry[MetricInfo] = Registry("metric")

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
    )
)
METRICS.add(
    MetricInfo(
        name="params",
        label="#params",
        description="How many trainable parameters are left with only this operation on the edge.",
        equation=r"f(m) = \left|\, w \,\right|",
        source="Appendix B of the paper",
        cost="nothing: no image is looked at",
        implementation="fewshot_core.metrics.params:score",
        needs_images=False,
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
    """Return the names of all metrics."""
    return METRICS.names()
