"""The architecture parameters of a search: one logit for each operation of each edge."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from fewshot_core.search.errors import SearchError
from fewshot_core.space import OPERATIONS, Architecture, SubSpace

_SCALE = 1e-3
"""Standard deviation of the first logits, as in DARTS (Liu et al., 2019)."""


class Alphas:
    """The logits of the operations of a sub-space, edge by edge.

    An edge with one operation has nothing to choose and no logits to learn. An edge can also be
    decided in the middle of a search; it then counts as if it had one operation.

    Args:
        sub_space: The operations to choose from.
        generator: Draws the first logits; nothing is drawn for an edge without a choice.
        device: Where the logits live.
        dtype: Their type.
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
        """Return the logits of the edges that still have a choice."""
        return [self.logits[edge] for edge in self.open_edges]

    def learnable(self) -> list[Tensor]:
        """Return the logits of all edges that had a choice at first."""
        return [logits for logits in self.logits if logits.requires_grad]

    def decide(self, edge: int, position: int) -> None:
        """Decide an edge for one of its operations, given by its position among them."""
        self.decided[edge] = position

    def probabilities(self) -> tuple[Tensor, ...]:
        """Return the softmax of each edge's logits; one and zeros where it is decided."""
        return tuple(
            self.one_hot(edge, self.decided[edge])
            if edge in self.decided
            else torch.softmax(logits, dim=0)
            for edge, logits in enumerate(self.logits)
        )

    def one_hot(self, edge: int, position: int) -> Tensor:
        """Return one for an operation of an edge and zeros for the others; no gradient."""
        chosen = torch.zeros_like(self.logits[edge], requires_grad=False)
        chosen[position] = 1
        return chosen

    def architecture(self) -> Architecture:
        """Return the architecture of the likeliest operations; of equal ones, the first."""
        with torch.no_grad():
            best = [int(row.argmax()) for row in self.probabilities()]
        pairs = zip(self.sub_space.enabled, best, strict=True)
        return Architecture(tuple(operations[position] for operations, position in pairs))

    def table(self) -> tuple[tuple[float, ...], ...]:
        """Return the probability of each of five operations on each of six edges."""
        with torch.no_grad():
            rows = [row.tolist() for row in self.probabilities()]
        return tuple(
            tuple(dict(zip(operations, row, strict=True)).get(n, 0.0) for n in _ALL)
            for operations, row in zip(self.sub_space.enabled, rows, strict=True)
        )

    def entropy(self) -> tuple[float, ...]:
        """Return the entropy of each edge's probabilities, in bits."""
        with torch.no_grad():
            rows = [row.double() for row in self.probabilities()]
        return tuple(float(-torch.special.xlogy(row, row).sum()) / _LN2 + 0.0 for row in rows)

    def state_dict(self) -> dict[str, Any]:
        """Return logits and decisions."""
        return {
            "logits": [logits.detach().clone() for logits in self.logits],
            "decided": dict(self.decided),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over logits and decisions of the same sub-space.

        Raises:
            SearchError: If they are of another one.
        """
        shapes = [tuple(logits.shape) for logits in state["logits"]]
        expected = [tuple(logits.shape) for logits in self.logits]
        if shapes != expected:
            raise SearchError(f"expected logits of shapes {expected}, got {shapes}")
        with torch.no_grad():
            for logits, stored in zip(self.logits, state["logits"], strict=True):
                logits.copy_(stored)
        self.decided = dict(state["decided"])


_ALL = range(len(OPERATIONS))
_LN2 = 0.6931471805599453
