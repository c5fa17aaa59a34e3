"""CIFAR-10 and CIFAR-100 as their authors publish them: pickles for Python, packed or not."""

import tarfile
import zlib
from pathlib import Path

import numpy as np

from fewshot_core.datasets import Dataset
from fewshot_core.errors import ImagesError
from fewshot_core.images.arrays import (
    LARGEST,
    ArraysReader,
    check_labels,
    load_image_pickle,
    read_image_file,
)

_FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
ARCHIVES = {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}
"""The file names of the official archives."""

_TRAIN = {"cifar10": [f"data_batch_{n}" for n in range(1, 6)], "cifar100": ["train"]}
_TEST = {"cifar10": ["test_batch"], "cifar100": ["test"]}
_LABELS = {"cifar10": "labels", "cifar100": "fine_labels"}


def locate(dataset: Dataset, place: Path) -> Path | None:
    """Return the folder of batches, or the archive, in or at a place."""
    if dataset.name not in _FOLDERS:
        return None
    if place.is_file():
        return place if place.name.endswith((".tar.gz", ".tgz")) else None
    first = _TRAIN[dataset.name][0]
    for folder in (place, place / _FOLDERS[dataset.name]):
        if (folder / first).is_file():
            return folder
    archive = place / ARCHIVES[dataset.name]
    return archive if archive.is_file() else None


def files(dataset: Dataset, place: Path) -> list[Path]:
    """Return the files that hold the training images."""
    if place.is_file():
        return [place]
    return [place / name for name in _TRAIN[dataset.name]]


def open_split(dataset: Dataset, place: Path, split: str) -> ArraysReader:
    """Read a split.

    Raises:
        ImagesError: If a file is missing or damaged.
    """
    names = (_TRAIN if split == "train" else _TEST)[dataset.name]
    read = _from_archive(dataset, place, names) if place.is_file() else _from_folder(place, names)
    parts = [
        load_image_pickle(data, f"{place.name}/{name}", _LABELS[dataset.name], dataset.image_size)
        for name, data in zip(names, read, strict=True)
    ]
    pixels, labels = zip(*parts, strict=True)
    reader = ArraysReader(np.concatenate(pixels), np.concatenate(labels))
    check_labels(reader.labels, dataset, str(place))
    return reader


def _from_folder(folder: Path, names: list[str]) -> list[bytes]:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ImagesError(
            f"{folder}: expected the files {', '.join(names)}, {missing[0]} is missing"
        )
    return [read_image_file(folder / name) for name in names]


def _from_archive(dataset: Dataset, archive: Path, names: list[str]) -> list[bytes]:
    folder = _FOLDERS[dataset.name]
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
    """Return the content of a member; nothing is ever unpacked to the disk."""
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
