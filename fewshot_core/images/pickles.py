"""The data sets as their authors publish them: pickles, in a folder or a ``.tar.gz`` archive.

ImageNet16-120 is the first 120 classes of ImageNet at 16x16 pixels (Chrabaszcz et al., 2017).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fewshot_core import limits
from fewshot_core.archives import read_apart
from fewshot_core.datasets import Dataset
from fewshot_core.errors import ImagesError


@dataclass(frozen=True)
class Layout:
    """The files of a data set: their folder, and the official archive if there is one.

    ``labels`` is the key of the labels in a file, and ``first`` the label of the first class;
    where that is not 0, images of later classes than the data set's are left out.
    """

    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: str
    first: int = 0
    archive: str | None = None


LAYOUTS = {
    "cifar10": Layout(
        "cifar-10-batches-py",
        tuple(f"data_batch_{number}" for number in range(1, 6)),
        ("test_batch",),
        "labels",
        archive="cifar-10-python.tar.gz",
    ),
    "cifar100": Layout(
        "cifar-100-python", ("train",), ("test",), "fine_labels", archive="cifar-100-python.tar.gz"
    ),
    "ImageNet16-120": Layout(
        "ImageNet16",
        tuple(f"train_data_batch_{number}" for number in range(1, 11)),
        ("val_data",),
        "labels",
        first=1,
    ),
}


@dataclass(frozen=True)
class ArraysReader:
    """Reader of a split whose pixels, uint8 (N, 3, H, W), and labels, int64 (N,), are arrays."""

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Pixels of some rows."""
        return self.pixels[rows]


def locate(dataset: Dataset, place: Path) -> Path | None:
    """The folder of pickles or the archive, in or at a place."""
    layout = LAYOUTS[dataset.name]
    if place.is_file():
        packed = layout.archive is not None and place.name.endswith((".tar.gz", ".tgz"))
        return place if packed else None
    for folder in (place, place / layout.folder):
        if (folder / layout.train[0]).is_file():
            return folder
    if layout.archive is not None and (place / layout.archive).is_file():
        return place / layout.archive
    return None


def files(dataset: Dataset, place: Path) -> list[Path]:
    """The files that hold the training images."""
    if place.is_file():
        return [place]
    return [place / name for name in LAYOUTS[dataset.name].train]


def open_split(dataset: Dataset, place: Path, split: str) -> ArraysReader:
    """Read a split; raises ``ImagesError`` if a file is missing or damaged."""
    layout = LAYOUTS[dataset.name]
    names = layout.train if split == "train" else layout.test
    archived = place.is_file()
    missing = [name for name in names if not (archived or (place / name).is_file())]
    if missing:
        raise ImagesError(
            f"{place}: expected the files {', '.join(names)}, {missing[0]} is missing"
        )
    parts = read_apart(
        "images",
        [place] if archived else [place / name for name in names],
        ImagesError,
        largest=limits.IMAGES_BYTES,
        names=[f"{layout.folder}/{name}" if archived else name for name in names],
        labels=layout.labels,
        size=dataset.image_size,
        archived=archived,
        limit=limits.IMAGES_BYTES,
    )
    pixels = np.concatenate([part for part, _ in parts])
    labels = np.concatenate([numbers for _, numbers in parts]) - layout.first
    if layout.first:
        chosen = (labels >= 0) & (labels < dataset.classes)
        pixels, labels = pixels[chosen], labels[chosen]
    check_labels(labels, dataset, str(place))
    return ArraysReader(pixels, labels)


def check_labels(labels: npt.NDArray[np.int64], dataset: Dataset, place: str) -> None:
    """Raise ``ImagesError`` unless labels are class numbers of a data set, at least one."""
    if not labels.size:
        raise ImagesError(f"{place}: expected images of {dataset.label}, found none; get it again")
    if labels.min() < 0 or labels.max() >= dataset.classes:
        raise ImagesError(
            f"{place}: expected labels from 0 to {dataset.classes - 1} for {dataset.label}, got "
            f"{labels.min()} to {labels.max()}; is it another data set?"
        )
