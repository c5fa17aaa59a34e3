"""Formats of images: pickles, as authors publish their data sets; Parquet files; synthetic images.

Pickles are in a folder or a ``.tar.gz`` archive, Parquet files in the layout of the Hugging Face
hub. ImageNet16-120 is the first 120 classes of ImageNet at 16x16 pixels (Chrabaszcz et al., 2017).

Synthetic images, which a network can learn, are for a machine without any data set. Each class has
its own two gratings and its own tint; an image of the class shows them with random phases and
strengths, shifted, under noise. A linear classifier does poorly on them, because the phases are
random; a small network does well. They say nothing about the real data set.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fewshot_core import limits
from fewshot_core.archives import read_apart
from fewshot_core.datasets import Dataset
from fewshot_core.documents import describe_damage
from fewshot_core.errors import ImagesError

SYNTHETIC = "synthetic"
"""Name of the source and of the format of synthetic images."""

RECIPE = "gratings-1"
"""The version of the recipe of synthetic images; it changes whenever an image does."""

_COUNTS = {"train": 10_000, "test": 2_000}


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


def open_shards(
    dataset: Dataset, place: Path, split: str, shards: Sequence[Path]
) -> "ParquetReader":
    """Read the files of a split without decoding any image; may raise ImagesError."""
    if not shards:
        raise ImagesError(f"{place}: expected files {split}-*.parquet, found none")
    # CIFAR-100 also has coarse labels, so that its own have another name.
    fine = "fine_label " if dataset.name == "cifar100" else ""
    found = read_apart(
        "parquet",
        shards,
        ImagesError,
        largest=limits.IMAGES_BYTES,
        image="img image",
        label=f"{fine}label labels",
        limit=limits.IMAGES_BYTES,
    )
    check_labels(found["labels"], dataset, str(shards[0] if len(shards) == 1 else place))
    return ParquetReader(**found, size=dataset.image_size, place=place)


@dataclass(frozen=True)
class ParquetReader:
    """A split of square images, still encoded: one after the other in ``content``.

    ``ends`` says where each ends.
    """

    labels: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    content: npt.NDArray[np.uint8]
    size: int
    place: Path

    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Decode some rows; raises ``ImagesError`` if one cannot be or has another size."""
        pixels = np.empty((len(rows), 3, self.size, self.size), dtype=np.uint8)
        for position, row in enumerate(rows.tolist()):
            start = self.ends[row - 1] if row else 0
            pixels[position] = self._decode(row, self.content[start : self.ends[row]].tobytes())
        return pixels

    def _decode(self, row: int, content: bytes) -> npt.NDArray[np.uint8]:
        from PIL import Image  # a waiting process needs none

        name = f"{self.place}: image {row}"
        try:
            image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
            if image.size != (self.size, self.size):
                raise ImagesError(
                    f"{name}: expected {self.size}x{self.size} pixels, "
                    f"got {image.width}x{image.height}"
                )
            return np.asarray(image.convert("RGB")).transpose(2, 0, 1)
        except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
            reason = describe_damage(error)
            raise ImagesError(f"{name} cannot be decoded ({reason}); get it again") from error


@dataclass(frozen=True)
class SyntheticReader:
    """Reader of a split of synthetic images; each image depends only on its number."""

    dataset: Dataset
    split: str

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of every image, in rotation."""
        return np.arange(_COUNTS[self.split]) % self.dataset.classes

    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Generate the images of some numbers, (n, 3, H, W)."""
        labels = self.labels
        return np.stack([self._image(int(row), int(labels[row])) for row in rows])

    def _image(self, row: int, label: int) -> npt.NDArray[np.uint8]:
        size = self.dataset.image_size
        style = np.random.default_rng([1, label])
        angles = style.uniform(0, np.pi, 2)
        waves = style.uniform(1.5, size / 5, 2)
        colours = style.normal(0, 1, (2, 3))
        draw = np.random.default_rng([2, row, self.split == "test"])
        y, x = np.mgrid[0:size, 0:size] / size
        image = np.zeros((3, size, size))
        for angle, wave, colour in zip(angles, waves, colours, strict=True):
            along = x * np.cos(angle) + y * np.sin(angle)
            phase = draw.uniform(0, 2 * np.pi)
            strength = draw.uniform(0.5, 1.0)
            image += strength * colour[:, None, None] * np.sin(2 * np.pi * wave * along + phase)
        image += draw.normal(0, 0.5, image.shape) + draw.normal(0, 0.3, (3, 1, 1))
        return np.clip(128 + 40 * image, 0, 255).astype(np.uint8)
