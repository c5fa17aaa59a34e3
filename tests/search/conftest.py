"""Networks and images that are small enough for every test."""

from collections.abc import Callable

import pytest
import torch
from one_thread import one_thread  # noqa: F401, for every test here
from slow_search import CHANNELS, CLASSES

from fewshot_core.datasets import DATASETS
from fewshot_core.images import Provenance
from fewshot_core.nets import Supernet
from fewshot_core.search import SearchOptions
from fewshot_core.search.algorithms.base import ArchitectureStep
from fewshot_core.search.compute import Compute
from fewshot_core.search.data import Examples, Images, SearchData, halved
from fewshot_core.search.network import Alphas, WeightedSupernet
from fewshot_core.space import SubSpace

MIXED = ["01110", "10000", "00011", "11111", "10010", "01001"]
CPU = Compute(torch.device("cpu"))


@pytest.fixture
def mixed() -> SubSpace:
    """A sub-space with every kind of edge: only none, some, all; two without a choice."""
    return SubSpace.from_rows(["01110", "10000", "00011", "11111", "00010", "01001"])


@pytest.fixture
def tiny_options() -> SearchOptions:
    """Hyperparameters for three epochs of two steps."""
    return SearchOptions(
        epochs=3, batch_size=8, channels=2, cells_per_stage=1, architecture_learning_rate=0.05
    )


@pytest.fixture
def tiny_data() -> SearchData:
    """Thirty-two images of 8 x 8 pixels, four classes that differ in their mean colour."""
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(32) % CLASSES
    colours = 2 * torch.randn(CLASSES, 3, 1, 1, generator=generator)
    pixels = colours[labels] + torch.randn(32, 3, 8, 8, generator=generator)
    order = torch.randperm(32, generator=generator)
    whole = Images(pixels[order], labels[order], torch.tensor([-2.0, -2.1, -1.7]))
    provenance = Provenance("cifar10", "test", "test", True, "train", "f" * 64, 32)
    return halved(whole, DATASETS.get("cifar10"), provenance)


@pytest.fixture
def double_net() -> Callable[[SubSpace], WeightedSupernet]:
    """Make a network in float64 in which nothing is zero or one any more."""

    def make(sub_space: SubSpace) -> WeightedSupernet:
        supernet = Supernet(sub_space, CLASSES, CHANNELS, 1).double()
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for parameter in supernet.parameters():
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.add_(noise, alpha=0.2)
        return WeightedSupernet(supernet)

    return make


@pytest.fixture
def double_alphas() -> Callable[[SubSpace], Alphas]:
    """Make logits in float64 that are far from equal."""

    def make(sub_space: SubSpace) -> Alphas:
        alphas = Alphas(sub_space, torch.Generator().manual_seed(7), dtype=torch.float64)
        generator = torch.Generator().manual_seed(8)
        with torch.no_grad():
            for logits in alphas.learnable():
                logits.copy_(torch.randn(len(logits), generator=generator))
        return alphas

    return make


@pytest.fixture
def make_step() -> Callable[..., ArchitectureStep]:
    """Make what an architecture step works with, on two batches of noise in float64."""

    def make(network: torch.nn.Module, seed: int = 0) -> ArchitectureStep:
        generator = torch.Generator().manual_seed(11)
        batches = [
            Examples(
                torch.randn(4, 3, 8, 8, generator=generator, dtype=torch.float64),
                torch.randint(CLASSES, (4,), generator=generator),
            )
            for _ in range(2)
        ]
        optimiser = torch.optim.SGD(
            network.parameters(), lr=0.05, momentum=0.9, weight_decay=3e-4, nesterov=True
        )
        drawing = torch.Generator().manual_seed(seed)
        return ArchitectureStep(network, *batches, optimiser, drawing, CPU)

    return make
