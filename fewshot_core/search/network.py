"""The supernet as a search sees it: every edge's operations have weights of their own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from fewshot_core.nets import Supernet
from fewshot_core.nets.blocks import ReductionBlock
from fewshot_core.nets.cell import Cell


@dataclass(frozen=True)
class EdgeWeights:
    """How much each enabled operation of each edge counts.

    Attributes:
        values: For each of the six edges, the weights of its enabled operations, ascending by
            operation number; shape (n,).
        path: None if all operations count. Otherwise, for each edge, the position of the only one
            that does: the others are not computed, whatever their weights.
    """

    values: tuple[Tensor, ...]
    path: tuple[int, ...] | None = None


def path_weights(supernet: Supernet, path: tuple[int, ...]) -> EdgeWeights:
    """Return the weights of a single path: a position among the operations of each edge."""
    ones = next(supernet.parameters()).new_ones
    return EdgeWeights(tuple(ones(len(row)) for row in supernet.sub_space.enabled), path)


class Network(Protocol):
    """A network with choices; a supernet, or a smaller one in a test."""

    def __call__(self, images: Tensor, weights: EdgeWeights | None) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, classes); None weighs all operations alike."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield the weights of the network, without those of the edges."""


class WeightedSupernet(nn.Module):
    """A supernet whose edges output weighted sums of their operations.

    It has no parameters of its own: they are those of the supernet.

    Args:
        supernet: The network of the sub-space to search.
    """

    def __init__(self, supernet: Supernet) -> None:
        super().__init__()
        self.supernet = supernet

    def forward(self, images: Tensor, weights: EdgeWeights | None = None) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, classes)."""
        if weights is None:
            return _tensor(self.supernet(images))
        shares = torch.cat(weights.values)
        features = self.supernet.stem(images)
        for block in self.supernet.children():
            if isinstance(block, Cell):
                features = block(features, shares, weights.path)
            elif isinstance(block, ReductionBlock):
                features = block(features)
        pooled = torch.relu(self.supernet.norm(features)).mean(dim=(2, 3))
        return _tensor(self.supernet.classifier(pooled))


def _tensor(value: Tensor) -> Tensor:
    return value
