"""A cell as one function of its input and weights, with a derivative of its own, for the CPU.

What a cell costs beside its convolutions is going through memory. As one function, its forward and
backward pass go through it about half as often as they would operation by operation.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from fewshot_core.nets.fast_backward import BackwardPass
from fewshot_core.nets.fast_forward import ForwardPass, Kept
from fewshot_core.nets.wiring import Wiring

_SETTINGS = (None, None, None)
"""The derivatives of those arguments of the function that have none."""


class Compose(Protocol):
    """The same cell operation by operation: what the fast form is checked against."""

    def __call__(
        self, features: Tensor, shares: Tensor | None, tensors: Sequence[Tensor]
    ) -> Tensor:
        """Map (B, C, H, W) to the same shape."""


def fast_cell(
    wiring: Wiring,
    compose: Compose,
    epsilon: float,
    features: Tensor,
    shares: Tensor | None,
    tensors: Sequence[Tensor],
) -> Tensor:
    """Return the output of a cell whose batch norm uses the statistics of the batch.

    Args:
        wiring: The edges.
        compose: The same cell operation by operation, for second derivatives.
        epsilon: What batch norm adds to variances.
        features: Shape (B, C, H, W).
        shares: What each operation counts, by position; None for ``wiring.uniform``.
        tensors: Of all its convolutions the weights, then batch norm's weights, then its biases.
    """
    return _apply(wiring, compose, epsilon, features, shares, *tensors)


class _FastCell(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        wiring: Wiring,
        compose: Compose,
        epsilon: float,
        features: Tensor,
        shares: Tensor | None,
        *tensors: Tensor,
    ) -> Tensor:
        ctx.wiring, ctx.compose = wiring, compose
        ctx.shares = wiring.uniform if shares is None else shares.tolist()
        of_shares = ctx.needs_input_grad[len(_SETTINGS) + 1]
        run = ForwardPass(wiring, ctx.shares, tensors, epsilon, of_shares)
        output = run(features.contiguous(memory_format=torch.channels_last))
        ctx.save_for_backward(features, shares, *tensors, *run.kept.flat())
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        count = 3 * len(ctx.wiring.convolutions)
        features, shares, *saved = ctx.saved_tensors
        tensors, kept = saved[:count], Kept.from_flat(saved[count:])
        needed = ctx.needs_input_grad[len(_SETTINGS) :]
        if torch.is_grad_enabled():  # a derivative of this derivative is wanted
            inputs = [features, shares, *tensors]
            return *_SETTINGS, *_differentiable(ctx.compose, gradient, inputs, needed)
        run = BackwardPass(ctx.wiring, ctx.shares, tensors, kept, needed)
        return *_SETTINGS, *run(gradient.contiguous(memory_format=torch.channels_last))


_apply: Callable[..., Tensor] = cast(Any, _FastCell).apply


def _differentiable(
    compose: Compose, gradient: Tensor, inputs: list[Tensor], needed: Sequence[bool]
) -> list[Tensor | None]:
    """Return the gradients of a cell's inputs so that they can be differentiated."""
    features, shares, *tensors = inputs
    output = compose(features, shares, tensors)
    if not output.requires_grad:  # it is connected to nothing
        return [None] * len(inputs)
    leaves = [tensor for tensor, wanted in zip(inputs, needed, strict=True) if wanted]
    found = torch.autograd.grad(output, leaves, gradient, create_graph=True, allow_unused=True)
    remaining = iter(found)
    return [next(remaining) if wanted else None for wanted in needed]
