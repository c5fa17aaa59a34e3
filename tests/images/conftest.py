"""Tiny archives in every layout the package reads."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fewshot_core.datasets import DATASETS

Maker = Callable[[str, Path], Path]


def _content(dataset: str, count: int, seed: int) -> tuple[np.ndarray, list[int]]:
    info = DATASETS.get(dataset)
    pixels = np.random.default_rng(seed).integers(
        0, 256, (count, 3 * info.image_size**2), dtype=np.uint8
    )
    return pixels, [number % info.classes for number in range(count)]


def _dump(path: Path, pixels: np.ndarray, labels_key: str, labels: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {b"data": pixels, labels_key.encode(): labels}
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.fixture
def make_pickles() -> Maker:
    """Write the official pickles of a data set into a folder; return the folder of batches."""

    def make(dataset: str, folder: Path) -> Path:
        if dataset == "cifar10":
            place = folder / "cifar-10-batches-py"
            for number in range(1, 6):
                _dump(place / f"data_batch_{number}", *_parts(dataset, 20, number, "labels"))
            _dump(place / "test_batch", *_parts(dataset, 10, 9, "labels"))
        elif dataset == "cifar100":
            place = folder / "cifar-100-python"
            _dump(place / "train", *_parts(dataset, 200, 1, "fine_labels"))
            _dump(place / "test", *_parts(dataset, 100, 9, "fine_labels"))
        else:
            place = folder
            for number in range(1, 11):
                _dump(place / f"train_data_batch_{number}", *_imagenet(number))
            _dump(place / "val_data", *_imagenet(99))
        return place

    return make


def _parts(dataset: str, count: int, seed: int, key: str) -> tuple[np.ndarray, str, list[int]]:
    pixels, labels = _content(dataset, count, seed)
    return pixels, key, labels


def _imagenet(seed: int) -> tuple[np.ndarray, str, list[int]]:
    pixels, _ = _content("ImageNet16-120", 130, seed)
    return pixels, "labels", list(range(1, 131))


@pytest.fixture
def make_parquet() -> Callable[..., Path]:
    """Write PNG images as Parquet shards in the layout of the Hugging Face hub."""

    def make(
        dataset: str, folder: Path, image: str = "img", label: str = "label", shards: int = 1
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        info = DATASETS.get(dataset)
        for split, count in (("train", 2 * info.classes), ("test", info.classes)):
            pixels, labels = _content(dataset, count, 5)
            images = [
                {"bytes": _png(row.reshape(3, info.image_size, info.image_size)), "path": None}
                for row in pixels
            ]
            kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
            table = pa.table({image: pa.array(images, kind), label: labels})
            for shard in range(shards):
                rows = np.array_split(np.arange(count), shards)[shard]
                name = f"{split}-{shard:05d}-of-{shards:05d}.parquet"
                pq.write_table(table.take(pa.array(rows)), folder / name)
        return folder

    return make


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(buffer, "PNG")
    return buffer.getvalue()
