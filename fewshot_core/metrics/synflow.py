"""The strength of all paths through the weights (Eq. 9 of the paper; Tanaka et al., 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fewshot_core.metrics.base import MetricInfo, MetricInput, MetricOutput, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, Tensors, precise, saliency

if TYPE_CHECKING:
    from fewshot_core.nets import Supernet


def score(metric_input: MetricInput) -> MetricOutput:
    """Score each sub-supernet by its synaptic flow; no images are used."""
    size = metric_input.image_size
    return score_each(metric_input, lambda probe: synaptic_flow(probe.supernet, size))


def synaptic_flow(supernet: Supernet, image_size: int) -> Score:
    """Compute the sum of abs(gradient of R * weight), R the sum of the logits of an all-ones image.

    All weights are replaced by their absolute value and batch norm by the identity. The bias of
    the classifier stays as it is: R is linear in it, so that no weight's gradient depends on it.
    R multiplies some forty layers of positive numbers and overflows float32 (Eq. 9 read with the
    loss in it, as it is printed, would need labels; the objective R is that of Tanaka et al.).
    Everything is therefore computed in float64, on copies: the supernet is not changed.
    """
    import torch
    from torch.func import functional_call

    from fewshot_core.nets import probed_weights

    probed = probed_weights(supernet)
    weights = {name: precise(weight).abs().requires_grad_() for name, weight in probed.items()}
    (some, *_) = weights.values()
    ones = some.new_ones(1, 3, image_size, image_size)
    with supernet.probing("running"):
        logits = functional_call(supernet, weights | _identities(supernet, weights), (ones,))
    gradients = torch.autograd.grad(
        logits.sum(), list(weights.values()), allow_unused=True, materialize_grads=True
    )
    value = saliency(dict(zip(weights, gradients, strict=True)), weights)
    return Score(value, ZERO_GRADIENT if value == 0 else None)


def _identities(supernet: Supernet, weights: Tensors) -> Tensors:
    """Copy all other parameters, with batch norm and its stored statistics as the identity."""
    from fewshot_core.nets import normalisations

    rest = {
        name: precise(parameter)
        for name, parameter in supernet.named_parameters()
        if name not in weights
    }
    layers = set(normalisations(supernet))
    for name, layer in supernet.named_modules():
        if layer in layers:
            one = precise(layer.weight).new_ones(layer.weight.shape)
            rest[f"{name}.weight"] = one
            rest[f"{name}.bias"] = rest[f"{name}.running_mean"] = one - one
            rest[f"{name}.running_var"] = one - layer.eps
    return rest


SYNFLOW = MetricInfo(
    name="synflow",
    label="synflow",
    description="How strong all paths through the weights are together; no images are used.",
    equation=(
        r"f(m) = \sum_i \left| \frac{\partial R}{\partial w_i} \, w_i \right|, \quad "
        r"R = \mathbf{1}^\top m\left(\mathbf{1}, |w|\right)"
    ),
    source="Eq. 9 of the paper; Tanaka et al., 2020 (SynFlow); Abdelfattah et al., 2021",
    cost="one forward and one backward pass of one image of ones; no images are used",
    score=score,
    needs_images=False,
    uses_seed=False,
)
