"""Reading Parquet files in the layout of the Hugging Face hub."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from fewshot_core import limits
from fewshot_core.archives import read_apart
from fewshot_core.datasets import Dataset
from fewshot_core.documents import describe_damage
from fewshot_core.errors import ImagesError
from fewshot_core.images.pickles import check_labels

_DAMAGE = (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError)


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
        name = f"{self.place}: image {row}"
        try:
            image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
            if image.size != (self.size, self.size):
                raise ImagesError(
                    f"{name}: expected {self.size}x{self.size} pixels, "
                    f"got {image.width}x{image.height}"
                )
            return np.asarray(image.convert("RGB")).transpose(2, 0, 1)
        except _DAMAGE as error:
            reason = describe_damage(error)
            raise ImagesError(f"{name} cannot be decoded ({reason}); get it again") from error
