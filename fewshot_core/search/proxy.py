"""Proxy quality: do accuracies with shared weights rank architectures as a table does?

This is what few-shot NAS (Zhao et al., 2021) reports of a trained supernet.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from fewshot_core.nets import Supernet
from fewshot_core.search.compute import Compute
from fewshot_core.search.correlation import RankCorrelation, rank_correlation
from fewshot_core.search.data import Images
from fewshot_core.search.errors import SearchError
from fewshot_core.search.evaluation import evaluate
from fewshot_core.search.network import WeightedSupernet, path_weights
from fewshot_core.space import Architecture


@dataclass(frozen=True)
class ProxyQuality:
    """How well a supernet's shared weights foretell the accuracy of architectures.

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
    compute: Compute | None = None,
) -> ProxyQuality:
    """Compare accuracies with shared weights to those of a table, on random architectures.

    Args:
        supernet: A trained network; architectures are drawn from its sub-space.
        images: Held-out images; each batch is normalised by its own statistics.
        table: Columns architecture (index) and accuracy_mean (percent), as of
            ``fewshot_core.bench.load_accuracy``.
        sample: How many architectures, drawn without replacement; all, if there are fewer.
        seed: Which ones.
        batch_size: Images in a batch.
        compute: Where and how to compute.

    Raises:
        SearchError: If the table has fewer than two of the sub-space's architectures.
    """
    drawn, benchmark = _draw(supernet, table, sample, seed)
    how = compute or Compute(torch.device("cpu"))
    shared = [shared_accuracy(supernet, int(index), images, batch_size, how) for index in drawn]
    rows = pd.DataFrame(
        {"architecture": drawn, "shared_accuracy": shared, "benchmark_accuracy": benchmark}
    )
    return ProxyQuality(rank_correlation(shared, benchmark), rows, seed)


def _draw(
    supernet: Supernet, table: pd.DataFrame, sample: int, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return indices and benchmark accuracies of random architectures, by ascending index."""
    known = table.set_index("architecture")["accuracy_mean"].dropna()
    indices = np.intersect1d(supernet.sub_space.architecture_indices(), known.index.to_numpy())
    if len(indices) < 2 or sample < 2:
        raise SearchError(
            f"expected at least 2 architectures to compare, got a sample of {sample} from the "
            f"{len(indices)} of the sub-space that the table knows"
        )
    count = min(sample, len(indices))
    drawn = np.sort(np.random.default_rng(seed).choice(indices, count, replace=False))
    return drawn, known.loc[drawn].to_numpy(dtype=np.float64)


def shared_accuracy(
    supernet: Supernet, index: int, images: Images, batch_size: int, compute: Compute
) -> float:
    """Return the accuracy of an architecture, given by its index, with shared weights, percent."""
    operations = Architecture.from_index(index).operations
    pairs = zip(supernet.sub_space.enabled, operations, strict=True)
    path = tuple(enabled.index(operation) for enabled, operation in pairs)
    weights = path_weights(supernet, path)
    network = WeightedSupernet(supernet)
    return evaluate(network, images, batch_size, compute, lambda: weights).accuracy
