"""What is known of a metric without computing it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
