"""Loss and accuracy of a network over images, and the stored statistics of batch norm."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from fewshot_core.nets import BatchNorm, Supernet, held_statistics
from fewshot_core.search.algorithms.base import mean_loss
from fewshot_core.search.compute import Compute
from fewshot_core.search.data import Images, in_order
from fewshot_core.search.network import EdgeWeights, Network, WeightedSupernet, path_weights
from fewshot_core.search.options import SearchError

BATCHES = 50
"""The most batches that statistics are averaged over."""

_Moments = list[tuple[Tensor, Tensor]]


def store_statistics(supernet: Supernet, images: Images, batch_size: int) -> None:
    """Store the mean statistics of some batches, for batch norm with stored statistics.

    Every edge outputs the mean of its operations, and each batch is normalised by its own
    statistics. As in PyTorch, the stored variance is the unbiased one. The images are those it was
    trained on, neither cropped nor flipped.
    """
    layers = [layer for layer in supernet.modules() if isinstance(layer, BatchNorm)]
    seen: dict[BatchNorm, _Moments] = defaultdict(list)
    handles = [layer.register_forward_pre_hook(_observe(seen[layer])) for layer in layers]
    try:
        with torch.no_grad(), held_statistics(supernet):  # calls each layer by itself
            for rows in islice(in_order(len(images), batch_size), BATCHES):
                supernet(images.take(rows).images)
    finally:
        for handle in handles:
            handle.remove()
    for layer in layers:
        _store(layer, seen[layer])


def _observe(seen: _Moments) -> Callable[[nn.Module, Any], None]:

    def hook(module: nn.Module, inputs: Any) -> None:
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3))
        seen.append((mean, variance))

    return hook


def _store(layer: BatchNorm, seen: _Moments) -> None:
    if not seen or layer.running_mean is None or layer.running_var is None:
        return
    means, variances = zip(*seen, strict=True)
    layer.running_mean.copy_(torch.stack(means).mean(dim=0))
    layer.running_var.copy_(torch.stack(variances).mean(dim=0))


@dataclass(frozen=True)
class Score:
    """Mean cross-entropy, and accuracy in percent, over images."""

    loss: float
    accuracy: float


class Tally:
    """Sum of the losses and hits of batches, kept on their device until ``score``."""

    def __init__(self) -> None:
        self._batches: list[tuple[Tensor, Tensor, int]] = []

    def add(self, loss: Tensor, hits: Tensor, size: int) -> None:
        """Add the mean loss and the number of correct images of a batch of ``size`` images."""
        self._batches.append((loss.detach(), hits, size))

    def score(self) -> Score:
        """Compute loss and accuracy over all images; raises SearchError if the loss is infinite."""
        losses, hits, sizes = zip(*self._batches, strict=True)
        total = sum(sizes)
        sums = zip(torch.stack(losses).tolist(), sizes, strict=True)
        loss = math.fsum(map(math.prod, sums)) / total
        if not math.isfinite(loss):
            raise SearchError(
                f"the loss is {loss}: training diverged; choose a smaller learning rate"
            )
        return Score(loss, 100 * sum(torch.stack(hits).tolist()) / total)


def evaluate(
    network: Network,
    images: Images,
    batch_size: int,
    compute: Compute,
    weights: Callable[[], EdgeWeights | None] = lambda: None,
) -> Score:
    """Compute loss and accuracy over all images, normalised by the statistics of each batch.

    ``weights`` gives the weights of the edges for each batch; None for equal weights.
    """
    tally = Tally()
    with torch.no_grad():
        for rows in in_order(len(images), batch_size):
            loss, hits = mean_loss(network, weights(), images.take(rows), compute)
            tally.add(loss, hits, len(rows))
    return tally.score()


def shared_accuracies(
    supernet: Supernet,
    architectures: Sequence[int],
    images: Images,
    batch_size: int,
    compute: Compute,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[float]:
    """Measure the accuracy of architectures, given by index, with shared weights, in percent.

    Each batch of images is normalised by its own statistics. Progress is called before each
    architecture, with the numbers done and in all.
    """
    network, space = WeightedSupernet(supernet), supernet.sub_space.space

    def accuracy(index: int) -> float:
        pairs = zip(supernet.sub_space.enabled, space.decode(index), strict=True)
        path = tuple(enabled.index(operation) for enabled, operation in pairs)
        weights = path_weights(supernet, path)
        return evaluate(network, images, batch_size, compute, lambda: weights).accuracy

    found = []
    for number, index in enumerate(architectures):
        progress(number, len(architectures))
        found.append(accuracy(index))
    return found
