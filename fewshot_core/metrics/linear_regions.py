"""How many linear regions inputs fall into (Appendix B.7 of the paper; TE-NAS, 2021)."""

import numpy as np
import torch
from torch import Tensor

from fewshot_core.images.batches import Batch
from fewshot_core.metrics.activations import count_patterns
from fewshot_core.metrics.contract import Question, Score, score_each
from fewshot_core.metrics.probe import Probe
from fewshot_core.metrics.scores import Answer
from fewshot_core.nets import Supernet
from fewshot_core.nets.thin import ThinNet

CROPS = 1000
"""Inputs of the thin network."""

CROP_SIZE = 3
"""Height and width of a crop, in pixels."""

REPEATS = 3
"""Thin networks, each with weights and crops of its own, that a count is the mean of."""


def score(question: Question) -> Answer:
    """Score each sub-supernet by the number of linear regions that inputs fall into.

    The variant ``paper`` counts on a thin network of the probed sub-space, ``batch`` on the
    sub-supernet itself, where with more than a few units every image has a region of its own.
    """
    if question.variant == "batch":
        return score_each(question, lambda probe: regions_of_batch(probe.supernet, probe.batch))

    def regions(probe: Probe) -> Score:
        return regions_of_thin_net(probe.supernet, probe.batch, question.seed)

    return score_each(question, regions)


def regions_of_batch(supernet: Supernet, batch: Batch) -> Score:
    """Return the number of regions that the images of a batch fall into."""
    return _score([count_patterns(supernet, batch.images)], len(batch.images))


def regions_of_thin_net(supernet: Supernet, batch: Batch, seed: int) -> Score:
    """Return the number of regions of a thin network that small crops of the images fall into.

    The weights are drawn by the supernet's seed and are not the supernet's; the crops are drawn by
    ``seed``. Both are the same for all operations, and differ between the repeats. TE-NAS puts
    3,000 crops of as many images into one count, which its repeats are the mean of; here it is
    1,000 of the batch.
    """
    counts = []
    for repeat in range(REPEATS):
        crops = draw_crops(batch.images, [seed % 2**64, repeat])
        net = ThinNet(supernet.sub_space, REPEATS * supernet.seed + repeat, supernet.batch_norm)
        counts.append(count_patterns(net.to(crops), crops))
    return _score(counts, len(crops))


def draw_crops(images: Tensor, seed: list[int]) -> Tensor:
    """Return random crops of one channel, all of different places.

    Args:
        images: Shape (B, C, H, W).
        seed: What the places are drawn by.

    Returns:
        Shape (``CROPS``, 1, ``CROP_SIZE``, ``CROP_SIZE``), or as many as the images have.
    """
    places = images.unfold(2, CROP_SIZE, 1).unfold(3, CROP_SIZE, 1)
    available = places.shape[:4]
    count = int(np.prod(available))
    drawn = np.random.default_rng(seed).choice(count, min(CROPS, count), replace=False)
    indices = [torch.from_numpy(axis) for axis in np.unravel_index(drawn, available)]
    return places[tuple(indices)].unsqueeze(1)


def _score(counts: list[float], inputs: int) -> Score:
    saturated = max(counts) == inputs
    flaw = f"the count is saturated (all {inputs:,} inputs have a region of their own)"
    return Score(float(np.mean(counts)), flaw if saturated else None)
