"""The number of linear regions that inputs fall into (Appendix B.7 of the paper; TE-NAS, 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fewshot_core.metrics.base import (
    MetricInfo,
    MetricInput,
    MetricOutput,
    Probe,
    Score,
    score_each,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fewshot_core.images.sources import Batch
    from fewshot_core.nets import Supernet
    from fewshot_core.space import SubSpace

CROPS = 1000
"""Inputs of the thin network."""

CROP_SIZE = 3
"""Height and width of a crop, in pixels."""

REPEATS = 3
"""Thin networks, each with its own weights and crops, that a count is the mean of."""


def score(metric_input: MetricInput) -> MetricOutput:
    """Score each sub-supernet by the number of linear regions that inputs fall into.

    The variant ``paper`` counts on a thin network of the probed sub-space, ``batch`` on the
    sub-supernet itself, where with more than a few units every image has its own region.
    """

    def regions(probe: Probe) -> Score:
        if metric_input.variant == "paper":
            edge = metric_input.edge
            return regions_of_thin_net(probe.supernet, probe.batch, metric_input.seed, edge)
        images = probe.batch.images
        return _score([count_patterns(probe.supernet, images)], len(images))

    return score_each(metric_input, regions)


def regions_of_thin_net(supernet: Supernet, batch: Batch, seed: int, edge: int = 0) -> Score:
    """Count the regions of a thin network that small crops of the images fall into.

    The weights are seeded by the supernet's seed and are not the supernet's; the crops are seeded
    by ``seed``. Both are the same for all operations, and differ between the repeats. TE-NAS puts
    3,000 crops of as many images into one count, which its repeats are the mean of; here it is
    1,000 of the batch.
    """
    counts = []
    for repeat in range(REPEATS):
        crops = draw_crops(batch.images, [seed % 2**64, repeat])
        weights = REPEATS * supernet.seed + repeat
        net = thin_net(supernet.sub_space, weights, supernet.batch_norm, edge)
        counts.append(count_patterns(net.to(crops), crops))
    return _score(counts, len(crops))


def _score(counts: list[float], inputs: int) -> Score:
    saturated = max(counts) == inputs
    reason = f"the count is saturated (all {inputs:,} inputs are in different regions)"
    return Score(float(np.mean(counts)), reason if saturated else None)


def thin_net(sub_space: SubSpace, seed: int, batch_norm: str = "batch", edge: int = 0) -> nn.Module:
    """Build the thin network of a sub-space's search space; see ``Supernet.thin``.

    ``seed`` is of the weights: Kaiming normal, fan-out, as those of a supernet.
    """
    import torch

    from fewshot_core.nets import normalisations
    from fewshot_core.nets.layers import fresh_weights, initialise
    from fewshot_core.networks import supernet_class

    with fresh_weights(torch.device("cpu")):
        network = supernet_class(sub_space.space).thin(sub_space, edge)
    initialise(network, seed)
    for layer in normalisations(network):
        layer.mode = batch_norm
    return network


def draw_crops(images: Tensor, seed: list[int]) -> Tensor:
    """Draw random crops of one channel, all of different places of (B, C, H, W).

    Their shape is (``CROPS``, 1, ``CROP_SIZE``, ``CROP_SIZE``), or as many as the images have.
    """
    from torch import from_numpy

    places = images.unfold(2, CROP_SIZE, 1).unfold(3, CROP_SIZE, 1)
    available = places.shape[:4]
    count = int(np.prod(available))
    drawn = np.random.default_rng(seed).choice(count, min(CROPS, count), replace=False)
    indices = [from_numpy(axis) for axis in np.unravel_index(drawn, available)]
    return places[tuple(indices)].unsqueeze(1)


def count_patterns(network: nn.Module, images: Tensor) -> float:
    """Count the distinct sign patterns of the outputs of all ReLUs on a batch.

    Each pattern is of another linear piece of the network's function (with the statistics of
    batch norm as constants). A network without any ReLU is linear and has one.

    Args:
        network: Any network whose samples keep their places in the batch.
        images: Shape (B, C, H, W).

    Returns:
        A number from 1 to B; NaN if an output of a ReLU is not finite.
    """
    import torch
    from torch import Tensor
    from torch.nn import functional
    from torch.overrides import TorchFunctionMode

    relus = (torch.relu, torch.relu_, functional.relu, Tensor.relu, Tensor.relu_)
    finite: list[Tensor] = []
    signs = [torch.zeros(len(images), 1, dtype=torch.bool)]

    class WatchRelus(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            output = func(*args, **(kwargs or {}))
            if func in relus:
                finite.append(torch.isfinite(output).all())
                signs.append((output > 0).flatten(1))
            return output

    with torch.no_grad(), WatchRelus():
        network(images)
    if not all(finite):
        return float("nan")
    patterns = [np.packbits(one.cpu().numpy(), axis=1) for one in signs]  # eight in a byte
    return float(len(np.unique(np.concatenate(patterns, axis=1), axis=0)))


LINEAR_REGIONS = MetricInfo(
    name="linear_regions",
    label="#lr",
    description="How many linear pieces of the network's function the inputs fall into.",
    equation=(
        r"f(m) = \left| \left\{ \left(\mathrm{sign}\, a_1(x), \dots, \mathrm{sign}\, a_n(x)"
        r"\right) : x \in X \right\} \right|, \quad a_i \text{ the outputs of all ReLUs}"
    ),
    source="Appendix B.7 of the paper; Chen et al., 2021 (TE-NAS)",
    cost="three forward passes of a tiny network",
    score=score,
    variants={
        "paper": "1,000 crops of 3x3 pixels, three times, through a thin network: one cell, as "
        "in TE-NAS, or the probed layer of a chain",
        "batch": "the batch through the supernet itself; soon as many as there are images",
    },
)
