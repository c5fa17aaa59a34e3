"""Parquet files in the layout of the Hugging Face hub: encoded images with their labels.

What reads them is imported when it is needed: a process that waits for its turn need not hold it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from fewshot_core.datasets import Dataset
from fewshot_core.errors import ImagesError

if TYPE_CHECKING:
    from fewshot_core.images.parquet_reader import ParquetReader

_SUFFIX = ".parquet"


def locate(dataset: Dataset, place: Path) -> Path | None:
    """Return the place itself, its ``data`` or its ``plain_text`` folder, if it has the files."""
    if not place.is_dir():
        return None
    for folder in (place, place / "data", place / "plain_text"):
        if _shards(folder, "train"):
            return folder
    return None


def files(dataset: Dataset, place: Path) -> list[Path]:
    """Return the files that hold the training images."""
    return _shards(place, "train")


def open_split(dataset: Dataset, place: Path, split: str) -> "ParquetReader":
    """Open a split without decoding any image.

    Raises:
        ImagesError: If a file is missing, damaged or of another layout.
    """
    shards = _shards(place, split)
    if not shards:
        raise ImagesError(f"{place}: expected files {split}-*{_SUFFIX}, found none")
    from fewshot_core.images.parquet_reader import open_shards

    return open_shards(dataset, place, split, shards)


def _shards(folder: Path, split: str) -> list[Path]:
    return sorted(folder.glob(f"{split}*{_SUFFIX}"))
