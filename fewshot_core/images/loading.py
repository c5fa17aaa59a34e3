"""Pixels and labels of a source, all of them or some rows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fewshot_core.datasets import DATASETS
from fewshot_core.errors import ImagesError
from fewshot_core.images.formats import FORMATS, Reader
from fewshot_core.images.sources import ImageSource, find_source, fingerprint_of


@dataclass(frozen=True)
class Provenance:
    """Where images are from.

    Attributes:
        dataset: The data set's name.
        source: The source's name.
        label: The source in words.
        synthetic: Whether they are synthetic.
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
        """One line: "64 CIFAR-10 training images, Parquet files, seed 0"."""
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
    """Reader of a split of a source; raises ``ImagesError`` if files are missing or damaged."""
    if split not in ("train", "test"):
        raise ImagesError(f"expected the split 'train' or 'test', got {split!r}")
    return FORMATS.get(source.kind).open(DATASETS.get(source.dataset), source.path, split)


def load_images(
    dataset: str,
    split: str = "train",
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
) -> ImageArrays:
    """Load all images and labels of a split.

    Args:
        dataset: The data set's name.
        split: ``"train"`` or ``"test"``.
        source: An image source's name, a path, or None for the first real one.
        data_dir: The data folder.

    Raises:
        ImagesError: If there are no such images, or the files are damaged.
    """
    found = find_source(dataset, source, data_dir)
    reader = open_reader(found, split)
    pixels, labels = reader.read(np.arange(reader.count))
    return ImageArrays(pixels, labels, provenance_of(found, split, len(labels)))


def provenance_of(
    source: ImageSource, split: str, size: int, seed: int | None = None
) -> Provenance:
    """Provenance of some images of a source."""
    return Provenance(
        dataset=source.dataset,
        source=source.name,
        label=source.label,
        synthetic=source.synthetic,
        split=split,
        fingerprint=fingerprint_of(source),
        size=size,
        seed=seed,
    )
