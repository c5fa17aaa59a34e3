"""Gradients of the loss that several metrics share."""

import torch
from torch import Tensor
from torch.nn import functional

from fewshot_core.images.batches import Batch
from fewshot_core.metrics.precision import precise
from fewshot_core.nets import Supernet, probed_weights

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
