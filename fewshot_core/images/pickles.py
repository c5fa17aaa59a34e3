"""The data sets as their authors publish them: pickles, in a folder or a ``.tar.gz`` archive.

ImageNet16-120 is the first 120 classes of ImageNet at 16x16 pixels (Chrabaszcz et al., 2017).
"""

import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fewshot_core.data_folder import read_limited
from fewshot_core.datasets import Dataset
from fewshot_core.errors import ImagesError
from fewshot_core.safe_pickle import NUMPY_ARRAYS, load_pickle

LARGEST = 500_000_000
"""The largest file of images, decompressed, in bytes; the largest official one has 155 MB."""


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
    read = _from_archive if place.is_file() else _from_folder
    pixels, labels = [], []
    for name, data in zip(names, read(dataset, place, names), strict=True):
        part, numbers = _load(data, f"{place.name}/{name}", layout.labels, dataset.image_size)
        numbers = numbers - layout.first
        if layout.first:
            chosen = (numbers >= 0) & (numbers < dataset.classes)
            part, numbers = part[chosen], numbers[chosen]
        pixels.append(part)
        labels.append(numbers)
    reader = ArraysReader(np.concatenate(pixels), np.concatenate(labels))
    check_labels(reader.labels, dataset, str(place))
    return reader


def check_labels(labels: npt.NDArray[np.int64], dataset: Dataset, place: str) -> None:
    """Raise ``ImagesError`` unless labels are class numbers of a data set, at least one."""
    if not labels.size:
        raise ImagesError(f"{place}: expected images of {dataset.label}, found none; get it again")
    if labels.min() < 0 or labels.max() >= dataset.classes:
        raise ImagesError(
            f"{place}: expected labels from 0 to {dataset.classes - 1} for {dataset.label}, got "
            f"{labels.min()} to {labels.max()}; is it another data set?"
        )


def read_image_file(path: Path) -> bytes:
    """Content of a file of images; raises ``ImagesError`` if it is unreadable or too large."""
    try:
        return read_limited(path, LARGEST)
    except (OSError, ValueError) as error:
        raise ImagesError(f"{path} cannot be read ({error}); get it again") from error


def _from_folder(dataset: Dataset, folder: Path, names: tuple[str, ...]) -> list[bytes]:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ImagesError(
            f"{folder}: expected the files {', '.join(names)}, {missing[0]} is missing"
        )
    return [read_image_file(folder / name) for name in names]


def _from_archive(dataset: Dataset, archive: Path, names: tuple[str, ...]) -> list[bytes]:
    folder = LAYOUTS[dataset.name].folder
    try:
        with tarfile.open(archive) as content:
            return [_member(content, f"{folder}/{name}") for name in names]
    except (tarfile.TarError, zlib.error, OSError, EOFError) as error:
        raise ImagesError(f"{archive} is damaged ({error}); get it again") from error
    except KeyError as error:
        raise ImagesError(
            f"{archive}: expected {dataset.label} with the files {folder}/{names[0]} and so on "
            f"({error.args[0]})"
        ) from error


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    """Content of a member; nothing is ever written to the disk."""
    member = archive.getmember(name)
    if not member.isfile():  # a link could lead anywhere
        raise KeyError(f"{name} is not a file")
    if member.size > LARGEST:
        raise ImagesError(
            f"{name} in the archive holds {member.size / 1e6:,.0f} MB, expected at most "
            f"{LARGEST / 1e6:,.0f} MB; get the archive again"
        )
    file = archive.extractfile(member)
    return file.read() if file is not None else b""


def _load(
    data: bytes, name: str, labels_key: str, size: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Pixels (N, 3, size, size) and labels (N,) of one pickle."""
    content: Any = load_pickle(data, name, NUMPY_ARRAYS, "latin1", ImagesError)
    if not isinstance(content, Mapping):
        raise ImagesError(f"{name}: expected a dictionary, got a {type(content).__name__}")
    # Python 2 wrote the keys as texts; copies made with Python 3 may have bytes.
    content = {
        key.decode("latin1") if isinstance(key, bytes) else str(key): value
        for key, value in content.items()
    }
    if not {"data", labels_key} <= content.keys():
        raise ImagesError(
            f"{name}: expected the keys 'data' and {labels_key!r}, got {sorted(content)}; "
            "is it another data set?"
        )
    try:
        pixels = np.asarray(content["data"]).astype(np.uint8, casting="same_kind")
        labels = np.asarray(content[labels_key]).astype(np.int64, casting="same_kind")
        return pixels.reshape(len(labels), 3, size, size), labels
    except (TypeError, ValueError) as error:
        raise ImagesError(
            f"{name}: expected one row of {3 * size * size} bytes for each label ({error})"
        ) from error
