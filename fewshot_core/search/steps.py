"""One step of a network's weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fewshot_core.search.compute import Compute
from fewshot_core.search.contract import mean_loss
from fewshot_core.search.data import Examples
from fewshot_core.search.network import EdgeWeights, Network


def weight_step(
    network: Network,
    weights: EdgeWeights | None,
    examples: Examples,
    optimiser: torch.optim.Optimizer,
    compute: Compute,
    clip: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Descend the cross-entropy of a batch; return it and how many images are recognised.

    Only this loss is in the step: gradients are emptied before, not added up. A weight that the
    loss does not depend on is left alone, without momentum and weight decay.

    Args:
        network: The network.
        weights: The weights of its edges, without gradient; None for the uniform mean.
        examples: The batch.
        optimiser: That of the network's weights.
        compute: How the forward pass is made.
        clip: The largest L2 norm of the gradient, or None for any.
    """
    optimiser.zero_grad(set_to_none=True)
    loss, hits = mean_loss(network, weights, examples, compute)
    torch.autograd.backward(loss)
    if clip is not None:
        nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimiser.step()
    return loss, hits


def apply_gradients(
    tensors: Sequence[Tensor], gradients: Sequence[Tensor], optimiser: torch.optim.Optimizer
) -> None:
    """Let an optimiser step along given gradients, and leave none behind."""
    for tensor, gradient in zip(tensors, gradients, strict=True):
        tensor.grad = gradient
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
