"""Less memory for more time: what happens inside a block is computed again when it is needed.

Differentiating twice keeps several times the features of a network, for its whole depth. Here a
block keeps only what goes in, in the first and in the second backward pass alike; its inside lives
while the pass is at that block.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

Block = Callable[[Tensor], Tensor]


@contextmanager
def recomputing(network: nn.Module) -> Iterator[None]:
    """Let the blocks of a network recompute their features: its children that have convolutions.

    Outputs and derivatives, first and second, are those of the network itself, up to rounding.
    """
    before = dict(network.named_children())
    try:
        for name, child in before.items():
            if any(isinstance(module, nn.Conv2d) for module in child.modules()):
                setattr(network, name, _Recomputed(child))
        yield
    finally:
        for name, child in before.items():
            setattr(network, name, child)


class _Recomputed(nn.Module):
    """A block that keeps only its input."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's output."""
        weights = [weight for weight in self.block.parameters() if weight.requires_grad]
        return _output(self.block, features, *weights)


class _Output(torch.autograd.Function):
    """A block's output, as a function of its input and weights."""

    @staticmethod
    def forward(ctx: Any, block: Block, features: Tensor, *weights: Tensor) -> Tensor:
        ctx.block = block
        ctx.save_for_backward(features, *weights)
        return block(features)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        return None, *_gradients(ctx.block, *cotangents, *ctx.saved_tensors)


class _Gradients(torch.autograd.Function):
    """The gradients of a block's input and weights, as a function of its output's and of these."""

    @staticmethod
    def forward(ctx: Any, block: Block, cotangent: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        ctx.block = block
        ctx.save_for_backward(cotangent, *inputs)
        with torch.enable_grad():
            features = inputs[0].detach().requires_grad_()
            return _pull_back([block(features)], [features, *inputs[1:]], [cotangent])

    @staticmethod
    def backward(ctx: Any, *adjoints: Tensor) -> tuple[Tensor | None, ...]:
        cotangent, features, *weights = ctx.saved_tensors
        with torch.enable_grad():
            cotangent = cotangent.detach().requires_grad_()
            features = features.detach().requires_grad_()
            gradients = _pull_back(
                [ctx.block(features)], [features, *weights], [cotangent], create_graph=True
            )
            return None, *_pull_back(gradients, [cotangent, features, *weights], adjoints)


_output: Callable[..., Tensor] = cast(Any, _Output).apply
_gradients: Callable[..., tuple[Tensor, ...]] = cast(Any, _Gradients).apply


def _pull_back(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Tensor],
    create_graph: bool = False,
) -> tuple[Tensor, ...]:
    """Return the gradients of all inputs, given those of all outputs; zero where none depends."""
    pairs = [pair for pair in zip(outputs, cotangents, strict=True) if pair[0].requires_grad]
    if not pairs:
        return tuple(torch.zeros_like(item) for item in inputs)
    return torch.autograd.grad(
        [output for output, _ in pairs],
        inputs,
        [cotangent for _, cotangent in pairs],
        create_graph=create_graph,
        allow_unused=True,
        materialize_grads=True,
    )
