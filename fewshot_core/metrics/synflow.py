"""The strength of all paths through the weights (Eq. 9 of the paper; Tanaka et al., 2020)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fewshot_core.metrics.base import MetricInfo, MetricInput, MetricOutput, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, precise, saliency

if TYPE_CHECKING:
    from torch import Tensor

    from fewshot_core.nets import Supernet


def score(metric_input: MetricInput) -> MetricOutput:
    """Score each sub-supernet by its synaptic flow; no images are used."""
    size = metric_input.image_size
    positive = replace(metric_input, supernet=linearised(metric_input.supernet), _probes={})
    return score_each(positive, lambda probe: synaptic_flow(probe.supernet, size))


def linearised(supernet: Supernet) -> Supernet:
    """Copy a supernet, with the absolute values of its weights and without its batch norm.

    The bias of the classifier stays as it is: the sum of the logits is linear in it, so that no
    weight's gradient depends on it. That sum multiplies some forty layers of positive numbers and
    overflows float32; everything is therefore in float64.
    """
    from torch.nn import Parameter

    from fewshot_core.nets import normalisations, probed_weights

    twin = supernet.restrict(supernet.sub_space)
    for module in twin.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            module._parameters[name] = Parameter(precise(parameter).clone(), False)
        for name, buffer in list(module.named_buffers(recurse=False)):
            module._buffers[name] = precise(buffer).clone()
    for weight in probed_weights(twin).values():
        weight.abs_().requires_grad_()
    for layer in normalisations(twin):
        layer.mode = "identity"
    return twin


def synaptic_flow(supernet: Supernet, image_size: int) -> Score:
    """Compute the sum of abs(gradient of R * weight), R the sum of the logits of an all-ones image.

    Eq. 9 read with the loss in it, as it is printed, would need labels; the objective R is that of
    Tanaka et al. The supernet is one that is ``linearised``.
    """
    value = (
        _along(supernet, image_size) if supernet.only_convolves else _by_terms(supernet, image_size)
    )
    return Score(value, ZERO_GRADIENT if value == 0 else None)


def _by_terms(supernet: Supernet, image_size: int) -> float:
    """Add up abs(gradient of R * weight) over all weights of any supernet."""
    import torch

    from fewshot_core.nets import probed_weights

    weights = probed_weights(supernet)
    (some, *_) = weights.values()
    logits = supernet(some.new_ones(1, 3, image_size, image_size))
    gradients = torch.autograd.grad(
        logits.sum(), list(weights.values()), allow_unused=True, materialize_grads=True
    )
    return saliency(dict(zip(weights, gradients, strict=True)), weights)


def _along(supernet: Supernet, image_size: int) -> float:
    """Compute the derivative of R as all weights grow in proportion, which is the same sum.

    Where no number is negative, neither weights nor features, the terms are positive and the
    network is linear in its features. The derivative of a layer's output W x is W (dx + x): with
    x and dx as two images, one forward pass computes R and its derivative.
    """
    import torch
    from torch import nn

    def add_value(layer: Any, inputs: Any, output: Tensor) -> None:
        output[1] += output[0]
        if layer.bias is not None:  # it was added twice, and does not grow
            output[1] -= 2 * layer.bias.view(-1, *[1] * (output.ndim - 2))

    images = next(supernet.parameters()).new_zeros(2, 3, image_size, image_size)
    images[0] = 1
    layers = [one for one in supernet.modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(add_value) for layer in layers]
    try:
        with torch.no_grad():
            return float(supernet(images)[1].sum())
    finally:
        for hook in hooks:
            hook.remove()


SYNFLOW = MetricInfo(
    name="synflow",
    label="synflow",
    description="How strong all paths through the weights are together; no images are used.",
    equation=(
        r"f(m) = \sum_i \left| \frac{\partial R}{\partial w_i} \, w_i \right|, \quad "
        r"R = \mathbf{1}^\top m\left(\mathbf{1}, |w|\right)"
    ),
    source="Eq. 9 of the paper; Tanaka et al., 2020 (SynFlow); Abdelfattah et al., 2021",
    cost="one forward pass of two images, one of them of ones; no images are used",
    score=score,
    needs_images=False,
    uses_seed=False,
)
