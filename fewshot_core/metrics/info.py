"""What is known of a metric without computing it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
