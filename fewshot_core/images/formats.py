"""The layouts in which images are stored. A layout is one module and one record here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fewshot_core.datasets import Dataset
from fewshot_core.images import cifar as pickled_cifar
from fewshot_core.images import imagenet16, parquet, synthetic
from fewshot_core.registry import Registry


class Reader(Protocol):
    """One split of a data set."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of every image, (count,)."""

    @property
    def count(self) -> int:
        """How many images there are."""

    def read(
        self, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Return pixels (n, 3, H, W) and labels (n,) of some rows, in their order."""


@dataclass(frozen=True)
class ImageFormat:
    """A layout.

    Attributes:
        name: Its name.
        label: Its name in words.
        locate: Returns where the data set is inside a folder (or file), or None if it is not.
        files: The files that hold the training images.
        open: Returns the reader of a split.
    """

    name: str
    label: str
    locate: Callable[[Dataset, Path], Path | None]
    files: Callable[[Dataset, Path], list[Path]]
    open: Callable[[Dataset, Path, str], Reader]


FORMATS: Registry[ImageFormat] = Registry("image format")
FORMATS.add(
    ImageFormat(
        "archive",
        "official archive",
        pickled_cifar.locate,
        pickled_cifar.files,
        pickled_cifar.open_split,
    )
)
FORMATS.add(
    ImageFormat(
        "imagenet16", "official pickles", imagenet16.locate, imagenet16.files, imagenet16.open_split
    )
)
FORMATS.add(
    ImageFormat("parquet", "Parquet files", parquet.locate, parquet.files, parquet.open_split)
)
FORMATS.add(
    ImageFormat(
        synthetic.NAME,
        "synthetic images",
        synthetic.locate,
        synthetic.files,
        synthetic.open_split,
    )
)
