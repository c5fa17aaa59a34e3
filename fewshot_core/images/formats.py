"""The formats in which images are stored; a format is a record here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fewshot_core.datasets import Dataset
from fewshot_core.images import pickles
from fewshot_core.images.synthetic import SYNTHETIC, SyntheticReader
from fewshot_core.registry import Registry


class Reader(Protocol):
    """One split of a data set."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of every image, (N,)."""

    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Pixels (n, 3, H, W) of some rows, in their order."""


@dataclass(frozen=True)
class ImageFormat:
    """A format: ``locate`` finds a data set inside a folder or file, or returns None.

    ``files`` lists the files of the training images; ``open`` opens a split, "train" or "test".
    """

    name: str
    label: str
    locate: Callable[[Dataset, Path], Path | None]
    files: Callable[[Dataset, Path], list[Path]]
    open: Callable[[Dataset, Path, str], Reader]


def _locate_parquet(dataset: Dataset, place: Path) -> Path | None:
    folders = (place, place / "data", place / "plain_text") if place.is_dir() else ()
    return next((folder for folder in folders if _shards(folder, "train")), None)


def _open_parquet(dataset: Dataset, place: Path, split: str) -> Reader:
    from fewshot_core.images.parquet import open_shards  # a waiting process needs no pyarrow

    return open_shards(dataset, place, split, _shards(place, split))


def _shards(folder: Path, split: str) -> list[Path]:
    return sorted(folder.glob(f"{split}*.parquet"))


FORMATS: Registry[ImageFormat] = Registry("image format")
FORMATS.add(
    ImageFormat("archive", "official archive", pickles.locate, pickles.files, pickles.open_split)
)
FORMATS.add(
    ImageFormat(
        "parquet",
        "Parquet files",
        _locate_parquet,
        lambda dataset, place: _shards(place, "train"),
        _open_parquet,
    )
)
FORMATS.add(
    ImageFormat(
        SYNTHETIC,
        "synthetic images",
        lambda dataset, place: None,
        lambda dataset, place: [],
        lambda dataset, place, split: SyntheticReader(dataset, split),
    )
)
