"""Loss and accuracy of a network over images."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fewshot_core.search.compute import Compute
from fewshot_core.search.contract import mean_loss
from fewshot_core.search.data import Images, in_order
from fewshot_core.search.errors import SearchError
from fewshot_core.search.network import EdgeWeights, Network


@dataclass(frozen=True)
class Score:
    """How well images were recognised.

    Attributes:
        loss: Mean cross-entropy.
        accuracy: In percent.
    """

    loss: float
    accuracy: float


class Tally:
    """Adds up the losses and hits of batches, leaving them on their device until asked."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._hits: list[Tensor] = []
        self._sizes: list[int] = []

    def add(self, loss: Tensor, hits: Tensor, size: int) -> None:
        """Add a batch of ``size`` images with its mean loss and how many were recognised."""
        self._losses.append(loss.detach())
        self._hits.append(hits)
        self._sizes.append(size)

    def score(self) -> Score:
        """Return loss and accuracy over all images.

        Raises:
            SearchError: If the loss is not a finite number.
        """
        total = sum(self._sizes)
        losses = torch.stack(self._losses).tolist()
        loss = math.fsum(map(math.prod, zip(losses, self._sizes, strict=True))) / total
        if not math.isfinite(loss):
            raise SearchError(
                f"the loss is {loss}: training diverged; choose a smaller learning rate"
            )
        hits = sum(torch.stack(self._hits).tolist())
        return Score(loss, 100 * hits / total)


def evaluate(
    network: Network,
    images: Images,
    batch_size: int,
    compute: Compute,
    weights: Callable[[], EdgeWeights | None] = lambda: None,
) -> Score:
    """Return loss and accuracy over all images, normalised by the statistics of each batch.

    Args:
        network: The network.
        images: What it is to recognise; neither cropped nor flipped.
        batch_size: About how many at once.
        compute: How forward passes are made.
        weights: Gives the weights of the edges for each batch; None weighs all alike.
    """
    tally = Tally()
    with torch.no_grad():
        for rows in in_order(len(images), batch_size):
            loss, hits = mean_loss(network, weights(), images.take(rows), compute)
            tally.add(loss, hits, len(rows))
    return tally.score()
