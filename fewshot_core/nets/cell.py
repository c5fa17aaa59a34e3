"""The cell: four nodes, six edges, on each edge a weighted sum of operations, and their wiring."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from fewshot_core.nets.fast_cell import Tap, fast_cell
from fewshot_core.nets.layers import ConvNorm, temporarily
from fewshot_core.nets.supernet import Choice, Path, Shares
from fewshot_core.space import EDGES, OPERATIONS, SubSpace

KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
"""The operations that convolve, and the sizes of their kernels."""


@dataclass(frozen=True)
class Link:
    """The operations of an edge, from ``source`` to ``target``.

    ``skip`` and ``pool`` are the positions of these two among all operations of the cell, or None;
    ``convolutions`` are numbers of its convolutions among those of the cell.
    """

    target: int
    source: int
    skip: int | None
    pool: int | None
    convolutions: tuple[int, ...]


@dataclass(frozen=True)
class Wiring:
    """The edges of a cell.

    Attributes:
        links: One for each edge, those without any operation but ``none`` left out.
        convolutions: The names of the convolutions' modules, in the order of the nodes they read;
            links give positions in here.
        positions: The positions of the convolutions among all operations of the cell.
        uniform: The weights of all operations in the mean of each edge.
    """

    links: tuple[Link, ...]
    convolutions: tuple[str, ...]
    positions: tuple[int, ...]
    uniform: tuple[float, ...]

    def into(self, target: int) -> list[Link]:
        """Links that lead to a node."""
        return [link for link in self.links if link.target == target]

    def pools(self, source: int) -> bool:
        """Whether any link pools a node."""
        return any(link.source == source and link.pool is not None for link in self.links)

    def reading(self, source: int) -> range:
        """Numbers of the convolutions that read a node."""
        links = [link for link in self.links if link.source == source]
        numbers = [number for link in links for number in link.convolutions]
        return range(numbers[0], numbers[-1] + 1) if numbers else range(0)


def edge_name(edge: int) -> str:
    """Name of an edge inside parameter names: ``"edge_2_0"`` runs from 0 to 2."""
    target, source = EDGES[edge]
    return f"edge_{target}_{source}"


@lru_cache(maxsize=4096)
def wiring_of(sub_space: SubSpace, path: tuple[int, ...] | None = None) -> Wiring:
    """List the edges of a sub-space's cells.

    All enabled operations have a position: edge by edge, ascending. ``path`` is, for each edge, the
    place of the only one of its operations that is connected; None for all.
    """
    links: list[Link] = []
    names: list[str] = []
    positions: list[int] = []
    starts = list(accumulate(map(len, sub_space.enabled), initial=0))
    for edge in sorted(range(len(EDGES)), key=lambda edge: EDGES[edge][1]):
        target, source = EDGES[edge]
        enabled = [OPERATIONS[operation] for operation in sub_space.enabled[edge]]
        chosen = enabled if path is None else [enabled[path[edge]]]
        at = {name: starts[edge] + enabled.index(name) for name in chosen}
        own = [name for name in KERNELS if name in at]
        numbers = tuple(range(len(names), len(names) + len(own)))
        names += [f"{edge_name(edge)}.{name}" for name in own]
        positions += [at[name] for name in own]
        skip, pool = at.get("skip_connect"), at.get("avg_pool_3x3")
        if own or skip is not None or pool is not None:
            links.append(Link(target, source, skip, pool, numbers))
    uniform = tuple(1 / len(row) for row in sub_space.enabled for _ in row)
    return Wiring(tuple(links), tuple(names), tuple(positions), uniform)


class Edge(Choice):
    """The convolutions that are enabled on an edge; the other operations have no parameters."""

    def __init__(self, channels: int, edge: int, sub_space: SubSpace) -> None:
        super().__init__(edge, sub_space)
        for name in self.operations:
            if name in KERNELS:
                self.add_module(name, ConvNorm(channels, channels, KERNELS[name]))


class Cell(nn.Module):
    """A cell of a sub-space: node t is the sum of its incoming edges (Appendix A).

    Attributes:
        sub_space: The operations enabled on each edge.
        composed: Whether to compute operation by operation in any case; see ``composing``.
    """

    def __init__(self, channels: int, sub_space: SubSpace) -> None:
        super().__init__()
        self.sub_space = sub_space
        self.composed = False
        self.tap: Callable[[Tensor], Tap] | None = None
        for edge in range(len(sub_space.enabled)):
            self.add_module(edge_name(edge), Edge(channels, edge, sub_space))

    def forward(
        self, features: Tensor, shares: Shares | None = None, path: Path | None = None
    ) -> Tensor:
        """Map the features of node 0, (B, C, H, W), to those of node 3.

        Args:
            features: The features of node 0.
            shares: See ``Shares``; ``none`` is included. None for the mean on each edge.
            path: For each edge, the place of the only operation to compute; None for all.
        """
        wiring = wiring_of(self.sub_space, path)
        layers = [self.layer(name) for name in wiring.convolutions]
        if not self._may_be_fast(features, layers):
            return self._compose(wiring, features, wiring.uniform if shares is None else shares)
        weights = [layer.conv.weight for layer in layers]
        taps = None
        if self.tap is not None:
            taps = [self.tap(weight) for weight in weights]
            weights = [weight.detach() for weight in weights]
        return fast_cell(
            wiring,
            partial(self._compose_with, path),
            layers[0].norm.eps if layers else 0.0,
            taps,
            features,
            None if shares is None else torch.as_tensor(shares, dtype=features.dtype),
            *weights,
            *(layer.norm.weight for layer in layers),
            *(layer.norm.bias for layer in layers),
        )

    def layer(self, name: str) -> ConvNorm:
        """Return a convolution by its name in ``Wiring.convolutions``."""
        layer = self.get_submodule(name)
        assert isinstance(layer, ConvNorm)
        return layer

    def _may_be_fast(self, features: Tensor, layers: list[ConvNorm]) -> bool:
        """Whether the fast form can be used: on the CPU, with statistics of the batch."""
        return (
            not self.composed
            and features.device.type == "cpu"
            and not torch.is_autocast_enabled("cpu")
            and not torch.compiler.is_compiling()
            and all(layer.norm.mode == "batch" for layer in layers)
            and (self.tap is not None or not any(layer.norm.held for layer in layers))
            and (self.tap is None or features.requires_grad)
        )

    def _compose(self, wiring: Wiring, features: Tensor, shares: Shares) -> Tensor:
        """Map (B, C, H, W) to the same shape, operation by operation."""
        nodes = [features]
        rectified: dict[int, Tensor] = {}  # by node; computed once, where an edge first needs them
        averaged: dict[int, Tensor] = {}
        for target in (1, 2, 3):
            total: Tensor | None = None
            for link in wiring.into(target):
                source, node = link.source, nodes[link.source]
                if link.skip is not None:
                    total = _plus(total, node, shares[link.skip])
                for number in link.convolutions:
                    if source not in rectified:
                        rectified[source] = torch.relu(node)
                    output = self.layer(wiring.convolutions[number])(rectified[source])
                    total = _plus(total, output, shares[wiring.positions[number]])
                if link.pool is not None:
                    if source not in averaged:
                        averaged[source] = _average(node)
                    total = _plus(total, averaged[source], shares[link.pool])
            nodes.append(torch.zeros_like(features) if total is None else total)
        return nodes[-1]

    def _compose_with(
        self,
        path: Path | None,
        features: Tensor,
        shares: Tensor | None,
        tensors: Sequence[Tensor],
    ) -> Tensor:
        """Do the same with tensors in place of the convolutions' own; see ``fast_cell``."""
        names = wiring_of(self.sub_space, path).convolutions
        parts = ("conv.weight", "norm.weight", "norm.bias")
        keys = [f"{name}.{part}" for part in parts for name in names]
        with composing(self):
            output: Tensor = functional_call(
                self, dict(zip(keys, tensors, strict=True)), (features, shares, path)
            )
        return output


def composing(network: nn.Module) -> AbstractContextManager[None]:
    """Compute all cells inside a module operation by operation, by PyTorch's functions.

    It is slower, but every operation can be seen and transformed.
    """
    cells = [module for module in network.modules() if isinstance(module, Cell)]
    return temporarily(cells, "composed", True)


def tapped(network: nn.Module, tap: Callable[[Tensor], Tap]) -> AbstractContextManager[None]:
    """Let the cells inside a module, where they may, compute with constant statistics.

    A cell gives every weight that it uses to ``tap``, and the gradients of that weight for each
    sample to what it gets in return.
    """
    cells = [module for module in network.modules() if isinstance(module, Cell)]
    return temporarily(cells, "tap", tap)


def _average(features: Tensor) -> Tensor:
    """Average 3x3 pixels, those outside the image not counted."""
    return functional.avg_pool2d(features, 3, 1, 1, count_include_pad=False)


def _plus(total: Tensor | None, output: Tensor, share: Tensor | float) -> Tensor:
    """Add an output times its share to a sum that may not have begun."""
    if total is None:
        return output * share
    if isinstance(share, Tensor):
        return total + output * share
    return torch.add(total, output, alpha=share)
