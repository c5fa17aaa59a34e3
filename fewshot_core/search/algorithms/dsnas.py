"""DSNAS (Hu et al., 2020): draw one operation per edge and compute only that.

For each edge e, independently, one operation k is drawn with the probabilities p = softmax(a) of
its logits a. The path of the drawn operations is all that is computed. Each drawn output is
multiplied by 1; the derivative of the loss L with respect to that 1,

    c_e = dL / d1_e = sum over all cells of  < dL / d output of e, output of e >,

is the cost assigned to the choice on e: the part of a first-order expansion of L that is due to it.
The estimate of the architecture gradient is the score function times that cost:

    g_e = c_e  d log p_k / da = c_e (one-hot(k) - p).

Its expectation is the sum over all paths of the path's probability times g_e. It is the exact
gradient of the expected loss where L is a sum of terms that each depend on the choice of one edge
only. Else it is biased, but varies far less than with L itself in place of c_e.

An edge is decided, and stays so, once the probability of its likeliest operation exceeds that of
every other one by the threshold (progressive early stopping). This is looked at after each epoch.
Operations that were not drawn are not touched by the weight step: they have no gradient, no
momentum and no weight decay in it.
"""

import torch
from torch import Tensor

from fewshot_core.search.algorithms.base import Algorithm, ArchitectureStep
from fewshot_core.search.network import EdgeWeights


class Dsnas(Algorithm):
    """Direct stochastic NAS: single paths and progressive early stopping."""

    def weights(self, generator: torch.Generator) -> EdgeWeights:
        """Draw one operation for each edge."""
        return self.path_weights(self._draw(generator))

    def gradients(self, step: ArchitectureStep) -> list[Tensor]:
        """Return the score-function estimate from one drawn path."""
        return self.estimate(step, self._draw(step.generator))

    def estimate(self, step: ArchitectureStep, path: tuple[int, ...]) -> list[Tensor]:
        """Return the estimate from a given path: a position among the operations of each edge."""
        weights = self.path_weights(path)
        edges = self.alphas.open_edges
        ones = [weights.values[edge].requires_grad_() for edge in edges]
        costs = step.gradients(weights, ones)
        with torch.no_grad():
            probabilities = self.alphas.probabilities()
            return [
                cost[path[edge]] * (one - probabilities[edge])
                for edge, one, cost in zip(edges, ones, costs, strict=True)
            ]

    def path_weights(self, path: tuple[int, ...]) -> EdgeWeights:
        """Return one for the operations of a path."""
        rows = (self.alphas.one_hot(edge, position) for edge, position in enumerate(path))
        return EdgeWeights(tuple(rows), path)

    def end_epoch(self) -> None:
        """Decide the edges that are sure (Appendix A.5 of the paper)."""
        with torch.no_grad():
            rows = self.alphas.probabilities()
        for edge in self.alphas.open_edges:
            first, second = torch.topk(rows[edge], 2).values.tolist()
            if first - second >= self.options.stopping_threshold:
                self.alphas.decide(edge, int(rows[edge].argmax()))

    def _draw(self, generator: torch.Generator) -> tuple[int, ...]:
        """Draw a path; nothing is drawn for an edge that is decided."""
        with torch.no_grad():
            rows = [row.cpu() for row in self.alphas.probabilities()]
        return tuple(
            self.alphas.decided[edge]
            if edge in self.alphas.decided
            else int(torch.multinomial(row, 1, generator=generator))
            for edge, row in enumerate(rows)
        )
