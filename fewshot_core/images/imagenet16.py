"""ImageNet16-120: the first 120 classes of ImageNet at 16x16 pixels, from its official pickles."""

from pathlib import Path

import numpy as np

from fewshot_core.datasets import Dataset
from fewshot_core.errors import ImagesError
from fewshot_core.images.arrays import (
    ArraysReader,
    check_labels,
    load_image_pickle,
    read_image_file,
)

NAME = "ImageNet16-120"
_TRAIN = [f"train_data_batch_{number}" for number in range(1, 11)]
_TEST = ["val_data"]


def locate(dataset: Dataset, place: Path) -> Path | None:
    """Return the folder with the pickles, in or at a place."""
    if dataset.name != NAME:
        return None
    for folder in (place, place / "ImageNet16"):
        if (folder / _TRAIN[0]).is_file():
            return folder
    return None


def files(dataset: Dataset, place: Path) -> list[Path]:
    """Return the files that hold the training images."""
    return [place / name for name in _TRAIN]


def open_split(dataset: Dataset, place: Path, split: str) -> ArraysReader:
    """Read a split; the labels 1 to 120 of the files become 0 to 119, the others are left out.

    Raises:
        ImagesError: If a file is missing or damaged.
    """
    pixels, labels = [], []
    for name in _TRAIN if split == "train" else _TEST:
        path = place / name
        if not path.is_file():
            raise ImagesError(
                f"{place}: expected {_TRAIN[0]} to {_TRAIN[-1]} and {_TEST[0]}, {name} is missing"
            )
        content = read_image_file(path)
        part, part_labels = load_image_pickle(content, name, "labels", dataset.image_size)
        chosen = (part_labels >= 1) & (part_labels <= dataset.classes)
        pixels.append(part[chosen])
        labels.append(part_labels[chosen] - 1)
    reader = ArraysReader(np.concatenate(pixels), np.concatenate(labels))
    check_labels(reader.labels, dataset, str(place))
    return reader
