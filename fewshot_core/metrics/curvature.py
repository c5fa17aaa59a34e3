"""The gradient of the loss and what the Hessian makes of it."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fewshot_core.images.batches import Batch
from fewshot_core.metrics.gradients import Tensors, dot
from fewshot_core.nets import Supernet, probed_weights
from fewshot_core.nets.recompute import recomputing


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

    Both are of the same batch; their product is exact, by differentiating twice (Pearlmutter,
    1994), also through the statistics of the batch.
    """
    weights = probed_weights(supernet)
    with recomputing(supernet):
        loss = functional.cross_entropy(supernet(batch.images), batch.labels)
        gradient = _gradients(loss, weights, create_graph=True)
        flows = [(part * part.detach()).sum() for part in gradient.values()]
        products = _gradients(torch.stack(flows).sum(), weights)
    detached = {name: part.detach() for name, part in gradient.items()}
    return Curvature(detached, dot(weights, products))


def _gradients(value: Tensor, weights: Tensors, create_graph: bool = False) -> Tensors:
    """Return the gradients of a number, by name; zero where it does not depend on a weight."""
    if not value.requires_grad:
        return {name: torch.zeros_like(weight) for name, weight in weights.items()}
    gradients = torch.autograd.grad(
        value,
        list(weights.values()),
        create_graph=create_graph,
        allow_unused=True,
        materialize_grads=True,
    )
    return dict(zip(weights, gradients, strict=True))
