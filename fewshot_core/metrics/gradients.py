"""Gradients of the loss that several metrics share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

    from fewshot_core.images.sources import Batch
    from fewshot_core.nets import Supernet

Tensors: TypeAlias = "dict[str, Tensor]"

ZERO_GRADIENT = "the gradient is zero"
"""Reason of a score that is not informative since there is no gradient."""


def losses(batch: Batch) -> Callable[[Tensor], Tensor]:
    """Make the function that maps logits (B, classes) to the cross-entropy of each image, (B,)."""
    from torch.nn import functional

    return lambda logits: functional.cross_entropy(logits, batch.labels, reduction="none")


def loss_gradients(supernet: Supernet, batch: Batch) -> Tensors:
    """Compute the gradient of the mean cross-entropy for every probed weight, by name.

    A weight that the loss does not depend on has a gradient of zero. The supernet's own ``grad``
    fields are left alone.
    """
    import torch

    from fewshot_core.nets import probed_weights

    weights = probed_weights(supernet)
    loss = torch.nn.functional.cross_entropy(supernet(batch.images), batch.labels)
    gradients = torch.autograd.grad(
        loss, list(weights.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(weights, gradients, strict=True))


@dataclass(frozen=True)
class Curvature:
    """The gradient g of the mean cross-entropy, and the sum of weight * (H g), H its Hessian."""

    gradient: Tensors
    product: float


def loss_curvature(supernet: Supernet, batch: Batch) -> Curvature:
    """Differentiate the loss of a batch twice, exactly, also through the batch's statistics.

    The Hessian is symmetric: weights times (H g) is g times (H weights), which loses no digits,
    while the terms of the former nearly cancel in an untrained network.
    """
    gradient, tangent = supernet.gradient_tangent(batch.images, batch.labels)
    return Curvature(gradient, dot(gradient, tangent))


def dot(left: Tensors, right: Tensors) -> float:
    """Compute the inner product of two sets of tensors, in float64; a missing one is zero."""
    parts = [
        precise(left[name]).flatten().dot(precise(right[name]).flatten())
        for name in left
        if name in right
    ]
    return float(sum(parts))


def saliency(gradients: Tensors, weights: Tensors) -> float:
    """Compute the sum of abs(gradient * weight) over all weights, in float64."""
    parts = [
        (precise(gradient) * precise(weights[name])).abs().sum()
        for name, gradient in gradients.items()
    ]
    return float(sum(parts))


def precise(tensor: Tensor) -> Tensor:
    """Convert a tensor to float64, so that sums do not depend on their order, and detach it.

    It stays on its device, unless that has no float64 (Apple's GPUs): then it moves to the CPU.
    """
    detached = tensor.detach()
    return (detached.cpu() if detached.device.type == "mps" else detached).double()
