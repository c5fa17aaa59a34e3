"""A small supernet, synthetic images for it, and a tree that took no time."""

from dataclasses import replace

import pytest
from one_thread import one_thread  # noqa: F401, for every test here

from fewshot_core.images import SYNTHETIC, load_batch
from fewshot_core.images.sources import Batch
from fewshot_core.nets import Supernet
from fewshot_core.space import SubSpace
from fewshot_core.splitting import SplitTree, split


@pytest.fixture(scope="session")
def small() -> Supernet:
    """The supernet of the full space, with two channels and one cell per stage; only to read."""
    return Supernet(SubSpace.full(), channels=2, cells_per_stage=1)


@pytest.fixture(scope="session")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """Three synthetic images, of which every fourth pixel is kept."""
    folder = tmp_path_factory.mktemp("data")
    whole = load_batch("cifar10", 3, source=SYNTHETIC, data_dir=folder)
    return replace(whole, images=whole.images[:, :, ::4, ::4].contiguous())


@pytest.fixture(scope="session")
def random_tree(small: Supernet) -> SplitTree:
    """A tree of eight leaves, grouped at random."""
    return split("random", small, None)
