"""Gradients of the loss that several metrics share."""

import torch
from torch import Tensor
from torch.nn import functional

from fewshot_core.images.batches import Batch
from fewshot_core.nets import Supernet, probed_weights


def loss_gradients(supernet: Supernet, batch: Batch) -> dict[str, Tensor]:
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


def dot(left: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    """Return the inner product of two sets of tensors, in float64; an absent one is zero."""
    total = 0.0
    for name in left.keys() & right.keys():
        total += float((left[name].double() * right[name].double()).sum())
    return total
