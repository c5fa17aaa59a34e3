"""Images, and networks that look trained."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from one_thread import one_thread  # noqa: F401, for every test here

from fewshot_core.images import load_batch, register_source
from fewshot_core.images.sources import Batch
from fewshot_core.nets import Supernet
from fewshot_core.nets.layers import normalisations
from fewshot_core.space import SubSpace

CIFAR10 = Path(__file__).parents[3] / "shared" / "data" / "cifar10"

Batches = Callable[..., Batch]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow(reason): takes seconds, for the reason given")


@pytest.fixture(scope="session")
def image_batch(tmp_path_factory: pytest.TempPathFactory) -> Batches:
    """Load images: ``image_batch(size, seed)``; CIFAR-10, or synthetic ones where it is missing."""
    folder = tmp_path_factory.mktemp("data")
    if CIFAR10.is_dir():
        register_source("cifar10", CIFAR10, data_dir=folder)

    def load(size: int, seed: int = 0) -> Batch:
        source = None if CIFAR10.is_dir() else "synthetic"
        return load_batch("cifar10", size, seed=seed, source=source, data_dir=folder)

    return load


@pytest.fixture(scope="session")
def tiny_batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """Four synthetic images of 12x12 pixels, for what does not depend on what is in them."""
    folder = tmp_path_factory.mktemp("data")
    whole = load_batch("cifar10", 4, source="synthetic", data_dir=folder)
    return replace(whole, images=whole.images[:, :, 4:28:2, 4:28:2].contiguous())


def trained(supernet: Supernet) -> Supernet:
    """Give a supernet statistics, scales and biases as after training."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for layer in normalisations(supernet):
            layer.weight.uniform_(0.5, 1.5, generator=generator)
            layer.bias.normal_(0, 0.2, generator=generator)
            layer.running_mean.normal_(0, 0.2, generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
        supernet.classifier.bias.normal_(0, 0.2, generator=generator)
    return supernet


@pytest.fixture(scope="session")
def small_net() -> Supernet:
    """The supernet with four channels and one cell per stage; only to read."""
    return trained(Supernet(SubSpace.full(), channels=4, cells_per_stage=1))


@pytest.fixture(scope="session")
def small_macro() -> Supernet:
    """The supernet of NAS-Bench-Macro with a stem of two channels; only to read."""
    return trained(Supernet(SubSpace.full("nas-bench-macro"), channels=1))


@pytest.fixture
def small(small_net: Supernet) -> Supernet:
    """The same, for a test to change."""
    return copy.deepcopy(small_net)


@pytest.fixture(scope="session")
def full_net() -> Supernet:
    """The supernet of full size, untrained as for the published splits; only to read."""
    return Supernet(SubSpace.full())
