"""The gradient of the loss and what the Hessian makes of it."""

from dataclasses import dataclass

from fewshot_core.images.batches import Batch
from fewshot_core.metrics.gradients import Tensors, dot
from fewshot_core.nets import Supernet
from fewshot_core.nets.tangent_pass import gradient_tangent


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
