"""Loss and accuracy of a network over images, and the stored statistics of batch norm."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from fewshot_core.nets import BatchNorm, Supernet, held_statistics
from fewshot_core.search.algorithms.base import mean_loss
from fewshot_core.search.compute import Compute
from fewshot_core.search.data import Images, in_order
from fewshot_core.search.network import EdgeWeights, Network, WeightedSupernet, path_weights
from fewshot_core.search.options import SearchError
from fewshot_core.search.proxy import RankCorrelation, SharedAccuracies, compare, draw
from fewshot_core.space import Architecture

BATCHES = 50
"""The most batches that statistics are averaged over."""

_Moments = list[tuple[Tensor, Tensor]]


def store_statistics(supernet: Supernet, images: Images, batch_size: int) -> None:
    """Store the mean statistics of some batches, for batch norm with stored statistics.

    Every edge outputs the mean of its operations, and each batch is normalised by its own
    statistics. As in PyTorch, the stored variance is the unbiased one.

    Args:
        supernet: The network.
        images: What it was trained on; neither cropped nor flipped.
        batch_size: About how many images at once.
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
    """Create a hook that records mean and variance of a layer's input."""

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
    """Loss and accuracy over images.

    Attributes:
        loss: Mean cross-entropy.
        accuracy: In percent.
    """

    loss: float
    accuracy: float


class Tally:
    """Sum of the losses and hits of batches, kept on their device until ``score``."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._hits: list[Tensor] = []
        self._sizes: list[int] = []

    def add(self, loss: Tensor, hits: Tensor, size: int) -> None:
        """Add the mean loss and the number of correct images of a batch of ``size`` images."""
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
    """Compute loss and accuracy over all images, normalised by the statistics of each batch.

    Args:
        network: The network.
        images: The images, neither cropped nor flipped.
        batch_size: About how many at once.
        compute: How forward passes are made.
        weights: Gives the weights of the edges for each batch; None for equal weights.
    """
    tally = Tally()
    with torch.no_grad():
        for rows in in_order(len(images), batch_size):
            loss, hits = mean_loss(network, weights(), images.take(rows), compute)
            tally.add(loss, hits, len(rows))
    return tally.score()


@dataclass(frozen=True)
class ProxyQuality:
    """How well a supernet's shared weights predict the accuracy of architectures.

    Attributes:
        correlation: Between the two columns of ``architectures``.
        architectures: Columns architecture (index), shared_accuracy (percent, with the supernet's
            weights on the given images) and benchmark_accuracy (percent, of the table).
        seed: The seed of the sample.
    """

    correlation: RankCorrelation
    architectures: pd.DataFrame
    seed: int


def proxy_quality(
    supernet: Supernet,
    images: Images,
    table: pd.DataFrame,
    sample: int = 100,
    seed: int = 0,
    batch_size: int = 64,
) -> ProxyQuality:
    """Measure how well shared weights rank architectures; see ``fewshot_core.search``."""
    known = table.dropna(subset=["accuracy_mean"])["architecture"].to_numpy()
    indices = np.intersect1d(supernet.sub_space.architecture_indices(), known)
    if len(indices) < 2 or sample < 2:
        raise SearchError(
            f"expected at least 2 architectures to compare, got a sample of {sample} from the "
            f"{len(indices)} of the sub-space that the table knows"
        )
    drawn = draw(indices, sample, seed)
    compute = Compute(torch.device("cpu"))
    accuracies = shared_accuracies(supernet, drawn, images, batch_size, compute)
    shared = SharedAccuracies(0, seed, len(images), True, tuple(drawn), tuple(accuracies))
    correlation, frame = compare(shared, table)
    if correlation is None:
        raise SearchError("expected at least 2 architectures to compare")
    return ProxyQuality(correlation, frame, seed)


def shared_accuracies(
    supernet: Supernet,
    architectures: Sequence[int],
    images: Images,
    batch_size: int,
    compute: Compute,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[float]:
    """Measure the accuracy of architectures, given by their indices, with shared weights.

    Args:
        supernet: A trained network.
        architectures: Indices.
        images: Each batch of them is normalised by its own statistics.
        batch_size: About how many images at once.
        compute: How forward passes are made.
        progress: Called with the numbers done and in all, before each.

    Returns:
        Accuracies in percent.
    """
    found = []
    for number, index in enumerate(architectures):
        progress(number, len(architectures))
        found.append(shared_accuracy(supernet, index, images, batch_size, compute))
    return found


def shared_accuracy(
    supernet: Supernet, index: int, images: Images, batch_size: int, compute: Compute
) -> float:
    """Measure the accuracy of one architecture, in percent; see ``shared_accuracies``."""
    operations = Architecture.from_index(index).operations
    pairs = zip(supernet.sub_space.enabled, operations, strict=True)
    path = tuple(enabled.index(operation) for enabled, operation in pairs)
    weights = path_weights(supernet, path)
    network = WeightedSupernet(supernet)
    return evaluate(network, images, batch_size, compute, lambda: weights).accuracy
