"""The formats in which images are stored; a format is a record here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fewshot_core.datasets import Dataset
from fewshot_core.errors import ImagesError
from fewshot_core.images import pickles
from fewshot_core.images.synthetic import SYNTHETIC, SyntheticReader
from fewshot_core.registry import Registry


class Reader(Protocol):
    """One split of a data set."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of every image, (count,)."""

    @property
    def count(self) -> int:
        """Number of images."""

    def read(
        self, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Pixels (n, 3, H, W) and labels (n,) of some rows, in their order."""


@dataclass(frozen=True)
class ImageFormat:
    """A format.

    Attributes:
        name: Its name.
        label: Its name in words.
        locate: Finds the data set inside a folder (or file); None if it is not there.
        files: The files that hold the training images.
        open: Opens a split, ``"train"`` or ``"test"``.
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

    shards = _shards(place, split)
    if not shards:
        raise ImagesError(f"{place}: expected files {split}-*.parquet, found none")
    return open_shards(dataset, place, split, shards)


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
