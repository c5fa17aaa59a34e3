"""DARTS, first order (Liu et al., 2019): descend the validation loss of a mixture.

An edge outputs the sum of its operations weighted by the softmax of its logits. The architecture
gradient takes the weights as they are: Eq. 6 of DARTS with a virtual step of length zero.
"""

import torch
from torch import Tensor

from fewshot_core.search.contract import Algorithm, ArchitectureStep
from fewshot_core.search.network import EdgeWeights


class FirstOrderDarts(Algorithm):
    """DARTS with the first-order approximation."""

    def weights(self, generator: torch.Generator) -> EdgeWeights:
        """Return the softmax of each edge's logits; nothing is drawn."""
        return EdgeWeights(self.alphas.probabilities())

    def gradients(self, step: ArchitectureStep) -> list[Tensor]:
        """Return the gradient of the validation loss."""
        weights = EdgeWeights(self.alphas.probabilities())
        return step.gradients(weights, self.alphas.open_logits())
