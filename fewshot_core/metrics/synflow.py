"""The strength of all paths through the weights (Eq. 9 of the paper; Tanaka et al., 2020)."""

import torch
from torch.func import functional_call

from fewshot_core.metrics.base import Answer
from fewshot_core.metrics.contract import Question, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, Tensors, saliency
from fewshot_core.metrics.precision import precise
from fewshot_core.nets import BatchNorm, Supernet, probed_weights


def score(question: Question) -> Answer:
    """Score each sub-supernet by its synaptic flow; no images are used."""
    return score_each(question, lambda probe: synaptic_flow(probe.supernet, question.image_size))


def synaptic_flow(supernet: Supernet, image_size: int) -> Score:
    """Return the sum of abs(gradient of R * weight), R the sum of the logits of one all-ones image.

    All weights are replaced by their absolute value and batch norm by the identity. The bias of
    the classifier stays as it is: R is linear in it, so that no weight's gradient depends on it.
    R multiplies some forty layers of positive numbers and overflows float32 (Eq. 9 read with the
    loss in it, as it is printed, would need labels; the objective R is that of Tanaka et al.).
    Everything is therefore computed in float64, on copies: the supernet is not touched.
    """
    weights = _absolute_weights(supernet)
    (some, *_) = weights.values()
    ones = some.new_ones(1, 3, image_size, image_size)
    with supernet.probing("running"):
        logits = functional_call(supernet, weights | _identities(supernet), (ones,))
    gradients = torch.autograd.grad(
        logits.sum(), list(weights.values()), allow_unused=True, materialize_grads=True
    )
    value = saliency(dict(zip(weights, gradients, strict=True)), weights)
    return Score(value, ZERO_GRADIENT if value == 0 else None)


def _absolute_weights(supernet: Supernet) -> Tensors:
    return {
        name: precise(weight).abs().requires_grad_()
        for name, weight in probed_weights(supernet).items()
    }


def _identities(supernet: Supernet) -> Tensors:
    """Return everything that is no probed weight, so that stored statistics are the identity."""
    weights = probed_weights(supernet)
    rest = {
        name: precise(parameter)
        for name, parameter in supernet.named_parameters()
        if name not in weights
    }
    for name, layer in supernet.named_modules():
        if isinstance(layer, BatchNorm):
            for part, value in _identity(layer).items():
                rest[f"{name}.{part}"] = value
    return rest


def _identity(layer: BatchNorm) -> Tensors:
    """Return parameters and statistics with which a layer changes nothing."""
    one = torch.ones_like(precise(layer.weight))
    zero = torch.zeros_like(one)
    return {"weight": one, "bias": zero, "running_mean": zero, "running_var": one - layer.eps}
