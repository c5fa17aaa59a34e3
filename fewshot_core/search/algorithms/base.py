"""The contract of search algorithms.

An algorithm weights the operations of each edge and computes the gradient of the architecture
parameters. The epoch loop does the rest: batches, both optimisers, records. Adding one is
one file like this and one record in ``fewshot_core.search.algorithms``::

    class Likeliest(Algorithm):
        def weights(self, generator: torch.Generator) -> EdgeWeights:
            return EdgeWeights(self.alphas.probabilities())

        def gradients(self, step: ArchitectureStep) -> list[Tensor]:
            weights = EdgeWeights(self.alphas.probabilities())
            return step.gradients(weights, self.alphas.open_logits())
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fewshot_core.search.compute import Compute
from fewshot_core.search.data import Examples
from fewshot_core.search.network import Alphas, EdgeWeights, Network
from fewshot_core.search.options import SearchOptions


@dataclass(frozen=True)
class ArchitectureStep:
    """What an architecture step works with; the network's weights are the same after it as before.

    ``train`` is the batch of the weight step that follows, ``valid`` a batch of held-out images,
    and ``optimiser`` that of the weights.
    """

    network: Network
    train: Examples
    valid: Examples
    optimiser: torch.optim.SGD
    generator: torch.Generator
    compute: Compute

    def loss(self, weights: EdgeWeights, examples: Examples) -> Tensor:
        """Mean cross-entropy of a batch, a scalar."""
        return mean_loss(self.network, weights, examples, self.compute)[0]

    def gradients(self, weights: EdgeWeights, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Compute the gradients of the validation loss; the network's weights are constants."""
        with frozen(self.network):
            return gradients_of(self.loss(weights, self.valid), tensors)


class Algorithm(ABC):
    """A search algorithm; the epoch loop updates its architecture parameters (alphas)."""

    def __init__(self, alphas: Alphas, options: SearchOptions) -> None:
        self.alphas = alphas
        self.options = options
        self.temperature: float | None = None

    def start_epoch(self, epoch: int) -> None:
        """Prepare for an epoch, counted from 0."""
        return

    @abstractmethod
    def weights(self, generator: torch.Generator) -> EdgeWeights:
        """Return the weights of the edges for one batch of a weight step or of an evaluation.

        It is called without gradients, so that a weight step never reaches the architecture.
        """

    @abstractmethod
    def gradients(self, step: ArchitectureStep) -> list[Tensor]:
        """Return the gradient of each edge's logits that are still open, in their order."""

    def end_epoch(self) -> None:
        """Finish an epoch."""
        return


@contextmanager
def frozen(network: Network) -> Iterator[None]:
    """Treat the weights of a network as constants meanwhile."""
    wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in wanted:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)


def gradients_of(loss: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Compute the gradients of a loss; zeros where it does not depend on a tensor."""
    if not loss.requires_grad:  # a path can do without anything that is chosen
        return [torch.zeros_like(tensor) for tensor in tensors]
    return list(torch.autograd.grad(loss, list(tensors), allow_unused=True, materialize_grads=True))


def mean_loss(
    network: Network, weights: EdgeWeights | None, examples: Examples, compute: Compute
) -> tuple[Tensor, Tensor]:
    """Compute the mean cross-entropy of a batch, and the number of correct images."""
    with compute.autocast():
        logits = network(examples.images, weights)
    if compute.precision == "bfloat16":
        logits = logits.float()
    loss = functional.cross_entropy(logits, examples.labels)
    return loss, (logits.detach().argmax(dim=1) == examples.labels).sum()
