import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from whole_splits import load_images

from fewshot_core.datasets import DATASETS
from fewshot_core.errors import ImagesError
from fewshot_core.images import SYNTHETIC, load_batch, source_fingerprint

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "cifar10"
needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason="CIFAR-10 is not in the folder shared beside the project"
)


def synthetic(dataset: str, size: int, seed: int, folder: Path):
    return load_batch(dataset, size, seed, SYNTHETIC, folder)


@pytest.mark.parametrize("dataset", DATASETS.names())
def test_a_batch_is_typed_and_drawn_by_its_seed(dataset, tmp_path):
    info = DATASETS.get(dataset)
    batch = synthetic(dataset, 8, 3, tmp_path)
    assert batch.images.shape == (8, 3, info.image_size, info.image_size)
    assert batch.images.dtype == torch.float32 and batch.labels.dtype == torch.int64
    again, other = synthetic(dataset, 8, 3, tmp_path), synthetic(dataset, 8, 4, tmp_path)
    assert torch.equal(batch.images, again.images) and torch.equal(batch.labels, again.labels)
    assert not torch.equal(batch.images, other.images)


def test_pixels_are_normalised_by_the_data_set(tmp_path, make_parquet):
    make_parquet("cifar10", tmp_path / "mine")
    batch = load_batch("cifar10", 20, source=tmp_path / "mine", data_dir=tmp_path)
    arrays = load_images("cifar10", source=tmp_path / "mine", data_dir=tmp_path)
    rows = np.random.default_rng(0).choice(20, 20, replace=False)
    info = DATASETS.get("cifar10")
    mean, std = (np.reshape(values, (3, 1, 1)) for values in (info.mean, info.std))
    expected = (arrays.pixels[rows] / 255 - mean) / std
    np.testing.assert_allclose(batch.images.numpy(), expected, atol=1e-5)
    assert sorted(rows) == list(range(20))
    np.testing.assert_array_equal(batch.labels.numpy(), arrays.labels[rows])


@pytest.mark.parametrize("size", [0, -1, 10_001])
def test_an_impossible_size_is_refused(size, tmp_path):
    with pytest.raises(ImagesError, match=r"expected a batch of 1 to 10,000 images"):
        synthetic("cifar10", size, 0, tmp_path)


def test_synthetic_images_are_described_as_such(tmp_path):
    provenance = synthetic("cifar10", 64, 0, tmp_path).provenance
    assert provenance.describe() == "64 synthetic images (not CIFAR-10), seed 0"
    assert provenance.synthetic and provenance.split == "train"


@needs_real
def test_real_images_are_described(tmp_path):
    batch = load_batch("cifar10", 64, source=REAL, data_dir=tmp_path)
    assert batch.provenance.describe() == "64 CIFAR-10 training images, Parquet files, seed 0"
    assert batch.provenance.fingerprint == source_fingerprint("cifar10", REAL, tmp_path)
    assert abs(float(batch.images.mean())) < 0.3 and 0.7 < float(batch.images.std()) < 1.3


def test_synthetic_splits_differ_and_are_whole(tmp_path):
    train = load_images("cifar10", "train", SYNTHETIC, tmp_path)
    test = load_images("cifar10", "test", SYNTHETIC, tmp_path)
    assert len(train.labels) == 10_000 and len(test.labels) == 2_000
    assert not np.array_equal(train.pixels[:10], test.pixels[:10])
    assert _nearest_mean(np.abs(np.fft.rfft2(train.pixels)), train, test, transform=True) > 0.5
    pixels = train.pixels.astype(float)
    assert _nearest_mean(pixels, train, test, transform=False) < 0.5


def _nearest_mean(features, train, test, transform):
    """Return the share of test images whose class has the nearest mean."""
    other = np.abs(np.fft.rfft2(test.pixels)) if transform else test.pixels.astype(float)
    means = np.stack([features[train.labels == label].mean(0).ravel() for label in range(10)])
    flat = other.reshape(len(other), -1)
    distance = (means**2).sum(1) - 2 * flat @ means.T
    return float((distance.argmin(1) == test.labels).mean())


def test_importing_the_package_imports_neither_torch_nor_pooch():
    code = (
        "import sys, fewshot_core.images; "
        "sys.exit(' '.join({'torch', 'pooch'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
