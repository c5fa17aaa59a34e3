"""The plain form of the supernet, as the field writes it: every operation is its own module.

All five operations of every edge are computed, also where they are disabled, and weighted; a
disabled one by zero. The benchmarks compare with it.
"""

import torch
from torch import Tensor, nn

from fewshot_core.nets import Supernet, probed_weights
from fewshot_core.nets.cell import Cell, edge_name
from fewshot_core.nets.layers import ConvNorm
from fewshot_core.nets.layers import ReductionBlock as SharedReduction
from fewshot_core.space import EDGES, OPERATIONS, SubSpace


class ReluConvNorm(nn.Sequential):
    """ReLU, convolution, batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def take(self, layer: ConvNorm) -> None:
        """Copy the weights of a layer."""
        self[1].load_state_dict(layer.conv.state_dict())
        self[2].load_state_dict(layer.norm.state_dict())


class Zero(nn.Module):
    """The operation ``none``."""

    def forward(self, features: Tensor) -> Tensor:
        """Multiply by zero."""
        return features.mul(0.0)


class MixedEdge(nn.Module):
    """The weighted sum of all five operations."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.operations = nn.ModuleList(
            [
                Zero(),
                nn.Identity(),
                ReluConvNorm(channels, channels, 1),
                ReluConvNorm(channels, channels, 3),
                nn.AvgPool2d(3, 1, 1, count_include_pad=False),
            ]
        )

    def forward(self, features: Tensor, weights: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape; weights (5,)."""
        pairs = zip(self.operations, weights, strict=True)
        return sum(operation(features) * weight for operation, weight in pairs)


class MixedCell(nn.Module):
    """Six edges between four nodes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(MixedEdge(channels) for _ in EDGES)

    def forward(self, features: Tensor, weights: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape; weights (6, 5)."""
        nodes = [features]
        for target in (1, 2, 3):
            incoming = [
                self.edges[edge](nodes[source], weights[edge])
                for edge, (end, source) in enumerate(EDGES)
                if end == target
            ]
            nodes.append(sum(incoming))
        return nodes[3]


class Reduction(nn.Module):
    """The residual block between two stages."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_a = ReluConvNorm(inputs, outputs, 3, 2)
        self.conv_b = ReluConvNorm(outputs, outputs, 3)
        self.pool = nn.AvgPool2d(2, 2)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Halve the size, double the channels."""
        return self.shortcut(self.pool(features)) + self.conv_b(self.conv_a(features))


class PlainSupernet(nn.Module):
    """The plain form of a supernet of the full space, with the same weights.

    Args:
        supernet: The network to copy.
    """

    def __init__(self, supernet: Supernet) -> None:
        super().__init__()
        width = supernet.channels
        self.stem = ReluConvNorm(3, width, 3)
        self.stem.take(supernet.stem)
        self.blocks = nn.ModuleList()
        for block in supernet.children():
            if isinstance(block, SharedReduction):
                self.blocks.append(_reduction(block, width))
                width *= 2
            elif isinstance(block, Cell):
                self.blocks.append(_cell(block, width))
        self.norm = nn.BatchNorm2d(width)
        self.classifier = nn.Linear(width, supernet.num_classes)
        self.norm.load_state_dict(supernet.norm.state_dict())
        self.classifier.load_state_dict(supernet.classifier.state_dict())

    def forward(self, images: Tensor, weights: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to logits; weights (6, 5)."""
        features = self.stem[2](self.stem[1](images))
        for block in self.blocks:
            cell = isinstance(block, MixedCell)
            features = block(features, weights) if cell else block(features)
        return self.classifier(torch.relu(self.norm(features)).mean(dim=(2, 3)))

    def convolutions(self) -> list[Tensor]:
        """Return the weights of all convolutions and of the classifier."""
        return list(probed_weights(self).values())


def uniform_weights(sub_space: SubSpace) -> Tensor:
    """Return the weights of the mean over enabled operations, (6, 5)."""
    return torch.tensor(
        [
            [(number in enabled) / len(enabled) for number in range(len(OPERATIONS))]
            for enabled in sub_space.enabled
        ]
    )


def _reduction(block: SharedReduction, width: int) -> Reduction:
    plain = Reduction(width, 2 * width)
    plain.conv_a.take(block.conv_a)
    plain.conv_b.take(block.conv_b)
    plain.shortcut.load_state_dict(block.shortcut.state_dict())
    return plain


def _cell(cell: Cell, width: int) -> MixedCell:
    plain = MixedCell(width)
    for edge in range(len(EDGES)):
        for number in (2, 3):
            layer = cell.get_submodule(f"{edge_name(edge)}.{OPERATIONS[number]}")
            plain.edges[edge].operations[number].take(layer)
    return plain
