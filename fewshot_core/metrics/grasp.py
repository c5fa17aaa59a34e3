"""What removing weights does to the gradient flow (Eq. 8 of the paper; Wang et al., 2020)."""

import torch
from torch import Tensor
from torch.nn import functional

from fewshot_core.images.batches import Batch
from fewshot_core.metrics.contract import Question, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, Tensors, dot
from fewshot_core.metrics.scores import Answer
from fewshot_core.nets import Supernet, probed_weights
from fewshot_core.nets.recompute import recomputing


def score(question: Question) -> Answer:
    """Score each sub-supernet by minus the sum of its weights times (H g)."""
    return score_each(question, lost_flow)


def lost_flow(supernet: Supernet, batch: Batch) -> Score:
    """Return minus the sum of weight * (H g) over all probed weights.

    g is the gradient of the mean cross-entropy and H its Hessian, both of the same batch; their
    product is exact, by differentiating twice (Pearlmutter, 1994), also through the statistics of
    the batch. In an untrained network of full size with statistics of the batch, the terms nearly
    cancel: their sum is a thousandth of what they are, and three digits of float32 are left of it.
    """
    weights = probed_weights(supernet)
    with recomputing(supernet):
        loss = functional.cross_entropy(supernet(batch.images), batch.labels)
        gradients = _gradients(loss, weights, create_graph=True)
        flows = [(gradient * gradient.detach()).sum() for gradient in gradients.values()]
        products = _gradients(torch.stack(flows).sum(), weights)
    zero = dot(gradients, gradients) == 0
    return Score(-dot(weights, products), ZERO_GRADIENT if zero else None)


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
