"""The cell: four nodes, six edges, and on each edge the mean of its enabled operations."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from fewshot_core.nets.blocks import ConvNorm
from fewshot_core.space import EDGES, OPERATIONS, SubSpace

_KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


def edge_name(edge: int) -> str:
    """Return the name of an edge inside parameter names: ``"edge_2_0"`` runs from 0 to 2."""
    target, source = EDGES[edge]
    return f"edge_{target}_{source}"


class Node:
    """The features of one node, and what several edges need of them, computed once."""

    def __init__(self, features: Tensor) -> None:
        self.features = features
        self._rectified: Tensor | None = None
        self._pooled: Tensor | None = None

    @property
    def rectified(self) -> Tensor:
        """ReLU of the features: what a convolution sees."""
        if self._rectified is None:
            self._rectified = torch.relu(self.features)
        return self._rectified

    @property
    def pooled(self) -> Tensor:
        """Average of 3x3 pixels, those outside the image not counted."""
        if self._pooled is None:
            self._pooled = functional.avg_pool2d(self.features, 3, 1, 1, count_include_pad=False)
        return self._pooled


class Edge(nn.Module):
    """An edge with its enabled operations; the others do not exist in it."""

    def __init__(self, channels: int, operations: tuple[int, ...]) -> None:
        super().__init__()
        self.operations = tuple(OPERATIONS[operation] for operation in operations)
        for name in self.operations:
            if name in _KERNELS:
                self.add_module(name, ConvNorm(channels, channels, _KERNELS[name]))

    def forward(self, node: Node) -> Tensor | None:
        """Return the mean of the enabled operations, or None where it is zero everywhere."""
        outputs = [self._output(name, node) for name in self.operations if name != "none"]
        if not outputs:
            return None
        return _sum(outputs) / len(self.operations)

    def _output(self, name: str, node: Node) -> Tensor:
        if name == "skip_connect":
            return node.features
        if name == "avg_pool_3x3":
            return node.pooled
        output: Tensor = self.get_submodule(name)(node.rectified)
        return output


class Cell(nn.Module):
    """A cell of a sub-space: node t is the sum of its incoming edges (Appendix A)."""

    def __init__(self, channels: int, sub_space: SubSpace) -> None:
        super().__init__()
        for edge, operations in enumerate(sub_space.enabled):
            self.add_module(edge_name(edge), Edge(channels, operations))

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        nodes = [Node(features)]
        for target in range(1, 4):
            incoming = [
                self.get_submodule(edge_name(edge))(nodes[source])
                for edge, (node, source) in enumerate(EDGES)
                if node == target
            ]
            present = [output for output in incoming if output is not None]
            nodes.append(Node(_sum(present) if present else torch.zeros_like(features)))
        return nodes[-1].features


def _sum(tensors: list[Tensor]) -> Tensor:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total
