"""A split that is in memory as a whole, and reading the files and pickles it comes in."""

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
"""The most bytes of a file of images, unpacked; the largest official one has 155 MB."""


@dataclass(frozen=True)
class ArraysReader:
    """A split whose pixels and labels are arrays.

    Attributes:
        pixels: uint8, (N, 3, H, W).
        labels: int64, (N,).
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self.labels)

    def read(
        self, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Return pixels and labels of some rows."""
        return self.pixels[rows], self.labels[rows]


def check_labels(labels: npt.NDArray[np.int64], dataset: Dataset, place: str) -> None:
    """Check that labels are class numbers of a data set.

    Raises:
        ImagesError: If one is not, or there are none.
    """
    if not labels.size:
        raise ImagesError(f"{place}: expected images of {dataset.label}, found none; get it again")
    if labels.min() < 0 or labels.max() >= dataset.classes:
        raise ImagesError(
            f"{place}: expected labels from 0 to {dataset.classes - 1} for {dataset.label}, got "
            f"{labels.min()} to {labels.max()}; is it another data set?"
        )


def read_image_file(path: Path) -> bytes:
    """Return the content of a file of images.

    Raises:
        ImagesError: If it cannot be read, or is too large.
    """
    try:
        return read_limited(path, LARGEST)
    except (OSError, ValueError) as error:
        raise ImagesError(f"{path} cannot be read ({error}); get it again") from error


def load_image_pickle(
    data: bytes, name: str, labels_key: str, size: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return pixels (N, 3, size, size) and labels (N,) of one pickle of a data set.

    Raises:
        ImagesError: If the pickle is damaged, unsafe, or holds something else.
    """
    content: Any = load_pickle(data, name, NUMPY_ARRAYS, "latin1", ImagesError)
    if not isinstance(content, Mapping):
        raise ImagesError(f"{name}: expected a dictionary, got a {type(content).__name__}")
    content = {_text(key): value for key, value in content.items()}
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


def _text(key: object) -> str:
    """Return a key as text: Python 2 wrote texts, copies made with Python 3 may have bytes."""
    return key.decode("latin1") if isinstance(key, bytes) else str(key)
