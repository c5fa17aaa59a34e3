"""A network that is small enough to build for every test, and images for it."""

import pytest
import torch
from one_thread import one_thread  # noqa: F401, for every test here
from torch import Tensor

from fewshot_core.nets import Supernet
from fewshot_core.space import SubSpace

MIXED = ["01110", "10000", "00011", "11111", "10010", "01001"]


@pytest.fixture
def images() -> Tensor:
    """Four images of 16 x 16 pixels."""
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def small() -> Supernet:
    """The supernet of the full space, with four channels and one cell per stage."""
    return Supernet(SubSpace.full(), channels=4, cells_per_stage=1)


@pytest.fixture
def mixed() -> SubSpace:
    """A sub-space with every kind of edge: only none, one convolution, some, all."""
    return SubSpace.from_rows(MIXED)
