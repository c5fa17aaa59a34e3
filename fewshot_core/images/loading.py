"""Pixels and labels of a source, all of them or some rows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fewshot_core.datasets import DATASETS, Dataset
from fewshot_core.errors import ImagesError
from fewshot_core.images.formats import FORMATS, Reader
from fewshot_core.images.sources import ImageSource, find_source, source_fingerprint


@dataclass(frozen=True)
class Provenance:
    """Where images are from.

    Attributes:
        dataset: The data set's name.
        source: The source's name.
        label: The source in words.
        synthetic: Whether they are made up.
        split: ``"train"`` or ``"test"``.
        fingerprint: SHA-256 of the files' content.
        size: How many images.
        seed: The seed they were drawn with, or None for all of them.
    """

    dataset: str
    source: str
    label: str
    synthetic: bool
    split: str
    fingerprint: str
    size: int
    seed: int | None = None

    def describe(self) -> str:
        """Return one line: "64 CIFAR-10 training images, Parquet files, seed 0"."""
        label = DATASETS.get(self.dataset).label
        drawn = "" if self.seed is None else f", seed {self.seed}"
        if self.synthetic:
            return f"{self.size:,} synthetic images (not {label}){drawn}"
        part = "training" if self.split == "train" else "test"
        return f"{self.size:,} {label} {part} images, {self.label}{drawn}"


@dataclass(frozen=True)
class ImageArrays:
    """Images as they are stored.

    Attributes:
        pixels: uint8, (N, 3, H, W).
        labels: int64, (N,).
        provenance: Where they are from.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    provenance: Provenance


def open_reader(source: ImageSource, split: str) -> Reader:
    """Return what reads a split of a source.

    Raises:
        ImagesError: If the files are missing or damaged.
    """
    if split not in ("train", "test"):
        raise ImagesError(f"expected the split 'train' or 'test', got {split!r}")
    return FORMATS.get(source.kind).open(DATASETS.get(source.dataset), source.path, split)


def load_images(
    dataset: str,
    split: str = "train",
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
    rows: npt.NDArray[np.int64] | None = None,
) -> ImageArrays:
    """Return images and labels of a source.

    Args:
        dataset: The data set's name.
        split: ``"train"`` or ``"test"``.
        source: An image source's name, a path, or None for the first real one.
        data_dir: The data folder.
        rows: Which images, in this order; None for all.

    Raises:
        ImagesError: If there are no such images, or the files are damaged.
    """
    info = DATASETS.get(dataset)
    found = find_source(dataset, source, data_dir)
    reader = open_reader(found, split)
    chosen = np.arange(reader.count) if rows is None else np.asarray(rows)
    pixels, labels = reader.read(chosen)
    _check(info, found, pixels, labels)
    return ImageArrays(
        pixels,
        labels,
        Provenance(
            dataset=dataset,
            source=found.name,
            label=found.label,
            synthetic=found.synthetic,
            split=split,
            fingerprint=source_fingerprint(dataset, source, data_dir),
            size=len(labels),
        ),
    )


def _check(
    info: Dataset,
    source: ImageSource,
    pixels: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
) -> None:
    shape = (len(labels), 3, info.image_size, info.image_size)
    if pixels.shape != shape:
        raise ImagesError(
            f"{source.place}: expected images of shape {shape} for {info.label}, got {pixels.shape}"
        )
    if labels.size and not 0 <= labels.min() <= labels.max() < info.classes:
        raise ImagesError(
            f"{source.place}: expected labels from 0 to {info.classes - 1} for {info.label}, got "
            f"{labels.min()} to {labels.max()}; is it another data set?"
        )
