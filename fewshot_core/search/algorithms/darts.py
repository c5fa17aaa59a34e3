"""DARTS, first and second order (Liu et al., 2019).

An edge outputs the sum of its operations weighted by the softmax of its logits. The architecture
gradient takes the weights as they are: Eq. 6 of DARTS with a virtual step of length zero.

With w' = w - xi (mu m + g + lambda w), where g is the gradient of the training loss, m the momentum
buffer of the weights' optimiser, mu its factor, lambda its weight decay and xi its learning rate,
the gradient of L_valid(w'(a), a) with respect to the architecture parameters a is (Eq. 7)

    d L_valid(w', a) / da  -  xi  d^2 L_train(w, a) / (da dw)  v,     v = d L_valid(w', a) / dw'

and the second term is approximated by central differences (Eq. 8):

    (d L_train(w + e v, a) / da  -  d L_train(w - e v, a) / da) / (2 e),     e = 0.01 / |v|.

As in DARTS, the virtual step leaves out the correction of Nesterov's momentum and the clipping of
the gradient.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from fewshot_core.search.algorithms.base import Algorithm, ArchitectureStep, frozen, gradients_of
from fewshot_core.search.network import EdgeWeights


class FirstOrderDarts(Algorithm):
    """DARTS with the first-order approximation."""

    def weights(self, generator: torch.Generator) -> EdgeWeights:
        """Return the softmax of each edge's logits; nothing is sampled."""
        return EdgeWeights(self.alphas.probabilities())

    def gradients(self, step: ArchitectureStep) -> list[Tensor]:
        """Return the gradient of the validation loss."""
        weights = EdgeWeights(self.alphas.probabilities())
        return step.gradients(weights, self.alphas.open_logits())


_REACH = 0.01
"""The length of the two steps of the central difference (footnote to Eq. 8 of DARTS)."""


class SecondOrderDarts(FirstOrderDarts):
    """DARTS with the second-order approximation, by finite differences."""

    def gradients(self, step: ArchitectureStep) -> list[Tensor]:
        """Return the gradient of the validation loss after a virtual weight step."""
        parameters = list(step.network.parameters())
        logits = self.alphas.open_logits()
        with torch.no_grad():
            weights = self.weights(step.generator)
        slope = gradients_of(step.loss(weights, step.train), parameters)
        ahead = _virtual_step(slope, step, parameters)
        with _moved(parameters, ahead, 1.0):
            loss = step.loss(EdgeWeights(self.alphas.probabilities()), step.valid)
            found = gradients_of(loss, [*logits, *parameters])
        direct, vector = found[: len(logits)], found[len(logits) :]
        implicit = self._second_derivative(step, parameters, vector)
        rate = step.optimiser.param_groups[0]["lr"]
        return [first - rate * second for first, second in zip(direct, implicit, strict=True)]

    def _second_derivative(
        self, step: ArchitectureStep, parameters: Sequence[nn.Parameter], vector: list[Tensor]
    ) -> list[Tensor]:
        """Return the mixed second derivative of the training loss, times a vector (Eq. 8)."""
        logits = self.alphas.open_logits()
        length = float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(vector))))
        if length == 0:
            return [torch.zeros_like(tensor) for tensor in logits]
        reach = _REACH / length
        sides = []
        for sign in (1.0, -1.0):
            with _moved(parameters, vector, sign * reach), frozen(step.network):
                loss = step.loss(EdgeWeights(self.alphas.probabilities()), step.train)
                sides.append(gradients_of(loss, logits))
        return [(plus - minus) / (2 * reach) for plus, minus in zip(*sides, strict=True)]


def _virtual_step(
    gradients: list[Tensor], step: ArchitectureStep, parameters: Sequence[nn.Parameter]
) -> list[Tensor]:
    """Return w' - w of each parameter."""
    group = step.optimiser.param_groups[0]
    changes = []
    for parameter, gradient in zip(parameters, gradients, strict=True):
        change = gradient + group["weight_decay"] * parameter.detach()
        buffer = step.optimiser.state[parameter].get("momentum_buffer")
        if buffer is not None:
            change = change + group["momentum"] * buffer
        changes.append(-group["lr"] * change)
    return changes


@contextmanager
def _moved(
    parameters: Sequence[nn.Parameter], direction: Sequence[Tensor], length: float
) -> Iterator[None]:
    """Move parameters along a direction for a while, then put back exactly what they were."""
    before = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():
        for parameter, towards in zip(parameters, direction, strict=True):
            parameter.add_(towards, alpha=length)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, was in zip(parameters, before, strict=True):
                parameter.copy_(was)
