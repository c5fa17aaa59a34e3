"""A short search on real CIFAR-10, where the images are."""

from pathlib import Path

import pytest

from fewshot_core.search import SearchOptions, search
from fewshot_core.space import SubSpace

CIFAR10 = Path(__file__).resolve().parents[3] / "shared" / "data" / "cifar10"
OPTIONS = SearchOptions(
    epochs=3, batch_size=32, channels=4, cells_per_stage=1, images=640, learning_rate=0.05
)


@pytest.mark.skipif(not CIFAR10.is_dir(), reason="the CIFAR-10 images are not in ../shared")
def test_a_search_on_real_images_gets_better_than_chance():
    sub_space = SubSpace.from_rows(["00010", "01000", "00110", "01010", "00010", "01010"])
    records = list(search("snas", sub_space, options=OPTIONS, images=CIFAR10))
    assert max(record.valid_accuracy for record in records[1:]) > 15
    assert records[-1].train_loss < records[1].train_loss
