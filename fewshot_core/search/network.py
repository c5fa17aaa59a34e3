"""Architecture parameters, and the supernet with weighted operations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from fewshot_core.nets import Supernet
from fewshot_core.search.options import SearchError
from fewshot_core.space import Architecture, SubSpace

_SCALE = 1e-3
"""Standard deviation of the first logits, as in DARTS (Liu et al., 2019)."""


class Alphas:
    """The logits of the operations of a sub-space, edge by edge.

    An edge with one operation has nothing to choose and no logits to learn. An edge can also be
    decided in the middle of a search; it then counts as if it had one operation. The generator
    samples the first logits, nothing for an edge without a choice.
    """

    def __init__(
        self,
        sub_space: SubSpace,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.sub_space = sub_space
        self.logits: list[Tensor] = []
        self.decided: dict[int, int] = {}
        for edge, operations in enumerate(sub_space.enabled):
            size = len(operations)
            if size == 1:
                self.decided[edge] = 0
                self.logits.append(torch.zeros(1, device=device, dtype=dtype))
                continue
            drawn = _SCALE * torch.randn(size, generator=generator)
            self.logits.append(drawn.to(device, dtype).requires_grad_())

    @property
    def open_edges(self) -> list[int]:
        """The edges that still have a choice."""
        return [edge for edge in range(len(self.logits)) if edge not in self.decided]

    def open_logits(self) -> list[Tensor]:
        """The logits of the edges that still have a choice."""
        return [self.logits[edge] for edge in self.open_edges]

    def learnable(self) -> list[Tensor]:
        """The logits of all edges that had a choice at the start."""
        return [logits for logits in self.logits if logits.requires_grad]

    def decide(self, edge: int, position: int) -> None:
        """Decide an edge for one of its operations, given by its position among them."""
        self.decided[edge] = position

    def probabilities(self) -> tuple[Tensor, ...]:
        """The softmax of each edge's logits; one-hot where it is decided."""
        return tuple(
            self.one_hot(edge, self.decided[edge])
            if edge in self.decided
            else torch.softmax(logits, dim=0)
            for edge, logits in enumerate(self.logits)
        )

    def one_hot(self, edge: int, position: int) -> Tensor:
        """One-hot weights of an edge, without gradient."""
        chosen = torch.zeros_like(self.logits[edge], requires_grad=False)
        chosen[position] = 1
        return chosen

    def architecture(self) -> Architecture:
        """The architecture of the most probable operations; the first of a tie."""
        with torch.no_grad():
            best = [int(row.argmax()) for row in self.probabilities()]
        pairs = zip(self.sub_space.enabled, best, strict=True)
        chosen = tuple(operations[position] for operations, position in pairs)
        return Architecture(chosen, self.sub_space.space)

    def table(self) -> tuple[tuple[float, ...], ...]:
        """The probability of each operation of each edge, 0 for one that is not enabled.

        With as many digits as tell numbers of its precision apart: 0.2, not 0.20000000298023224.
        """
        with torch.no_grad():
            rows = [row.cpu().numpy() for row in self.probabilities()]
        found = [
            dict(zip(operations, (float(str(value)) for value in row), strict=True))
            for operations, row in zip(self.sub_space.enabled, rows, strict=True)
        ]
        shape = self.sub_space.space.shape
        return tuple(
            tuple(row.get(number, 0.0) for number in range(count))
            for row, count in zip(found, shape, strict=True)
        )

    def entropy(self) -> tuple[float, ...]:
        """The entropy of each edge's probabilities, in bits."""
        with torch.no_grad():
            rows = [row.double() for row in self.probabilities()]
        return tuple(float(-torch.special.xlogy(row, row).sum()) / _LN2 + 0.0 for row in rows)

    def state_dict(self) -> dict[str, Any]:
        """Logits and decisions."""
        return {
            "logits": [logits.detach().clone() for logits in self.logits],
            "decided": dict(self.decided),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore logits and decisions; raises SearchError if they are of another sub-space."""
        shapes = [tuple(logits.shape) for logits in state["logits"]]
        expected = [tuple(logits.shape) for logits in self.logits]
        if shapes != expected:
            raise SearchError(f"expected logits of shapes {expected}, got {shapes}")
        with torch.no_grad():
            for logits, stored in zip(self.logits, state["logits"], strict=True):
                logits.copy_(stored)
        self.decided = dict(state["decided"])


_LN2 = 0.6931471805599453


@dataclass(frozen=True)
class EdgeWeights:
    """How much each enabled operation of each edge, or other decision, counts.

    Attributes:
        values: For each edge, the weights of its enabled operations, ascending by operation
            number; shape (n,).
        path: None if all operations count. Otherwise, for each edge, the position of the only one
            that does: the others are not computed, whatever their weights.
    """

    values: tuple[Tensor, ...]
    path: tuple[int, ...] | None = None


def path_weights(supernet: Supernet, path: tuple[int, ...]) -> EdgeWeights:
    """Weights of a single path: a position among the operations of each edge."""
    ones = next(supernet.parameters()).new_ones
    return EdgeWeights(tuple(ones(len(row)) for row in supernet.sub_space.enabled), path)


class Network(Protocol):
    """A network with choices; a supernet, or a smaller one in a test."""

    def __call__(self, images: Tensor, weights: EdgeWeights | None) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, classes); None for equal weights."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield the weights of the network, without those of the edges."""


class WeightedSupernet(nn.Module):
    """A supernet whose edges output weighted sums of their operations.

    It has no parameters of its own: they are those of the supernet.
    """

    def __init__(self, supernet: Supernet) -> None:
        super().__init__()
        self.supernet = supernet

    def forward(self, images: Tensor, weights: EdgeWeights | None = None) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, classes)."""
        shares, path = (
            (None, None) if weights is None else (torch.cat(weights.values), weights.path)
        )
        logits: Tensor = self.supernet(images, shares, path)
        return logits
