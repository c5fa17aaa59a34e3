"""The metrics there are, in the order of the paper's tables.

Adding one is one file and one record here; from another package, see
``fewshot_core.plugins``.
"""

from collections.abc import Iterable

from fewshot_core.metrics.info import MetricInfo
from fewshot_core.plugins import PluginRegistry


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
