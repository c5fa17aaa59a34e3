"""What the sub-spaces of a split hold."""

from dataclasses import dataclass

import numpy as np

from fewshot_core.analysis import describe_sub_spaces
from fewshot_core.reproduction.material import Material, Split
from fewshot_core.selection.proxy import kendall_tau
from fewshot_core.space import ARCHITECTURE_COUNT, OPERATIONS

_MOST = 0.9
"""The share of the top whose sub-spaces are counted."""


@dataclass(frozen=True)
class Contents:
    """What the sub-spaces of a split hold, in tree order.

    Attributes:
        split: The split.
        sizes: Architectures in each.
        tops: Architectures of the top 1% in each.
    """

    split: Split
    sizes: tuple[int, ...]
    tops: tuple[int, ...]

    @property
    def largest_share(self) -> float:
        """The share of the space that is in the largest sub-space."""
        return float(max(self.sizes) / ARCHITECTURE_COUNT)

    @property
    def lopsided(self) -> bool:
        """Whether the largest sub-space is nearer to that of one operation against the others."""
        even, odd = extreme_shares(self.split)
        return self.largest_share > (even + odd) / 2

    @property
    def with_top(self) -> int:
        """How many sub-spaces hold some of the top."""
        return sum(count > 0 for count in self.tops)

    @property
    def richest_share(self) -> float:
        """The largest share of the top in one sub-space."""
        return max(self.tops) / sum(self.tops)

    @property
    def for_most(self) -> int:
        """How few sub-spaces hold nine tenths of the top."""
        reached = np.cumsum(sorted(self.tops, reverse=True))
        return int(np.argmax(reached >= _MOST * sum(self.tops))) + 1

    @property
    def size_and_top(self) -> float:
        """Kendall's tau between the sizes and the counts of the top; NaN where one is constant."""
        sizes = np.array(self.sizes, dtype=np.float64)
        tau = kendall_tau(sizes[:, None], np.array(self.tops, dtype=np.float64))
        return float(tau[0])

    @property
    def largest_has_most(self) -> bool:
        """Whether a largest sub-space holds as much of the top as any."""
        pairs = zip(self.sizes, self.tops, strict=True)
        return max(top for size, top in pairs if size == max(self.sizes)) == max(self.tops)


def extreme_shares(split: Split) -> tuple[float, float]:
    """Return the largest sub-space's share where groups are even, and where one stands alone.

    On an edge that is split in two, three of five operations are the larger group, or four.
    """
    count = len(OPERATIONS)
    edges = sum(
        any(len(leaf.enabled[edge]) < count for leaf in split.leaves)
        for edge in range(len(split.leaves[0].enabled))
    )
    return ((count + 1) // 2 / count) ** edges, ((count - 1) / count) ** edges


def contents(split: Split, material: Material) -> Contents:
    """Return what the sub-spaces of a split hold, by the accuracies of its data set."""
    table = describe_sub_spaces(split.leaves, material.accuracies[split.dataset].frame)
    return Contents(split, tuple(table["size"]), tuple(table["top_count"]))
