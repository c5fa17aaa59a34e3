"""How many linear regions inputs fall into (Appendix B.7 of the paper; TE-NAS, 2021)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from fewshot_core.images.batches import Batch
from fewshot_core.metrics.base import Answer
from fewshot_core.metrics.contract import Probe, Question, Score, score_each
from fewshot_core.nets import Supernet
from fewshot_core.nets.cell import Cell
from fewshot_core.nets.layers import BatchNorm, initialise, normalisations
from fewshot_core.space import SubSpace


class ThinNet(nn.Module):
    """One cell of one channel, then batch norm and ReLU (Chen et al., 2021, TE-NAS).

    There is no stem. TE-NAS asks for one cell in each stage and then cuts the network off after
    its first block, so that nothing is left of the later stages. They would not fit either: of an
    image of 3x3 pixels, the residual block's convolution of stride 2 makes 2x2 pixels and the
    pooling of its shortcut 1x1.

    Args:
        sub_space: The operations enabled on each edge.
        seed: Seed of the weights: Kaiming normal, for which fan-in and fan-out are here the same.
        batch_norm: ``"batch"`` or ``"running"``.
    """

    def __init__(self, sub_space: SubSpace, seed: int, batch_norm: str = "batch") -> None:
        super().__init__()
        with torch.device("meta"):  # PyTorch's own initial weights would use the global seed
            self.cell = Cell(1, sub_space)
            self.norm = BatchNorm(1)
        self.to_empty(device="cpu")
        initialise(self, seed)
        for layer in normalisations(self):
            layer.mode = batch_norm

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 1, H, W) to the same shape."""
        return torch.relu(self.norm(self.cell(images)))


_RELUS = (torch.relu, torch.relu_, functional.relu, Tensor.relu, Tensor.relu_)


def count_patterns(network: nn.Module, images: Tensor) -> float:
    """Return how many distinct sign patterns a batch makes of the outputs of all ReLUs.

    Each pattern is of another linear piece of the network's function (with the statistics of
    batch norm as constants). A network without any ReLU is linear and has one.

    Args:
        network: Any network whose samples keep their places in the batch.
        images: Shape (B, C, H, W).

    Returns:
        A number from 1 to B; not a number if an output of a ReLU is not finite.
    """
    with torch.no_grad(), _ReluWatch(len(images)) as watch:
        network(images)
    if not watch.finite:
        return float("nan")
    return float(len(np.unique(np.concatenate(watch.patterns, axis=1), axis=0)))


class _ReluWatch(TorchFunctionMode):
    """Keeps the signs of all ReLU outputs, eight in a byte."""

    def __init__(self, samples: int) -> None:
        super().__init__()
        self.finite = True
        self.patterns: list[npt.NDArray[np.uint8]] = [np.zeros((samples, 1), dtype=np.uint8)]

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a function of PyTorch; keep the signs if it is a ReLU."""
        output = func(*args, **(kwargs or {}))
        if func in _RELUS:
            self.finite = self.finite and bool(torch.isfinite(output).all())
            active = (output > 0).flatten(1).cpu().numpy()
            self.patterns.append(np.packbits(active, axis=1))
        return output


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
