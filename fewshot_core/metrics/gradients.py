"""Gradients of the loss that several metrics share."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fewshot_core.images.batches import Batch
from fewshot_core.metrics.per_sample import Quantity
from fewshot_core.metrics.precision import precise
from fewshot_core.nets import Supernet, probed_weights
from fewshot_core.nets.tangent_pass import gradient_tangent


def losses(batch: Batch) -> Quantity:
    """Return what maps logits (B, classes) to the cross-entropy of each image, (B,)."""

    def quantity(logits: Tensor) -> Tensor:
        return functional.cross_entropy(logits, batch.labels, reduction="none")

    return quantity


def logit_sums(batch: Batch) -> Quantity:
    """Return what maps logits (B, classes) to the sum of each image's logits, (B,)."""

    def quantity(logits: Tensor) -> Tensor:
        return logits.sum(dim=1)

    return quantity


ZERO_GRADIENT = "the gradient is zero"
"""The flaw of a score that is made of a gradient, where there is none."""

Tensors = dict[str, Tensor]


def loss_gradients(supernet: Supernet, batch: Batch) -> Tensors:
    """Return the gradient of the mean cross-entropy for every probed weight, by name.

    A weight that the loss does not depend on has a gradient of zero. The supernet's own ``grad``
    fields are left alone.
    """
    weights = probed_weights(supernet)
    loss = functional.cross_entropy(supernet(batch.images), batch.labels)
    gradients = torch.autograd.grad(
        loss, list(weights.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(weights, gradients, strict=True))


def dot(left: Tensors, right: Tensors) -> float:
    """Return the inner product of two sets of tensors, in float64; an absent one is zero."""
    return sum(_product(left[name], right[name]) for name in left if name in right)


def _product(left: Tensor, right: Tensor) -> float:
    return float(torch.vdot(precise(left).flatten(), precise(right).flatten()))


def saliency(gradients: Tensors, weights: Tensors) -> float:
    """Return the sum of abs(gradient * weight) over all weights, in float64."""
    return sum(
        float((precise(gradient) * precise(weights[name])).abs().sum())
        for name, gradient in gradients.items()
    )


@dataclass(frozen=True)
class Curvature:
    """What differentiating the loss twice gives.

    Attributes:
        gradient: The gradient g of the mean cross-entropy, for every probed weight by name.
        product: The sum of weight * (H g) over all probed weights, H the Hessian.
    """

    gradient: Tensors
    product: float


def loss_curvature(supernet: Supernet, batch: Batch) -> Curvature:
    """Return the gradient of a batch's loss, and the weights times its Hessian times that.

    Both are of the same batch, and exact, also through the statistics of the batch. The Hessian is
    symmetric: weights times (H g) is g times (H weights), which loses no digits, while the terms of
    the former nearly cancel in an untrained network.
    """
    found = gradient_tangent(supernet, batch.images, batch.labels)
    return Curvature(found.gradient, dot(found.gradient, found.tangent))
