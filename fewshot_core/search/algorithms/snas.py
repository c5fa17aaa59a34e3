"""SNAS (Xie et al., 2018): draw the mixture, and let it become a choice.

For each edge, independently, with logits a and standard Gumbel noise G, the weights of its
operations are softmax((a + G) / T). As the temperature T falls over the epochs they come closer to
one operation drawn with the probabilities softmax(a). The architecture gradient goes through the
drawn weights.

Validation accuracy is that of drawn mixtures too, a new one for each batch: an estimate of the
expectation that SNAS optimises.
"""

import torch
from torch import Tensor

from fewshot_core.search import options as schedules
from fewshot_core.search.algorithms.base import Algorithm, ArchitectureStep
from fewshot_core.search.network import EdgeWeights


class Snas(Algorithm):
    """Stochastic NAS with the concrete distribution."""

    def start_epoch(self, epoch: int) -> None:
        """Set the temperature of an epoch (Appendix A.4 of the paper)."""
        options = self.options
        self.temperature = schedules.temperature(
            options.temperature_schedule,
            options.temperature,
            options.final_temperature,
            epoch,
            options.epochs,
        )

    def weights(self, generator: torch.Generator) -> EdgeWeights:
        """Sample a mixture for each edge."""
        rows = list(self.alphas.probabilities())
        for edge in self.alphas.open_edges:
            logits = self.alphas.logits[edge]
            noise = gumbel(len(logits), generator).to(logits)
            rows[edge] = concrete(logits, noise, self.temperature or self.options.temperature)
        return EdgeWeights(tuple(rows))

    def gradients(self, step: ArchitectureStep) -> list[Tensor]:
        """Return the gradient of the validation loss of a sampled mixture."""
        return step.gradients(self.weights(step.generator), self.alphas.open_logits())


def concrete(logits: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """Sample the concrete distribution: softmax((logits + noise) / temperature)."""
    return torch.softmax((logits + noise) / temperature, dim=0)


def gumbel(size: int, generator: torch.Generator) -> Tensor:
    """Return standard Gumbel noise, float32 (size,)."""
    uniform = torch.rand(size, generator=generator).clamp_(min=torch.finfo(torch.float32).tiny)
    return -torch.log(-torch.log(uniform))
