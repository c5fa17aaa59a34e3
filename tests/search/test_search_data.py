"""The images of a search."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fewshot_core.errors import ImagesError
from fewshot_core.images import find_source
from fewshot_core.images.sources import open_reader
from fewshot_core.search import SearchError, SearchOptions, search
from fewshot_core.search.data import (
    Images,
    augment,
    crop_and_flip,
    in_order,
    load_data,
    training_batches,
)
from fewshot_core.space import SubSpace


@pytest.fixture(scope="module")
def loaded():
    return load_data("cifar10", 40, split_seed=3, source="synthetic")


def test_half_of_the_images_are_held_out(loaded):
    assert (len(loaded.whole), len(loaded.train), len(loaded.valid)) == (40, 20, 20)
    both = torch.cat([loaded.train.pixels, loaded.valid.pixels])
    assert torch.equal(both, loaded.whole.pixels)
    assert loaded.dataset.classes == 10
    assert loaded.provenance.size == 40
    assert loaded.provenance.synthetic


def test_pixels_are_normalised_by_the_channel_statistics_of_the_data_set(loaded):
    pixels, labels = _rows(3, 40)
    mean = np.array([0.4914, 0.4822, 0.4465]).reshape(3, 1, 1)
    std = np.array([0.2470, 0.2435, 0.2616]).reshape(3, 1, 1)
    expected = torch.from_numpy((pixels / 255 - mean) / std).float()
    torch.testing.assert_close(loaded.whole.pixels, expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(loaded.whole.labels, torch.from_numpy(labels))
    torch.testing.assert_close(loaded.whole.black.numpy(), (-mean / std).ravel().astype("float32"))


def _rows(seed, count):
    reader = open_reader(find_source("cifar10", "synthetic"), "train")
    rows = np.random.default_rng(seed).permutation(len(reader.labels))[:count]
    return reader.read(rows), reader.labels[rows]


def test_the_seed_says_which_images_and_which_half(loaded):
    same = load_data("cifar10", 40, split_seed=3, source="synthetic")
    other = load_data("cifar10", 40, split_seed=4, source="synthetic")
    assert torch.equal(same.train.pixels, loaded.train.pixels)
    assert not torch.equal(other.train.pixels, loaded.train.pixels)


def test_more_images_than_there_are_is_an_error():
    with pytest.raises(SearchError, match="expected at most the 10,000 images of CIFAR-10"):
        load_data("cifar10", 10_001, source="synthetic")


def test_missing_images_are_an_error(tmp_path):
    with pytest.raises(ImagesError):
        load_data("cifar10", 8, source=tmp_path / "nothing")


def shuffled(size, batch_size, generator):
    """The rows of training batches, of images whose labels are their rows."""
    rows = torch.arange(size)
    images = Images(rows.reshape(-1, 1, 1, 1).expand(-1, 3, 1, 1), rows, torch.zeros(3))
    return [batch.labels for batch in training_batches(images, batch_size, False, generator)]


def test_shuffled_batches_hold_every_row_once_in_random_order():
    batches = shuffled(10, 4, torch.Generator().manual_seed(0))
    rows = torch.cat(batches).tolist()
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(rows) == list(range(10))
    assert rows != sorted(rows)


def test_each_pass_is_in_another_order_that_the_generator_repeats():
    generator = torch.Generator().manual_seed(0)
    one, two = (torch.cat(shuffled(50, 8, generator)) for _ in range(2))
    again = torch.cat(shuffled(50, 8, torch.Generator().manual_seed(0)))
    assert not torch.equal(one, two)
    assert torch.equal(one, again)


@pytest.mark.parametrize("augmented", [False, True])
def test_training_batches_show_all_images_and_only_augmentation_changes_them(tiny_data, augmented):
    images, generator = tiny_data.train, torch.Generator().manual_seed(0)
    batches = list(training_batches(images, 8, augmented, generator))
    assert [len(batch.labels) for batch in batches] == [8, 8]
    shown = {tuple(image.flatten().tolist()) for batch in batches for image in batch.images}
    known = {tuple(image.flatten().tolist()) for image in images.pixels}
    assert (shown == known) is not augmented


def test_batches_in_order_are_of_equal_size():
    batches = list(in_order(10, 4))
    assert [len(batch) for batch in batches] == [4, 3, 3]
    assert torch.cat(batches).tolist() == list(range(10))


def slow_crop(image, black, padding, down, right, mirrored):
    """Crop one image, pixel by pixel."""
    channels, height, width = image.shape
    result = torch.empty_like(image)
    for channel in range(channels):
        for row in range(height):
            for column in range(width):
                y = row + int(down) - padding
                place = width - 1 - column if mirrored else column
                x = place + int(right) - padding
                inside = 0 <= y < height and 0 <= x < width
                value = image[channel, y, x] if inside else black[channel]
                result[channel, row, column] = value
    return result


def test_crops_and_flips_are_those_of_going_through_the_pixels():
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(6, 3, 6, 6, generator=generator)
    black = torch.tensor([-1.0, -2.0, -3.0])
    offsets = torch.tensor([[0, 4, 2, 1, 3, 2], [4, 0, 2, 3, 1, 2]])
    mirrored = torch.tensor([True, False, True, False, True, False])
    found = crop_and_flip(images, black, 2, offsets, mirrored)
    arguments = zip(images, offsets[0], offsets[1], mirrored, strict=True)
    expected = torch.stack([slow_crop(i, black, 2, d, r, m) for i, d, r, m in arguments])
    assert torch.equal(found, expected)
    assert torch.equal(found[5], images[5])


def test_augmented_images_keep_labels_and_type_and_leave_the_originals_alone():
    generator = torch.Generator().manual_seed(2)
    pixels = torch.randn(8, 3, 32, 32, generator=generator)
    images = Images(pixels.clone(), torch.arange(8), torch.zeros(3))
    rows = torch.tensor([3, 1, 5])
    batch = augment(images, rows, generator)
    assert torch.equal(batch.labels, rows)
    assert (batch.images.shape, batch.images.dtype) == ((3, 3, 32, 32), torch.float32)
    assert torch.equal(images.pixels, pixels)


def test_images_move_by_up_to_an_eighth_of_their_size_and_half_are_mirrored():
    size = 16
    marker = torch.zeros(1, 3, size, size)
    marker[..., 8, 7] = 1
    images = Images(marker.repeat(400, 1, 1, 1), torch.zeros(400).long(), torch.zeros(3))
    batch = augment(images, torch.arange(400), torch.Generator().manual_seed(3)).images
    places = batch[:, 0].flatten(1).argmax(dim=1)
    assert set((places // size).tolist()) == set(range(6, 11))
    assert set((places % size).tolist()) == set(range(5, 11))


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
